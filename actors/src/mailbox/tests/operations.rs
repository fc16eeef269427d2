//! The operations on a mailbox, and how often each of them comes in a trace.

use proptest::prelude::*;
use proptest::strategy::Union;

use super::checked::failed;
use crate::exit::ExitReason;
use crate::mailbox::Interest;

/// The caller of an operation: the latest incarnation, or the previous one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    Latest,
    Previous,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Push,
    PushOrWait,
    /// Polls one of the tickets, counted back from the latest.
    PollTicket(usize),
    CancelTicket(usize),
    /// Casts a message, as the overflow policy says.
    Cast,
    /// Does the same in two steps: reserves a place first.
    CastWithPermit,
    Reserve,
    ReserveOrWait,
    PollPermit(usize),
    CancelReserve(usize),
    /// Uses a reserved place.
    SendReserved,
    ReleasePermit,
    Next(Caller),
    /// Takes the next message as an actor does: several at once, while no handler awaits.
    NextTaken,
    Ack(Caller),
    ParkInHandler(Caller, Interest),
    Stop,
    Kill,
    MarkEnding(Caller),
    Detach(Caller, Reason),
    /// Takes the mailbox away from an incarnation that keeps what it has taken.
    Abandon,
    Close(Reason),
    Open,
    Attach,
    /// Reads the outcome of every message so far.
    Outcomes,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Normal,
    Failed,
}

impl Reason {
    pub(super) fn reason(self) -> ExitReason {
        match self {
            Self::Normal => ExitReason::Normal,
            Self::Failed => failed(),
        }
    }
}

fn caller() -> impl Strategy<Value = Caller> {
    prop_oneof![4 => Just(Caller::Latest), 1 => Just(Caller::Previous)]
}

fn reason() -> impl Strategy<Value = Reason> {
    prop_oneof![Just(Reason::Normal), Just(Reason::Failed)]
}

fn interest() -> impl Strategy<Value = Interest> {
    prop_oneof![Just(Interest::Kill), Just(Interest::Signals)]
}

/// Generates mostly messages. Ends are rare enough that messages have come together before them.
pub(super) fn op() -> Union<BoxedStrategy<Op>> {
    prop_oneof![
        15 => Just(Op::Push).boxed(),
        15 => Just(Op::Cast).boxed(),
        4 => Just(Op::CastWithPermit).boxed(),
        6 => Just(Op::Reserve).boxed(),
        6 => Just(Op::ReserveOrWait).boxed(),
        5 => (0..3_usize).prop_map(Op::PollPermit).boxed(),
        2 => (0..3_usize).prop_map(Op::CancelReserve).boxed(),
        12 => Just(Op::SendReserved).boxed(),
        4 => Just(Op::ReleasePermit).boxed(),
        10 => Just(Op::PushOrWait).boxed(),
        8 => (0..3_usize).prop_map(Op::PollTicket).boxed(),
        3 => (0..3_usize).prop_map(Op::CancelTicket).boxed(),
        30 => caller().prop_map(Op::Next).boxed(),
        30 => Just(Op::NextTaken).boxed(),
        2 => Just(Op::Abandon).boxed(),
        3 => caller().prop_map(Op::Ack).boxed(),
        4 => (caller(), interest()).prop_map(|(caller, interest)| Op::ParkInHandler(caller, interest)).boxed(),
        3 => Just(Op::Stop).boxed(),
        1 => Just(Op::Kill).boxed(),
        2 => caller().prop_map(Op::MarkEnding).boxed(),
        4 => (caller(), reason()).prop_map(|(caller, reason)| Op::Detach(caller, reason)).boxed(),
        1 => reason().prop_map(Op::Close).boxed(),
        3 => Just(Op::Open).boxed(),
        6 => Just(Op::Attach).boxed(),
        3 => Just(Op::Outcomes).boxed(),
    ]
}
