//! What is sent to a peer: in order, within the window, and with no lock held.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use perennial_durable::Payload;
use tokio::time::timeout;

use crate::config::NodeConfig;
use crate::engine::{EngineSession, Priority};
use crate::error::RemoteErrorKind;
use crate::identity::{Boot, NodeId, NodeName};
use crate::peer::{Outbound, Peer, Unsent};
use crate::wire::{HEADER_BYTES, Header, Hello, Outcome, Packet, Tags};

/// Keeps the packets. Its code is foreign: it looks at the peer, and may panic.
#[derive(Default)]
struct Recorder {
    packets: Mutex<Vec<(Priority, Vec<u8>)>>,
    peer: OnceLock<Weak<Peer>>,
    panics: bool,
}

impl EngineSession for Recorder {
    fn send(&self, _: &NodeId, priority: Priority, packet: Vec<u8>) {
        if let Some(peer) = self.peer.get().and_then(Weak::upgrade) {
            peer.info();
        }
        self.packets.lock().expect("no panic under it").push((priority, packet));
        assert!(!self.panics, "the engine is broken");
    }
}

impl Recorder {
    /// Returns the sequence numbers and the headers of the stream.
    fn stream(&self) -> Vec<(u64, Header)> {
        let packets = self.packets.lock().expect("no panic under it");
        let packets = packets.iter().map(|(_, packet)| Packet::decode(packet).expect("it is a packet"));
        let packets = packets.map(|packet| (packet.tags.sequence, packet.header));
        packets.filter(|(sequence, _)| *sequence > 0).collect()
    }

    /// Takes the priorities of what was sent since the last call.
    fn priorities(&self) -> Vec<Priority> {
        let mut packets = self.packets.lock().expect("no panic under it");
        packets.drain(..).map(|(priority, _)| priority).collect()
    }
}

/// Returns a peer that is connected.
fn connected(recorder: Recorder, window: usize) -> (Arc<Peer>, Arc<Recorder>) {
    let id = NodeId { name: NodeName::new("b").expect("a name"), boot: Boot { started: 1, random: 0 } };
    let config = NodeConfig { window, ..NodeConfig::default() };
    let (peer, recorder) = (Arc::new(Peer::new(id, &config, 1)), Arc::new(recorder));
    recorder.peer.set(Arc::downgrade(&peer)).expect("it is set once");
    peer.set_engine(Some(recorder.clone()));
    let hello = Hello { received: 0, wants_answer: false, max_payload: 1_000, window: 2_000 };
    peer.with(|link| {
        let transition = link.session.on_hello(Tags { epoch: 1, seen: 1, sequence: 0 }, false);
        assert!(transition.went_up);
        link.after(transition);
        link.take_account(&hello);
    });
    (peer, recorder)
}

fn message(bytes: usize) -> Outbound {
    let (tag, codec) = ("test.cart".to_owned(), "bincode2".to_owned());
    let payload = Payload { tag, version: 1, codec, bytes: vec![0; bytes] };
    Outbound { to: "cart".to_owned(), payload, replies: Vec::new(), confirm: false, report: None }
}

