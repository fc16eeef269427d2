//! The mailbox against the [reference](super::reference): whatever is done to it, in whatever order, both say the same.

use proptest::prelude::*;
use proptest::strategy::Union;

use super::checked::{Bell, Checked, accounts, bounded, failed};
use super::reference::{Reference, Remains, Rules};
use super::reference_room::NEVER_MADE;
use crate::exit::ExitReason;
use crate::mailbox::{AttachRefused, DetachEffects, Interest, OverflowPolicy, PushError};

/// Who does something: the incarnation that serves, or one that was there before.
#[derive(Clone, Copy, Debug)]
enum Who {
    Newest,
    Old,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push,
    Join,
    /// Asks for one of the tickets, counted from the newest.
    Ask(usize),
    Leave(usize),
    /// Casts a message, and drops another if it is set so.
    Cast,
    /// The same in two steps: takes a place first.
    CastPlace,
    Reserve,
    JoinForPlace,
    AskPlace(usize),
    LeavePlace(usize),
    /// Uses a place that is kept.
    Fill,
    GiveBack,
    Next(Who),
    Settle(Who),
    SleepInside(Who, Interest),
    Stop,
    Kill,
    BeginEnd(Who),
    Detach(Who, Why),
    Close(Why),
    Open,
    Attach,
    /// Asks for the fate of every message so far.
    Fates,
}

#[derive(Clone, Copy, Debug)]
enum Why {
    Normal,
    Failed,
}

impl Why {
    fn reason(self) -> ExitReason {
        match self {
            Self::Normal => ExitReason::Normal,
            Self::Failed => failed(),
        }
    }
}

/// Both, and what they were given.
struct Pair {
    queue: Checked,
    reference: Reference,
    next_message: u32,
    tickets: Vec<u64>,
    place_tickets: Vec<u64>,
    /// How many places are kept for us, and we know it.
    permits: usize,
}

impl Pair {
    fn new(rules: Rules) -> Self {
        let settings = bounded(rules.capacity);
        let settings = settings.overflow(rules.overflow);
        let settings = if rules.discard { settings.discard_on_restart() } else { settings };
        let mut pair = Self {
            queue: Checked::new(settings),
            reference: Reference::new(rules),
            next_message: 0,
            tickets: Vec::new(),
            place_tickets: Vec::new(),
            permits: 0,
        };
        pair.act(Op::Open);
        pair.act(Op::Attach);
        pair
    }

    fn incarnation(&self, who: Who) -> u32 {
        match who {
            Who::Newest => self.reference.newest(),
            // The first has none before it.
            Who::Old => (self.reference.newest() - 1).max(1),
        }
    }

    fn message(&mut self) -> u32 {
        self.next_message += 1;
        self.next_message
    }

    /// Does the same to both.
    fn act(&mut self, op: Op) {
        let slept = self.reference.asleep;
        let (rung, accepted) = (self.queue.rung(), self.reference.accepted());
        match op {
            Op::Push | Op::Cast | Op::Join | Op::Ask(_) | Op::Leave(_) => self.send(op),
            Op::Reserve | Op::JoinForPlace | Op::AskPlace(_) | Op::LeavePlace(_) => self.reserve(op),
            Op::CastPlace | Op::Fill | Op::GiveBack => self.use_place(op),
            Op::Next(_) | Op::Settle(_) | Op::SleepInside(..) | Op::BeginEnd(_) => self.consume(op),
            Op::Stop | Op::Kill | Op::Fates => self.signal(op),
            Op::Detach(..) | Op::Close(_) | Op::Open | Op::Attach => self.own(op),
        }
        let roused = match op {
            Op::Push | Op::Cast | Op::Join | Op::LeavePlace(_) | Op::Fill | Op::GiveBack => {
                slept >= Some(Interest::Messages) && self.reference.accepted() > accepted
            }
            Op::Stop => slept >= Some(Interest::Signals),
            Op::Kill => slept >= Some(Interest::Kill),
            _ => false,
        };
        if roused {
            assert!(self.queue.rung() > rung, "{op:?} did not wake a consumer that slept over {slept:?}");
            self.reference.asleep = None;
        }
        self.check();
    }

