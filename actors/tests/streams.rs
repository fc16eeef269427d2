//! Streams whose items become messages of an actor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Cx, Poll};

use futures_util::Stream;
use futures_util::stream;
use perennial_actors::{Actor, Address, Context, ExitReason, Reply, StreamHandle, System};
use tokio::sync::mpsc;

enum Msg {
    Number(u32),
    End,
    Attach(Source, Reply<StreamHandle>),
    Seen(Reply<Vec<u32>>),
    Ask(Reply<usize>),
    Fail,
}

/// Yields the numbers that are sent to it, counts its yields, and panics at a zero.
struct Source {
    numbers: mpsc::UnboundedReceiver<u32>,
    yielded: Arc<AtomicUsize>,
    dropped: Option<mpsc::UnboundedSender<()>>,
}

impl Stream for Source {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Option<u32>> {
        self.numbers.poll_recv(cx).map(|number| {
            assert_ne!(number, Some(0), "a zero");
            self.yielded.fetch_add(1, Ordering::Relaxed);
            number
        })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(dropped) = &self.dropped {
            let _ = dropped.send(());
        }
    }
}

struct Reader {
    seen: Vec<u32>,
    yielded: Arc<AtomicUsize>,
}

impl Actor for Reader {
    type Msg = Msg;
    type Args = Option<u32>;

    async fn init(last: &Option<u32>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        if let Some(last) = *last {
            ctx.attach_with_end(stream::iter(1..=last), Msg::Number, Msg::End);
        }
        Ok(Self { seen: Vec::new(), yielded: Arc::default() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Number(number) => {
                tokio::task::yield_now().await;
                self.seen.push(number);
                let ahead = self.yielded.load(Ordering::Relaxed).saturating_sub(self.seen.len());
                assert_eq!(ahead, 0, "the next item was polled before this one was handled");
            }
            Msg::End => self.seen.push(u32::MAX),
            Msg::Attach(source, reply) => {
                self.yielded = source.yielded.clone();
                reply.send(ctx.attach(source, Msg::Number));
            }
            Msg::Seen(reply) => reply.send(self.seen.clone()),
            Msg::Ask(reply) => reply.send(self.seen.len()),
            Msg::Fail => return Err(std::io::Error::other("it fails").into()),
        }
        Ok(())
    }
}

async fn reader(system: &System, last: Option<u32>) -> Address<Msg> {
    system.spawn::<Reader>(last).await.expect("it starts")
}

struct Fed {
    reader: Address<Msg>,
    yielded: Arc<AtomicUsize>,
    numbers: mpsc::UnboundedSender<u32>,
    dropped: mpsc::UnboundedReceiver<()>,
    handle: StreamHandle,
}

/// An actor with a stream attached to it.
async fn fed() -> Fed {
    let system = System::new();
    let reader = reader(&system, None).await;
    let (numbers, source) = mpsc::unbounded_channel();
    let (tell_dropped, dropped) = mpsc::unbounded_channel();
    let yielded = Arc::<AtomicUsize>::default();
    let source = Source { numbers: source, yielded: yielded.clone(), dropped: Some(tell_dropped) };
    let handle = reader.call(|reply| Msg::Attach(source, reply)).await.expect("an answer");
    Fed { reader, yielded, numbers, dropped, handle }
}

/// Asks until the actor has handled so many items. The actor runs during each call.
async fn seen(reader: &Address<Msg>, items: usize) -> Vec<u32> {
    loop {
        let seen = reader.call(Msg::Seen).await.expect("an answer");
        if seen.len() >= items {
            return seen;
        }
    }
}

#[tokio::test]
async fn items_are_handled_in_order_and_then_the_last_message() {
    let system = System::new();
    let reader = reader(&system, Some(500)).await;
    let mut expected: Vec<u32> = (1..=500).collect();
    expected.push(u32::MAX);
    assert_eq!(seen(&reader, 501).await, expected);
    let counters = reader.counters();
    assert_eq!(counters.handled, counters.accepted, "items do not pass through the mailbox");
}

#[tokio::test]
async fn the_next_item_is_polled_when_the_one_before_was_handled() {
    let fed = fed().await;
    (1..=300).for_each(|number| fed.numbers.send(number).expect("it is attached"));
    assert_eq!(seen(&fed.reader, 300).await, (1..=300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_never_ends_does_not_starve_the_mailbox() {
    let system = System::new();
    let reader = reader(&system, Some(u32::MAX)).await;
    let first = reader.call(Msg::Ask).await.expect("an answer");
    let second = reader.call(Msg::Ask).await.expect("an answer");
    assert!(second > first, "and the mailbox does not starve the stream");
    reader.stop(ExitReason::Normal).expect("it lives");
    let _ = reader.monitor().await;
}

#[tokio::test]
async fn an_aborted_stream_is_dropped_and_sends_no_more_messages() {
    let mut fed = fed().await;
    fed.numbers.send(1).expect("it is attached");
    assert_eq!(seen(&fed.reader, 1).await, [1]);
    fed.handle.abort();
    let _ = fed.numbers.send(2);
    fed.dropped.recv().await.expect("the actor is woken to drop it");
    assert_eq!(seen(&fed.reader, 1).await, [1]);
}

#[tokio::test]
async fn a_stream_ends_with_its_incarnation_before_a_monitor_completes() {
    for end in [Msg::Fail, Msg::End] {
        let mut fed = fed().await;
        let monitor = fed.reader.monitor();
        match end {
            Msg::Fail => fed.reader.cast(Msg::Fail).map_err(|_| "full").expect("room"),
            _ => fed.reader.kill().expect("it lives"),
        }
        let _ = monitor.await;
        assert!(fed.dropped.try_recv().is_ok());
        assert!(fed.numbers.send(1).is_err());
    }
}

#[tokio::test]
async fn a_stream_that_panics_ends_the_incarnation_and_loses_no_message() {
    let fed = fed().await;
    let monitor = fed.reader.monitor();
    fed.numbers.send(0).expect("it is attached");
    let ExitReason::Panicked(panic) = monitor.await.reason else { panic!("it panicked") };
    assert!(panic.message.contains("a zero"), "{panic:?}");
    let counters = fed.reader.counters();
    assert_eq!((counters.handled, counters.lost_in_flight), (1, 0));
}

#[tokio::test]
async fn a_stream_is_not_polled_while_its_actor_is_suspended() {
    let fed = fed().await;
    fed.reader.handle().suspend().expect("it lives");
    fed.numbers.send(1).expect("it is attached");
    tokio::task::yield_now().await;
    assert_eq!(fed.yielded.load(Ordering::Relaxed), 0);
    fed.reader.handle().resume().expect("it lives");
    assert_eq!(seen(&fed.reader, 1).await, [1]);
}

#[tokio::test]
async fn an_actor_is_found_by_its_pid_until_its_last_handle_is_dropped() {
    let system = System::new();
    let mut others = Vec::new();
    for _ in 0..40 {
        others.push(reader(&system, None).await);
    }
    let reader = reader(&system, None).await;
    let pid = reader.pid().expect("it lives");
    let found = system.actor(pid).expect("it is there");
    assert_eq!(found.address::<Msg>(), Some(reader.clone()));
    assert_eq!(found.address::<u32>(), None, "it takes other messages");
    reader.stop(ExitReason::Normal).expect("it lives");
    let _ = reader.monitor().await;
    system.settled().await;
    assert_eq!(system.actor(pid), Some(reader.handle()));
    drop((reader, found));
    tokio::task::yield_now().await;
    assert_eq!(system.actor(pid), None);
}
