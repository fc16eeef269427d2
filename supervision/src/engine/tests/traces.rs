//! The engine in a [simulation](super::random_sim) of random events, which checks the guarantees.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use proptest::prelude::*;
use proptest::sample::select;

use super::random_sim::RandomSim;
use super::tasks::Outcome;
use crate::engine::{Event, Policy, Request, Target};
use crate::policy::{
    AutoShutdown, Backoff, ChildKind, ChildPolicy, Intensity, Liveness, ProbePolicy, Restart,
    RestartCondition, Shutdown, StartLimit, Strategy as Among, SupervisorKind,
};

const SECOND: Duration = Duration::from_secs(1);

/// An event of a trace.
#[derive(Clone, Debug)]
enum Op {
    /// A pending task completes with this outcome.
    Answer(usize, Outcome),
    /// A running child exits by itself.
    Crash(usize, ExitReason),
    /// A retry is delivered.
    Deliver,
    /// The time advances.
    Wait(Duration),
    /// The time advances to the next deadline.
    WaitUntilDue,
    OldNews(usize),
    Start(u64, ChildPolicy),
    Terminate(usize),
    Restart(usize),
    Delete(usize),
    ResetFailed(usize),
    Change(Policy, u64, ChildPolicy),
    Shutdown,
}

// Plain numbers are drawn and mapped below, because unions of strategies are slow.

fn child() -> impl Strategy<Value = ChildPolicy> {
    use Restart::{Permanent, Temporary, Transient};
    let restart = select(vec![Permanent, Permanent, Transient, Transient, Temporary]);
    let shutdown = select(vec![Shutdown::BrutalKill, Shutdown::Timeout(SECOND), Shutdown::Infinity]);
    let others = (any::<bool>(), 0..4_u32, 0..4_u32, 0..4_u32, 0..6_u32, 0..64_u32);
    (restart, shutdown, others).prop_map(
        |(restart, shutdown, (significant, hurry, delay, timers, kind, rules))| {
            let backoff = Backoff::new(delay * SECOND / 2, 2 * SECOND).reset_after(5 * SECOND);
            let probe =
                ProbePolicy { initial_delay: None, period: SECOND, timeout: SECOND, failure_threshold: 2 };
            let liveness = Liveness {
                handler_deadline: (timers % 2 == 0).then_some(SECOND),
                watchdog: (timers == 1).then_some(SECOND),
                probe: (timers / 2 == 0).then_some(probe),
            };
            let worker = ChildPolicy {
                restart,
                significant: significant && restart != Permanent,
                shutdown,
                start_timeout: (hurry == 0).then_some(SECOND),
                backoff: (delay > 0).then(|| Arc::new(backoff)),
                liveness: (timers > 0).then(|| Arc::new(liveness)),
                // The outcome of a condition is that of its task.
                restart_if: (rules % 4 == 0).then(|| RestartCondition::new(|_| true)),
                retry_start: (rules / 4 % 4 == 0).then(|| Arc::new(backoff)),
                start_limit: (rules / 16 == 0)
                    .then(|| Arc::new(StartLimit { burst: 1 + rules % 3, interval: 3 * SECOND })),
                ..ChildPolicy::default()
            };
            let kind = if kind == 0 { ChildKind::Supervisor } else { ChildKind::Worker };
            let shutdown = if kind == ChildKind::Supervisor { Shutdown::Infinity } else { shutdown };
            ChildPolicy { kind, shutdown, ..worker }
        },
    )
}