    fn send(&mut self, op: Op) {
        let (queue, reference) = (&self.queue, &mut self.reference);
        let ticket = |back: usize| self.tickets.iter().rev().nth(back).copied();
        match op {
            Op::Push => {
                let message = self.message();
                assert_eq!(self.queue.push(message), self.reference.push(message));
            }
            Op::Cast => {
                let message = self.message();
                assert_eq!(self.queue.cast(message), self.reference.cast(message));
            }
            Op::Join => {
                let message = self.message();
                let joined = self.queue.join(message, &Bell::new().1);
                assert_eq!(joined, self.reference.join(message));
                self.tickets.extend(joined.ok().and_then(Result::err));
            }
            Op::Ask(back) => {
                if let Some(ticket) = ticket(back) {
                    assert_eq!(queue.ask(ticket), reference.ask(ticket));
                }
            }
            Op::Leave(back) => {
                if let Some(ticket) = ticket(back) {
                    assert_eq!(queue.leave(ticket), reference.leave(ticket));
                }
            }
            _ => {}
        }
    }

    fn reserve(&mut self, op: Op) {
        let ticket = |back: usize| self.place_tickets.iter().rev().nth(back).copied();
        match op {
            Op::Reserve => {
                let reserved = self.queue.try_reserve();
                let kept = (!matches!(reserved, Err(PushError::Closed(())))).then_some(reserved.is_ok());
                assert_eq!(kept, self.reference.reserve());
                self.permits += usize::from(reserved.is_ok());
            }
            Op::JoinForPlace => {
                let joined = self.queue.reserve_or_join(|| false, &Bell::new().1).ok();
                assert_eq!(joined, self.reference.join_for_place());
                self.permits += usize::from(joined == Some(Ok(())));
                self.place_tickets.extend(joined.and_then(Result::err));
            }
            Op::AskPlace(back) => {
                if let Some(ticket) = ticket(back) {
                    let kept = self.queue.ask_place(ticket);
                    assert_eq!(kept, self.reference.ask_place(ticket));
                    self.permits += usize::from(kept == Some(true));
                }
            }
            Op::LeavePlace(back) => {
                if let Some(ticket) = ticket(back) {
                    self.queue.cancel_reserve(ticket);
                    self.reference.leave_place(ticket);
                }
            }
            _ => {}
        }
    }

    fn use_place(&mut self, op: Op) {
        match op {
            Op::CastPlace => {
                let made = self.queue.cast_place();
                self.permits += usize::from(matches!(made, Ok(Some(_))));
                assert_eq!(format!("{made:?}"), format!("{:?}", self.reference.cast_place()));
            }
            Op::Fill if self.permits > 0 => {
                self.permits -= 1;
                let message = self.message();
                assert_eq!(self.queue.send_reserved(message), self.reference.fill(message));
            }
            Op::GiveBack if self.permits > 0 => {
                self.permits -= 1;
                self.queue.release_permit();
                self.reference.give_back();
            }
            _ => {}
        }
    }

    fn consume(&mut self, op: Op) {
        match op {
            Op::Next(who) => {
                let incarnation = self.incarnation(who);
                assert_eq!(self.queue.next(incarnation), self.reference.next(incarnation));
            }
            Op::Settle(who) => {
                let incarnation = self.incarnation(who);
                self.queue.ack(incarnation);
                self.reference.settle(incarnation);
            }
            Op::SleepInside(who, interest) => {
                let incarnation = self.incarnation(who);
                let inside = self.queue.sleep_inside(incarnation, interest);
                assert_eq!(inside, self.reference.sleep_inside(incarnation, interest));
            }
            Op::BeginEnd(who) => {
                let incarnation = self.incarnation(who);
                self.queue.mark_ending(incarnation);
                self.reference.begin_end(incarnation);
            }
            _ => {}
        }
    }

    fn signal(&mut self, op: Op) {
        match op {
            Op::Stop => {
                let note = self.message().to_string();
                assert_eq!(self.queue.stop(&note), self.reference.stop(&note));
            }
            Op::Kill => assert_eq!(self.queue.kill(), self.reference.kill()),
            Op::Fates => {
                for sequence in 1..=self.reference.accepted() {
                    assert_eq!(self.queue.became(sequence), self.reference.became(sequence), "{sequence}");
                }
            }
            _ => {}
        }
    }

