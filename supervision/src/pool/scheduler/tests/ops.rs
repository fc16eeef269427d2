//! Random operations on the scheduler.

use proptest::prelude::*;

use super::model::{KINDS, KindLimit};
use crate::pool::scheduler::priority_queue::Target;

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Submit {
        priority: u8,
        target: Target,
        expires_in: Option<u64>,
        delay: Option<u64>,
        kind: Option<usize>,
    },
    /// A woken worker leases a job; if none was woken, this worker does.
    Lease(usize),
    Done(usize),
    /// An attempt succeeds, and its worker leases the next job in the same step.
    Exchange(usize),
    /// An attempt fails and is retried, at once or later.
    Fail(usize, Option<u64>),
    /// A worker crashes; its job is retried.
    Crash(usize),
    /// The next incarnation starts.
    Start(usize),
    /// An ended incarnation calls every function.
    OldIncarnation(usize),
    Open(usize, bool),
    /// A worker becomes ready or unready.
    Ready(usize, bool),
    /// The next incarnation declines to start, or a decline of the current one is reported.
    Decline(usize),
    Pause(bool),
    Cancel(u64),
    Clear,
    Advance(u64),
    /// The limit of a kind changes.
    LimitKind(usize, Option<KindLimit>),
    /// Every woken worker runs.
    FinishAll,
}

pub(super) const SLOTS: usize = 4;

/// Returns the strategy of one operation.
pub(super) fn op() -> impl Strategy<Value = Op> {
    let slot = || 0..SLOTS;
    let target = prop_oneof![
        6 => Just(Target::Any),
        2 => slot().prop_map(Target::Slot),
        2 => (0..6_u64).prop_map(Target::Key),
        1 => slot().prop_map(Target::Pinned),
    ];
    let submit = (0..3_u8, target, prop::option::weighted(0.2, 0..30_u64));
    let submit = (submit, prop::option::weighted(0.2, 0..20_u64), prop::option::of(0..KINDS));
    let limit = prop::option::weighted(0.9, (1..4_u32, 1..40_u64, prop::option::of(1..4_u32)));
    prop_oneof![
        6 => submit.prop_map(|((priority, target, expires_in), delay, kind)| {
            Op::Submit { priority, target, expires_in, delay, kind }
        }),
        6 => slot().prop_map(Op::Lease),
        4 => slot().prop_map(Op::Done),
        4 => slot().prop_map(Op::Exchange),
        2 => (slot(), prop::option::of(0..20_u64)).prop_map(|(slot, delay)| Op::Fail(slot, delay)),
        2 => slot().prop_map(Op::Crash),
        3 => slot().prop_map(Op::Start),
        1 => slot().prop_map(Op::OldIncarnation),
        1 => (slot(), any::<bool>()).prop_map(|(slot, open)| Op::Open(slot, open)),
        2 => (slot(), any::<bool>()).prop_map(|(slot, ready)| Op::Ready(slot, ready)),
        1 => slot().prop_map(Op::Decline),
        1 => prop::bool::weighted(0.3).prop_map(Op::Pause),
        1 => (0..100_u64).prop_map(Op::Cancel),
        1 => prop::bool::weighted(0.1).prop_map(|clear| if clear { Op::Clear } else { Op::FinishAll }),
        3 => (0..15_u64).prop_map(Op::Advance),
        1 => Just(Op::FinishAll),
        1 => (0..KINDS, limit).prop_map(|(kind, limit)| Op::LimitKind(kind, limit)),
    ]
}