#[test]
fn engine_may_look_at_the_peer_and_may_panic() {
    let (peer, recorder) = connected(Recorder { panics: true, ..Recorder::default() }, 10_000);
    for _ in 0..3 {
        assert_eq!(peer.post(message(10)), Ok(()));
    }
    let numbers: Vec<u64> = recorder.stream().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn header_that_is_too_long_takes_no_number() {
    let (peer, recorder) = connected(Recorder::default(), 10_000);
    let name = "x".repeat(HEADER_BYTES);
    peer.with(|link| {
        assert_eq!(link.send(&Header::Monitor { id: 1, name: name.clone() }, &[]), Err(Unsent::TooLong));
    });
    let long = Outbound { to: name, ..message(1) };
    assert_eq!(peer.post(long), Err(RemoteErrorKind::NoProcess), "it cannot be exposed");
    assert_eq!(peer.post(message(1)), Ok(()));
    assert_eq!(recorder.stream().len(), 1);
    assert_eq!(peer.info().sent, 1);
}

#[test]
fn limit_of_a_message_is_the_smaller_one_of_both_nodes() {
    let (peer, _) = connected(Recorder::default(), 100_000);
    assert_eq!(peer.post(message(1_000)), Ok(()));
    assert_eq!(peer.post(message(1_001)), Err(RemoteErrorKind::TooLarge { bytes: 1_001, max: 1_000 }));
}

#[test]
fn what_has_no_room_waits_for_credit_in_order() {
    let (peer, recorder) = connected(Recorder::default(), 1_024);
    let down = |id| Header::Accepted { id };
    peer.with(|link| (1..=100).for_each(|id| link.queue(down(id))));
    let first = recorder.stream().len();
    assert!(first < 100 && peer.info().window_used <= 1_024, "{first} were sent");
    assert_eq!(peer.post(message(1)), Err(RemoteErrorKind::Busy), "it does not overtake them");
    while recorder.stream().len() < 100 {
        let through = recorder.stream().len() as u64;
        peer.with(|link| link.credit(through));
        assert!(peer.info().window_used <= 1_024);
    }
    let ids: Vec<Header> = recorder.stream().into_iter().map(|(_, header)| header).collect();
    assert_eq!(ids, (1..=100).map(down).collect::<Vec<_>>());
}

#[test]
fn packets_are_prompt_while_little_is_on_the_way_of_a_connection_that_had_credit() {
    let (peer, recorder) = connected(Recorder::default(), 1 << 20);
    let post = |bytes| assert_eq!(peer.post(message(bytes)), Ok(()));
    recorder.priorities();
    post(1);
    assert_eq!(recorder.priorities(), [Priority::Stream], "the network may be full of earlier ones");
    peer.with(|link| link.credit(1));
    post(1);
    assert_eq!(recorder.priorities(), [Priority::Prompt]);
    (0..50).for_each(|_| post(1_000));
    let priorities = recorder.priorities();
    let prompt = priorities.iter().take_while(|priority| **priority == Priority::Prompt).count();
    assert!((25..33).contains(&prompt), "{prompt} of 1,000 bytes");
    assert!(priorities[prompt..].iter().all(|priority| *priority == Priority::Stream));
    peer.with(|link| link.credit(link.out.latest()));
    post(1);
    assert_eq!(recorder.priorities(), [Priority::Prompt]);
    peer.with(|link| (1..=100).for_each(|id| link.queue(Header::Accepted { id })));
    assert_eq!(recorder.priorities(), [Priority::Stream; 100], "many are for the thread of the engine");
    assert!(peer.with(|link| link.end()).is_some());
    peer.with(|link| {
        let transition = link.session.on_hello(Tags { epoch: 2, seen: 2, sequence: 0 }, false);
        assert!(transition.went_up);
        link.after(transition);
    });
    recorder.priorities();
    post(1);
    assert_eq!(recorder.priorities(), [Priority::Stream], "it is another connection");
}

#[test]
fn peer_that_gives_no_credit_is_overrun_and_not_a_leak() {
    let (peer, _) = connected(Recorder::default(), 1_024);
    peer.with(|link| (0..100_000).for_each(|id| link.queue(Header::Accepted { id })));
    assert!(peer.with(|link| link.is_overrun()));
    assert!(peer.with(|link| link.end()).is_some());
    assert!(!peer.with(|link| link.is_overrun()));
}

#[test]
fn long_texts_that_wait_for_credit_overrun_by_their_bytes() {
    let (peer, _) = connected(Recorder::default(), 1_024);
    let refused = |id| Header::Refused { id, outcome: Outcome::Undecodable("x".repeat(4_000)) };
    for _ in 0..3 {
        peer.with(|link| (0..4_000).for_each(|id| link.queue(refused(id))));
        assert!(!peer.with(|link| link.is_overrun()), "what was sent does not count");
        while peer.info().unconfirmed > 0 {
            peer.with(|link| link.credit(link.out.latest()));
        }
    }
    peer.with(|link| (0..5_000).for_each(|id| link.queue(refused(id))));
    assert!(peer.with(|link| link.is_overrun()));
}

#[tokio::test(start_paused = true)]
async fn cast_does_not_overtake_a_sender_that_waits() {
    let (peer, recorder) = connected(Recorder::default(), 1_024);
    assert_eq!(peer.post(message(900)), Ok(()));
    let mut first = waiting_send(peer.clone(), 500);
    assert!(timeout(Duration::from_millis(1), &mut first).await.is_err(), "it waits");
    assert_eq!(peer.post(message(1)), Err(RemoteErrorKind::Busy));
    peer.with(|link| link.credit(1));
    assert_eq!(first.await, Ok(0));
    assert_eq!(peer.post(message(1)), Ok(()));
    assert_eq!(recorder.stream().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn sender_that_gives_up_lets_the_others_go_on() {
    let (peer, _) = connected(Recorder::default(), 1_024);
    assert_eq!(peer.post(message(800)), Ok(()));
    let first = timeout(Duration::from_millis(1), peer.post_when_room(message(500))).await;
    assert!(first.is_err());
    assert_eq!(peer.post(message(1)), Ok(()), "nothing waits any more");
}

#[tokio::test(start_paused = true)]
async fn sender_that_waits_is_told_that_the_connection_is_lost() {
    let (peer, _) = connected(Recorder::default(), 1_024);
    assert_eq!(peer.post(message(900)), Ok(()));
    let waits = peer.when_room((), |link, ()| match link.send(&Header::Cancel { id: 1 }, &[0; 500]) {
        Err(Unsent::Full) => ControlFlow::Continue(()),
        done => ControlFlow::Break(done),
    });
    let mut waits = Box::pin(waits);
    assert!(timeout(Duration::from_millis(1), &mut waits).await.is_err());
    assert!(peer.with(|link| link.end()).is_some());
    assert_eq!(waits.await, Err(Unsent::NoConnection));
}

/// Returns a send that waits for room.
fn waiting_send(
    peer: Arc<Peer>,
    bytes: usize,
) -> std::pin::Pin<Box<dyn Future<Output = Result<u64, RemoteErrorKind>>>> {
    Box::pin(async move { peer.post_when_room(message(bytes)).await })
}