    fn own(&mut self, op: Op) {
        match op {
            Op::Detach(who, why) => {
                let (incarnation, reason) = (self.incarnation(who), why.reason());
                let leftover = self.queue.detach(incarnation, &reason).map(remains);
                assert_eq!(leftover, self.reference.detach(incarnation, &reason));
            }
            Op::Close(why) => {
                let leftover = self.queue.close(&why.reason()).map(remains);
                assert_eq!(leftover, self.reference.close(&why.reason()));
            }
            Op::Open => {
                self.queue.open();
                self.reference.open();
            }
            Op::Attach => {
                let attached = self.queue.attach();
                assert_eq!(attached.ok(), self.reference.attach());
                assert_eq!(attached == Err(AttachRefused::Closed), self.queue.is_closed());
            }
            _ => {}
        }
    }

    fn check(&self) {
        self.queue.check();
        assert_eq!(accounts(&self.queue), self.reference.accounts());
        assert_eq!(self.queue.served_by(), self.reference.serves());
        let handled = self.reference.handled();
        assert!(handled.is_sorted_by(|a, b| a < b), "out of order: {handled:?}");
        let mut everywhere = self.reference.everywhere();
        assert_eq!(everywhere.len() as u64, self.reference.taken(), "lost");
        everywhere.sort_unstable();
        assert!(everywhere.windows(2).all(|two| two[0] != two[1] || two[0] == NEVER_MADE), "doubled");
    }
}

fn remains(leftover: DetachEffects<u32>) -> Remains {
    Remains { lost_in_flight: leftover.lost_in_flight, dead: leftover.dead.into() }
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![4 => Just(Who::Newest), 1 => Just(Who::Old)]
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![Just(Why::Normal), Just(Why::Failed)]
}

fn interest() -> impl Strategy<Value = Interest> {
    prop_oneof![Just(Interest::Kill), Just(Interest::Signals)]
}

/// Mostly messages; ends seldom enough that something has come together when they strike.
fn op() -> Union<BoxedStrategy<Op>> {
    prop_oneof![
        15 => Just(Op::Push).boxed(),
        15 => Just(Op::Cast).boxed(),
        4 => Just(Op::CastPlace).boxed(),
        6 => Just(Op::Reserve).boxed(),
        6 => Just(Op::JoinForPlace).boxed(),
        5 => (0..3_usize).prop_map(Op::AskPlace).boxed(),
        2 => (0..3_usize).prop_map(Op::LeavePlace).boxed(),
        12 => Just(Op::Fill).boxed(),
        4 => Just(Op::GiveBack).boxed(),
        10 => Just(Op::Join).boxed(),
        8 => (0..3_usize).prop_map(Op::Ask).boxed(),
        3 => (0..3_usize).prop_map(Op::Leave).boxed(),
        30 => who().prop_map(Op::Next).boxed(),
        3 => who().prop_map(Op::Settle).boxed(),
        4 => (who(), interest()).prop_map(|(who, interest)| Op::SleepInside(who, interest)).boxed(),
        3 => Just(Op::Stop).boxed(),
        1 => Just(Op::Kill).boxed(),
        2 => who().prop_map(Op::BeginEnd).boxed(),
        4 => (who(), why()).prop_map(|(who, why)| Op::Detach(who, why)).boxed(),
        1 => why().prop_map(Op::Close).boxed(),
        3 => Just(Op::Open).boxed(),
        6 => Just(Op::Attach).boxed(),
        3 => Just(Op::Fates).boxed(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mailbox_does_what_the_reference_does(
        capacity in 1..6_usize,
        discard in any::<bool>(),
        overflow in prop_oneof![
            Just(OverflowPolicy::Reject),
            Just(OverflowPolicy::DropNewest),
            Just(OverflowPolicy::DropOldest),
        ],
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let mut pair = Pair::new(Rules { capacity, discard, overflow });
        ops.into_iter().for_each(|op| pair.act(op));
        pair.act(Op::Fates);
    }
}