fn policy(max_children: Option<usize>) -> impl Strategy<Value = Policy> {
    use AutoShutdown::{AllSignificant, AnySignificant, Never};
    let strategy = select(vec![Among::OneForOne, Among::OneForAll, Among::RestForOne]);
    let auto_shutdown = select(vec![Never, Never, AnySignificant, AllSignificant]);
    (strategy, auto_shutdown, 0..12_u32).prop_map(move |(strategy, auto_shutdown, restarts)| {
        let kind = match max_children {
            None => SupervisorKind::Static { strategy, auto_shutdown },
            Some(max_children) => SupervisorKind::Dynamic { max_children },
        };
        Policy {
            kind,
            intensity: Intensity { restarts, period: 5 * SECOND }.into(),
            kill_grace: SECOND,
            seed: 0,
        }
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    // Half of the checks find a handler that exceeds its deadline.
    (0..8_u32, 0..8_u32).prop_map(|(kind, quarters)| match kind {
        0..=4 => Outcome::Success,
        5 => Outcome::Failure,
        _ => Outcome::Other(quarters * SECOND / 4),
    })
}

fn op(dynamic: bool) -> impl Strategy<Value = Op> {
    let reason = select(vec![ExitReason::Normal, ExitReason::Killed, ExitReason::failed("an error")]);
    let sample =
        (0..124_u32, any::<usize>(), outcome(), reason, (0..8_000_u64, 0..6_u64), child(), policy(None));
    sample.prop_map(move |(kind, which, outcome, reason, (millis, id), child, policy)| match kind {
        0..=44 => Op::Answer(which, outcome),
        45..=62 => Op::Crash(which, reason),
        63..=74 => Op::Deliver,
        75..=80 => Op::Wait(Duration::from_millis(millis)),
        81..=90 => Op::WaitUntilDue,
        91..=93 => Op::OldNews(which),
        94..=99 => Op::Start(id, child),
        100..=104 => Op::Terminate(which),
        105 => Op::Shutdown,
        _ if dynamic => Op::Start(id, child),
        106..=110 => Op::Restart(which),
        111..=114 => Op::Delete(which),
        115..=118 => Op::ResetFailed(which),
        _ => Op::Change(policy, id, child),
    })
}

struct Case {
    policy: Policy,
    children: Vec<ChildPolicy>,
    ops: Vec<Op>,
}

/// Prints a line for each child and each event.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.policy)?;
        self.children.iter().try_for_each(|policy| write!(f, "\n  {policy:?}"))?;
        self.ops.iter().try_for_each(|op| write!(f, "\n    {op:?}"))
    }
}

fn case() -> impl Strategy<Value = Case> {
    prop::option::weighted(0.25, 1..6_usize).prop_flat_map(|max_children| {
        let dynamic = max_children.is_some();
        let children = prop::collection::vec(child(), if dynamic { 0..=0 } else { 0..=5 });
        (policy(max_children), children, prop::collection::vec(op(dynamic), 0..160))
            .prop_map(|(policy, children, ops)| Case { policy, children, ops })
    })
}

fn apply(sim: &mut RandomSim, op: Op) {
    let target = |which: usize| match sim.one_of(which / 2) {
        Some(key) if sim.engine.is_dynamic() => Target::Key(key),
        Some(key) if which % 2 == 0 => Target::Id(sim.id_of(key)),
        _ => Target::Id((which / 2 % 6).to_string().into()),
    };
    match op {
        Op::Answer(which, outcome) => sim.answer(which, outcome),
        Op::Crash(which, reason) => sim.crash(which, reason),
        Op::Deliver => sim.deliver(),
        Op::Wait(time) => sim.wait(time),
        Op::WaitUntilDue => sim.wait_until_due(),
        Op::OldNews(which) => sim.replay_old_event(which),
        Op::Start(id, policy) => sim.ask(Request::Start { id: id.to_string().into(), policy: policy.into() }),
        Op::Terminate(which) => sim.ask(Request::Terminate(target(which))),
        Op::Restart(which) => sim.ask(Request::Restart(target(which))),
        Op::Delete(which) => sim.ask(Request::Delete(target(which))),
        Op::ResetFailed(which) => sim.ask(Request::ResetFailed(target(which))),
        Op::Change(policy, id, child) => {
            sim.ask(Request::Change { policy, children: vec![(id.to_string().into(), child)] });
        }
        Op::Shutdown => {
            sim.happen(Event::Shutdown { reason: ExitReason::shutdown(), drains: false });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1_000), ..ProptestConfig::default() })]

    // A failure is replayed from `supervision/proptest-regressions/engine/tests.txt`, as in
    // `conformance.rs`.
    #[test]
    fn engine_keeps_its_invariants_under_random_events(case in case()) {
        let Case { policy, children, ops } = case;
        let mut sim = RandomSim::begin(policy, children);
        for op in ops {
            apply(&mut sim, op);
        }
        sim.finish_all();
        if sim.exits == 0 {
            apply(&mut sim, Op::Shutdown);
            sim.finish_all();
        }
        prop_assert_eq!(sim.exits, 1);
    }
}
