//! The mailbox against the [reference](super::reference): after any sequence of operations, both
//! agree.

use proptest::prelude::*;

use super::checked::{Checked, Got, WakeCounter, accounts, bounded};
use super::operations::{Caller, Op, op};
use super::reference::{DetachResult, Reference, Rules};
use super::reference_capacity::NEVER_MADE;
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, AttachRefused, DetachEffects, Interest, OverflowPolicy, PushError, Taken};

/// The mailbox, its reference, and their results.
struct Pair<'a> {
    queue: &'a Checked,
    /// The messages that the latest incarnation has taken.
    taken: Option<Taken<'a, u32>>,
    /// The same of abandoned incarnations.
    abandoned: Vec<Taken<'a, u32>>,
    reference: Reference,
    next_message: u32,
    tickets: Vec<u64>,
    permit_tickets: Vec<u64>,
    /// The number of reserved places that were granted to the test.
    permits: usize,
}

fn mailbox(rules: Rules) -> Checked {
    let settings = bounded(rules.capacity).overflow(rules.overflow);
    Checked::new(if rules.discard { settings.discard_on_restart() } else { settings })
}

impl<'a> Pair<'a> {
    fn new(queue: &'a Checked, rules: Rules) -> Self {
        let mut pair = Self {
            queue,
            taken: None,
            abandoned: Vec::new(),
            reference: Reference::new(rules),
            next_message: 0,
            tickets: Vec::new(),
            permit_tickets: Vec::new(),
            permits: 0,
        };
        pair.act(Op::Open);
        pair.act(Op::Attach);
        pair
    }

    fn incarnation(&self, caller: Caller) -> u32 {
        match caller {
            Caller::Latest => self.reference.latest_incarnation(),
            // The first incarnation has no previous one.
            Caller::Previous => (self.reference.latest_incarnation() - 1).max(1),
        }
    }

    fn message(&mut self) -> u32 {
        self.next_message += 1;
        self.next_message
    }

    /// Applies an operation to both.
    fn act(&mut self, op: Op) {
        let parked_on = self.reference.parked_on;
        let (wake_count, accepted) = (self.queue.wake_count(), self.reference.accepted());
        match op {
            Op::Push | Op::Cast | Op::PushOrWait | Op::PollTicket(_) | Op::CancelTicket(_) => self.send(op),
            Op::Reserve | Op::ReserveOrWait | Op::PollPermit(_) | Op::CancelReserve(_) => self.reserve(op),
            Op::CastWithPermit | Op::SendReserved | Op::ReleasePermit => self.use_permit(op),
            Op::NextTaken => self.next_taken(),
            Op::Next(_) | Op::Ack(_) | Op::ParkInHandler(..) | Op::MarkEnding(_) => self.consume(op),
            Op::Stop | Op::Kill | Op::Outcomes => self.signal(op),
            Op::Detach(..) | Op::Abandon | Op::Close(_) | Op::Open | Op::Attach => self.own(op),
        }
        let must_wake = match op {
            Op::Push
            | Op::Cast
            | Op::PushOrWait
            | Op::CancelReserve(_)
            | Op::SendReserved
            | Op::ReleasePermit => {
                parked_on >= Some(Interest::Messages) && self.reference.accepted() > accepted
            }
            Op::Stop => parked_on >= Some(Interest::Signals),
            Op::Kill => parked_on >= Some(Interest::Kill),
            _ => false,
        };
        if must_wake {
            assert!(
                self.queue.wake_count() > wake_count,
                "{op:?} did not wake a consumer that was parked on {parked_on:?}"
            );
            self.reference.parked_on = None;
        }
        self.check();
    }

