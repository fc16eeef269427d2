//! Two sides of a handshake, over a network that loses, delays and reorders packets of all times.

use proptest::prelude::*;

use crate::session::{Session, Transition};
use crate::wire::Tags;

/// A packet between the two sides.
#[derive(Clone, Copy, Debug)]
struct Sent {
    tags: Tags,
    /// A hello that wants an answer or not; none for another packet.
    hello: Option<bool>,
    /// The connection that it was sent in, if it was sent in one.
    connection: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// A side sends a packet if it is up, and a hello otherwise.
    Send(usize),
    /// One of the packets to a side arrives; it may arrive again.
    Deliver(usize, usize),
    /// One of the packets to a side is lost.
    Lose(usize, usize),
    /// A side gives the connection up.
    GiveUp(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..2).prop_map(Step::Send),
        8 => (0usize..2, any::<usize>()).prop_map(|(side, which)| Step::Deliver(side, which)),
        2 => (0usize..2, any::<usize>()).prop_map(|(side, which)| Step::Lose(side, which)),
        1 => (0usize..2).prop_map(Step::GiveUp),
    ];
    prop::collection::vec(step, 0..150)
}

struct Pair {
    sides: [Session; 2],
    /// The packets that are on the way to each side.
    to: [Vec<Sent>; 2],
}

impl Pair {
    fn new() -> Self {
        Self { sides: [Session::new(1), Session::new(1)], to: [Vec::new(), Vec::new()] }
    }

    fn send(&mut self, side: usize) {
        let tags = self.sides[side].tags(0);
        let is_up = self.sides[side].is_up();
        let hello = self.sides[side].wants_hello().then_some(true);
        let connection = is_up.then_some((tags.epoch, tags.seen));
        self.to[1 - side].push(Sent { tags, hello, connection });
    }

    fn deliver(&mut self, side: usize, packet: Sent) -> Transition {
        let was_up = self.sides[side].is_up();
        let transition = match packet.hello {
            Some(wants_answer) => self.sides[side].on_hello(packet.tags, wants_answer),
            None => self.sides[side].on_packet(packet.tags),
        };
        assert!(!transition.went_down || was_up, "down without up");
        assert_eq!(
            self.sides[side].is_up(),
            transition.went_up || (was_up && !transition.went_down),
            "up and down alternate"
        );
        if transition.must_answer {
            let tags = self.sides[side].tags(0);
            let hello = Some(self.sides[side].wants_hello());
            self.to[1 - side].push(Sent { tags, hello, connection: None });
        }
        transition
    }
}

proptest! {
    #[test]
    fn packet_is_admitted_only_in_its_own_connection_and_quiet_sides_connect(steps in steps()) {
        let mut pair = Pair::new();
        for step in steps {
            match step {
                Step::Send(side) => pair.send(side),
                Step::Deliver(side, which) if !pair.to[side].is_empty() => {
                    let packet = pair.to[side][which % pair.to[side].len()];
                    let transition = pair.deliver(side, packet);
                    if let (true, Some((theirs, mine))) = (transition.is_admitted, packet.connection) {
                        let now = pair.sides[side].tags(0);
                        prop_assert_eq!((now.epoch, now.seen), (mine, theirs));
                        prop_assert!(pair.sides[side].is_up());
                    }
                }
                Step::Lose(side, which) if !pair.to[side].is_empty() => {
                    let which = which % pair.to[side].len();
                    pair.to[side].remove(which);
                }
                Step::GiveUp(side) => drop(pair.sides[side].end()),
                Step::Deliver(..) | Step::Lose(..) => {}
            }
        }
        // The network is quiet from now on: what is on the way is lost, and each side that is not
        // up repeats its hello. A side that is up notices silence only by giving up, so both do.
        pair.to = [Vec::new(), Vec::new()];
        for round in 0..5 {
            for side in 0..2 {
                if round == 0 && pair.sides[side].is_up() && !pair.sides[1 - side].is_up() {
                    pair.sides[side].end();
                }
                if pair.sides[side].wants_hello() {
                    pair.send(side);
                }
                for to in [1 - side, side] {
                    for packet in std::mem::take(&mut pair.to[to]) {
                        pair.deliver(to, packet);
                    }
                }
            }
        }
        let (a, b) = (pair.sides[0].tags(0), pair.sides[1].tags(0));
        prop_assert!(pair.sides.iter().all(Session::is_up), "{:?}", pair.sides);
        prop_assert!(!pair.sides.iter().any(Session::wants_hello), "each has the account of the other");
        prop_assert_eq!((a.epoch, a.seen), (b.seen, b.epoch));
        prop_assert!(pair.to.iter().all(Vec::is_empty), "the handshake ends");
    }
}

#[test]
fn side_that_lost_the_last_hello_is_connected_by_the_first_packet() {
    let (mut a, mut b) = (Session::new(1), Session::new(1));
    let hello = a.tags(0);
    assert!(b.on_hello(hello, true).must_answer);
    assert!(a.on_hello(b.tags(0), true).went_up);
    // The hello that a sends now is lost; its first message is not.
    let first = b.on_packet(a.tags(1));
    assert!(first.is_admitted && first.went_up && first.must_answer);
}

#[test]
fn hello_of_an_earlier_connection_is_not_admitted() {
    let mut side = Session::new(1);
    assert!(side.on_hello(Tags { epoch: 3, seen: 1, sequence: 0 }, false).is_admitted);
    for stale in [Tags { epoch: 2, seen: 1, sequence: 0 }, Tags { epoch: 3, seen: 0, sequence: 0 }] {
        assert!(!side.on_hello(stale, true).is_admitted, "{stale:?}");
        assert!(side.is_up());
    }
}

#[test]
fn side_that_is_connected_by_a_packet_asks_for_the_hello_that_is_lost() {
    let mut side = Session::new(1);
    side.on_hello(Tags { epoch: 1, seen: 0, sequence: 0 }, true);
    assert!(side.on_packet(Tags { epoch: 1, seen: 1, sequence: 1 }).went_up);
    assert!(side.is_up() && side.wants_hello());
    assert!(side.on_hello(Tags { epoch: 1, seen: 1, sequence: 0 }, false).is_admitted);
    assert!(!side.wants_hello());
}

#[test]
fn side_that_was_forgotten_begins_after_the_epoch_that_the_peer_knows() {
    let (mut kept, mut anew) = (Session::new(1), Session::new(1));
    kept.on_hello(Tags { epoch: 9, seen: 1, sequence: 0 }, false);
    assert!(kept.is_up() && kept.end());
    assert!(!kept.on_hello(anew.tags(0), true).must_answer, "an epoch that is over");
    assert!(anew.on_hello(kept.tags(0), true).must_answer);
    assert_eq!(anew.tags(0).epoch, 10);
    assert!(kept.on_hello(anew.tags(0), true).went_up);
    assert!(anew.on_hello(kept.tags(0), false).went_up);
}

#[test]
fn epochs_that_no_side_reaches_are_malformed() {
    let mut side = Session::new(1);
    for (epoch, seen) in [(u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(side.on_hello(Tags { epoch, seen, sequence: 0 }, true), Transition::default());
    }
    side.end();
    assert_eq!(side.tags(0).epoch, 2);
}