    fn send(&mut self, op: Op) {
        let (queue, reference) = (self.queue, &mut self.reference);
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
            Op::PushOrWait => {
                let message = self.message();
                let waiting = self.queue.push_or_wait(message, &WakeCounter::new().1);
                assert_eq!(waiting, self.reference.push_or_wait(message));
                self.tickets.extend(waiting.ok().and_then(Result::err));
            }
            Op::PollTicket(back) => {
                if let Some(ticket) = ticket(back) {
                    assert_eq!(queue.ticket_outcome(ticket), reference.ticket_outcome(ticket));
                }
            }
            Op::CancelTicket(back) => {
                if let Some(ticket) = ticket(back) {
                    assert_eq!(queue.cancel_ticket(ticket), reference.cancel_ticket(ticket));
                }
            }
            _ => {}
        }
    }

    fn reserve(&mut self, op: Op) {
        let ticket = |back: usize| self.permit_tickets.iter().rev().nth(back).copied();
        match op {
            Op::Reserve => {
                let reserved = self.queue.try_reserve();
                let granted = (!matches!(reserved, Err(PushError::Closed(())))).then_some(reserved.is_ok());
                assert_eq!(granted, self.reference.reserve());
                self.permits += usize::from(reserved.is_ok());
            }
            Op::ReserveOrWait => {
                let waiting = self.queue.reserve_or_wait(|| false, &WakeCounter::new().1).ok();
                assert_eq!(waiting, self.reference.reserve_or_wait());
                self.permits += usize::from(waiting == Some(Ok(())));
                self.permit_tickets.extend(waiting.and_then(Result::err));
            }
            Op::PollPermit(back) => {
                if let Some(ticket) = ticket(back) {
                    let granted = self.queue.permit_outcome(ticket);
                    assert_eq!(granted, self.reference.permit_outcome(ticket));
                    self.permits += usize::from(granted == Some(true));
                }
            }
            Op::CancelReserve(back) => {
                if let Some(ticket) = ticket(back) {
                    self.queue.cancel_reserve(ticket);
                    self.reference.cancel_reserve(ticket);
                }
            }
            _ => {}
        }
    }

    fn use_permit(&mut self, op: Op) {
        match op {
            Op::CastWithPermit => {
                let made = self.queue.cast_with_permit();
                self.permits += usize::from(matches!(made, Ok(Some(_))));
                assert_eq!(format!("{made:?}"), format!("{:?}", self.reference.cast_with_permit()));
            }
            Op::SendReserved if self.permits > 0 => {
                self.permits -= 1;
                let message = self.message();
                assert_eq!(self.queue.send_reserved(message), self.reference.send_reserved(message));
            }
            Op::ReleasePermit if self.permits > 0 => {
                self.permits -= 1;
                self.queue.release_permit();
                self.reference.release_permit();
            }
            _ => {}
        }
    }

    fn next_taken(&mut self) {
        let Some(incarnation) = self.reference.attached_incarnation() else { return };
        let taken = self.taken.get_or_insert_with(|| Taken::new(self.queue, incarnation));
        let next = taken.next();
        // The messages that were taken with it are handled before senders are admitted.
        let expected = match next {
            Some(_) => self.reference.next_taken(incarnation),
            None => self.reference.next(incarnation),
        };
        assert_eq!(next.map_or_else(|| self.queue.poll_taken(taken), Got::Message), expected);
        let others = self.abandoned.iter_mut().map(Taken::next);
        assert!(others.into_iter().all(|next| next.is_none()), "an abandoned incarnation goes on");
    }

    /// Returns what the latest incarnation has taken, as it does before any other operation.
    fn put_back(&mut self) {
        self.taken.iter_mut().for_each(Taken::handler_awaits);
    }

    fn consume(&mut self, op: Op) {
        self.put_back();
        match op {
            Op::Next(caller) => {
                let incarnation = self.incarnation(caller);
                assert_eq!(self.queue.next(incarnation), self.reference.next(incarnation));
            }
            Op::Ack(caller) => {
                let incarnation = self.incarnation(caller);
                self.queue.ack(incarnation);
                self.reference.ack(incarnation);
                self.reference.admit();
            }
            Op::ParkInHandler(caller, interest) => {
                let incarnation = self.incarnation(caller);
                let inside = self.queue.inside(incarnation, interest);
                assert_eq!(inside, self.reference.inside(incarnation, interest));
            }
            Op::MarkEnding(caller) => {
                let incarnation = self.incarnation(caller);
                self.queue.mark_ending(incarnation);
                self.reference.mark_ending(incarnation);
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
            Op::Outcomes => {
                for sequence in 1..=self.reference.accepted() {
                    assert_eq!(self.queue.outcome(sequence), self.reference.outcome(sequence), "{sequence}");
                }
            }
            _ => {}
        }
    }

    fn own(&mut self, op: Op) {
        match op {
            Op::Detach(caller, reason) => {
                self.taken = None;
                let (incarnation, reason) = (self.incarnation(caller), reason.reason());
                let effects = self.queue.detach(incarnation, &reason).map(detach_result);
                assert_eq!(effects, self.reference.detach(incarnation, &reason, 0));
            }
            Op::Abandon => {
                let behind = self.abandon();
                let (incarnation, reason) = (self.incarnation(Caller::Latest), ExitReason::Killed);
                let effects = self.queue.detach(incarnation, &reason).map(detach_result);
                assert_eq!(effects, self.reference.detach(incarnation, &reason, behind));
            }
            Op::Close(reason) => {
                let behind = self.abandon();
                let effects = self.queue.close(&reason.reason()).map(detach_result);
                assert_eq!(effects, self.reference.close(&reason.reason(), behind));
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

    /// Leaves the latest incarnation what it has taken. Returns how many messages that is.
    fn abandon(&mut self) -> usize {
        let taken = self.taken.take();
        let behind = taken.as_ref().map_or(0, Taken::len);
        self.abandoned.extend(taken);
        behind
    }

    fn check(&self) {
        self.queue.check();
        assert_eq!(accounts(self.queue), self.reference.accounts());
        assert_eq!(self.queue.attached_incarnation(), self.reference.attached_incarnation());
        let handled = self.reference.handled();
        assert!(handled.is_sorted_by(|a, b| a < b), "out of order: {handled:?}");
        let mut all_messages = self.reference.all_messages();
        assert_eq!(all_messages.len() as u64, self.reference.total_accepted(), "lost");
        all_messages.sort_unstable();
        assert!(all_messages.windows(2).all(|two| two[0] != two[1] || two[0] == NEVER_MADE), "duplicated");
    }
}

fn detach_result(effects: DetachEffects<u32>) -> DetachResult {
    DetachResult { lost_in_flight: effects.lost_in_flight, dead: effects.dead }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mailbox_does_what_the_reference_does(
        capacity in prop_oneof![1..6_usize, 12..16_usize],
        discard in any::<bool>(),
        overflow in prop_oneof![
            Just(OverflowPolicy::Reject),
            Just(OverflowPolicy::DropNewest),
            Just(OverflowPolicy::DropOldest),
        ],
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let rules = Rules { capacity, discard, overflow };
        let queue = mailbox(rules);
        let mut pair = Pair::new(&queue, rules);
        ops.into_iter().for_each(|op| pair.act(op));
        pair.act(Op::Outcomes);
    }
}
