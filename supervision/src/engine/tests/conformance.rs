//! The engine against the [model](super::model) of OTP's supervisor, compared after every event of
//! random traces.
//!
//! The simulated children start and stop at once, so engine and model can be compared between any
//! two events: the state of each child, the number of its starts, the order of starts and stops,
//! the answers, and whether and why the supervisor ended. After an end, the next incarnation begins
//! with the same specs, as a parent would restart it.
//!
//! # When it fails
//!
//! A failing test prints the shortest trace that it finds, and a line `cc 1234...` with the seed.
//! It also adds that line to `supervision/proptest-regressions/engine/conformance.txt`, which
//! belongs to the sources: its traces run first from then on. To replay a failure of another
//! machine, add the printed line there and run
//!
//! ```text
//! cargo test -p perennial-supervision conformance
//! ```
//!
//! Set `PROPTEST_CASES=100000` for a long run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use super::immediate_sim::ImmediateSim;
use super::model::{Ask, Child, ChildStatus, Flags, Model};
use crate::policy::{AutoShutdown, Backoff, ChildPolicy, Restart, Shutdown, Strategy as Among};

const TRACES: u32 = 2_000;
/// The average number per trace.
const EVENTS: usize = 64;
/// The unit of time. It is coarse, so that events coincide and happen exactly at the end of a
/// period.
const TICK: Duration = Duration::from_millis(250);

/// The results of starts.
const START_RESULTS: [&str; 8] =
    ["ok, pid", "ok, pid", "ok, pid", "ok, pid", "ok, pid", "start error", "start error", "ok, undefined"];

/// An event of a trace.
#[derive(Clone, Debug)]
enum Op {
    /// One of the running children exits by itself.
    End(usize, ExitReason),
    Ask(Ask, u64),
    TryAgain,
    Pass(u32),
    /// Changes the settings of the supervisor and of one child.
    Change(Flags, u64, ChildPolicy),
    Shutdown,
}

/// A spec, and the trace that its supervisors run.
#[derive(Clone)]
struct Case {
    flags: Flags,
    children: Vec<ChildPolicy>,
    /// The events, and the results of the starts that follow from each.
    trace: Vec<(Op, Vec<&'static str>)>,
}

/// Prints a line for each child and each event.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.flags)?;
        self.children.iter().try_for_each(|policy| write!(f, "\n  {policy:?}"))?;
        self.trace.iter().try_for_each(|(op, script)| write!(f, "\n    {op:?} and then {script:?}"))
    }
}

// Plain numbers are drawn and mapped below, because unions of strategies are slow.

fn policy() -> impl Strategy<Value = ChildPolicy> {
    use Restart::{Permanent, Temporary, Transient};
    let restart = select(vec![Permanent, Permanent, Transient, Transient, Temporary]);
    let shutdown = select(vec![Shutdown::BrutalKill, Shutdown::Timeout(TICK), Shutdown::Infinity]);
    let delays = (0..10_u32, 1..20_u32, 0..20_u32).prop_map(|(first, cap, healthy)| {
        let backoff = Backoff::new(first * TICK, cap * TICK).reset_after(healthy * TICK);
        (first < 4).then(|| Arc::new(backoff))
    });
    (restart, any::<bool>(), shutdown, delays).prop_map(|(restart, significant, shutdown, backoff)| {
        ChildPolicy { restart, significant, shutdown, backoff, ..ChildPolicy::default() }
    })
}

fn flags(max_children: Option<usize>) -> impl Strategy<Value = Flags> {
    use AutoShutdown::{AllSignificant, AnySignificant, Never};
    let strategy = select(vec![Among::OneForOne, Among::OneForAll, Among::RestForOne]);
    let auto_shutdown = select(vec![Never, Never, AnySignificant, AllSignificant, AllSignificant]);
    let intensity = select(vec![0, 1, 2, 3, 5, 8, 100, 100, 100, 100]);
    (strategy, auto_shutdown, intensity, 1..20_u32).prop_map(
        move |(strategy, auto_shutdown, intensity, period)| {
            let flags = Flags { strategy, auto_shutdown, max_children, intensity, period: period * TICK };
            match max_children {
                None => flags,
                Some(_) => Flags { strategy: Among::OneForOne, auto_shutdown: Never, ..flags },
            }
        },
    )
}

fn reason() -> impl Strategy<Value = ExitReason> {
    let clean = [ExitReason::Normal, ExitReason::shutdown(), ExitReason::shutdown_with("a note")];
    let abnormal = [ExitReason::Killed, ExitReason::failed("an error"), ExitReason::NoProcess];
    select(clean.into_iter().chain(abnormal).collect::<Vec<_>>())
}

fn op(dynamic: bool) -> impl Strategy<Value = Op> {
    let sample = (0..64_u32, any::<usize>(), reason(), 0..8_u32, 0..7_u64, policy(), flags(None));
    sample.prop_map(move |(kind, which, reason, ticks, id, policy, flags)| match kind {
        0..=20 => Op::End(which, reason),
        21..=30 => Op::Pass(ticks),
        31..=40 => Op::TryAgain,
        41..=43 => Op::Ask(Ask::Terminate, id),
        44..=52 => Op::Ask(Ask::Start(policy), id),
        63 => Op::Shutdown,
        // Children of a dynamic supervisor do not exist then, and a change would have no effect.
        _ if dynamic => Op::Ask(Ask::Start(policy), id),
        53..=57 => Op::Ask(Ask::Restart, id),
        58..=60 => Op::Ask(Ask::Delete, id),
        _ => Op::Change(flags, id, policy),
    })
}

fn case() -> impl Strategy<Value = Case> {
    prop::option::weighted(0.25, 1..6_usize).prop_flat_map(|max_children| {
        let dynamic = max_children.is_some();
        let children = prop::collection::vec(policy(), if dynamic { 0..=0 } else { 1..=6 });
        let script = prop::collection::vec(select(&START_RESULTS[..]), 0..6);
        let trace = prop::collection::vec((op(dynamic), script), 1..=2 * EVENTS);
        (flags(max_children), children, trace).prop_map(|(flags, children, trace)| Case {
            flags,
            children,
            trace,
        })
    })
}

/// Returns a valid policy: a child may be significant only if its supervisor uses that.
fn valid_policy(policy: &ChildPolicy, flags: &Flags) -> ChildPolicy {
    let is_allowed = policy.restart != Restart::Permanent && flags.auto_shutdown != AutoShutdown::Never;
    ChildPolicy { significant: policy.significant && is_allowed, ..policy.clone() }
}

/// The engine and the model.
struct Pair {
    model: Model,
    engine: ImmediateSim,
    answer: Option<&'static str>,
    next_id: u64,
}

impl Pair {
    fn begin(case: &Case, script: Vec<&'static str>) -> Result<Self, TestCaseError> {
        let children: Vec<ChildPolicy> =
            case.children.iter().map(|policy| valid_policy(policy, &case.flags)).collect();
        let mut engine = ImmediateSim::new(&case.flags, &children);
        let specs = (0..).zip(children).map(|(id, spec)| Child::new(id, spec));
        let mut model = Model {
            flags: case.flags,
            children: specs.collect(),
            script: script.clone().into(),
            log: Vec::new(),
            ended: None,
            now: Duration::ZERO,
            restart_times: Vec::new(),
            retries: 0,
        };
        model.begin();
        engine.script = script.into();
        engine.begin();
        let pair = Self { model, engine, answer: None, next_id: 1_000 };
        pair.agree()?;
        Ok(pair)
    }

    /// Applies an event to both, if it is possible. Returns `true` if it was.
    fn happen(&mut self, op: &Op, script: &[&'static str]) -> Result<bool, TestCaseError> {
        self.model.log.clear();
        self.engine.log.clear();
        self.model.script = script.to_vec().into();
        self.engine.script = script.to_vec().into();
        match op {
            Op::End(which, reason) => {
                let running = self.model.children.iter().filter(|child| child.status == ChildStatus::Running);
                let running: Vec<u64> = running.map(|child| child.id).collect();
                if running.is_empty() {
                    return Ok(false);
                }
                let id = running[which % running.len()];
                let clean = matches!(reason, ExitReason::Normal | ExitReason::Shutdown(_));
                self.model.child_ends(id, !clean);
                self.engine.child_ends(id, reason.clone());
            }
            Op::Ask(ask, id) => {
                let (ask, id) = self.translate(ask, *id);
                let answer = self.model.ask(&ask, id);
                prop_assert_eq!(self.engine.ask(&ask, id), answer, "asked to {:?} {}", ask, id);
                self.answer = Some(answer);
            }
            Op::TryAgain => {
                self.model.try_again();
                self.engine.try_again();
            }
            Op::Pass(ticks) => {
                self.model.advance_time(*ticks * TICK);
                self.engine.advance_time(*ticks * TICK);
            }
            Op::Change(flags, id, policy) => {
                self.model.flags = *flags;
                for child in &mut self.model.children {
                    child.spec = valid_policy(if child.id == *id { policy } else { &child.spec }, flags);
                }
                self.engine.change(flags, self.model.children.iter().map(|child| (child.id, &child.spec)));
            }
            Op::Shutdown => {
                self.model.end("requested");
                self.engine.shutdown();
            }
        }
        self.agree()?;
        Ok(true)
    }

    /// Translates a request for a dynamic supervisor: each of its children is new, and is
    /// identified by its index.
    fn translate(&mut self, ask: &Ask, id: u64) -> (Ask, u64) {
        match ask {
            Ask::Start(policy) => {
                let dynamic = self.model.flags.max_children.is_some();
                self.next_id += 1;
                (Ask::Start(valid_policy(policy, &self.model.flags)), if dynamic { self.next_id } else { id })
            }
            _ if self.model.flags.max_children.is_some() => {
                let known = self.model.children.get(id as usize).map(|child| child.id);
                (ask.clone(), known.unwrap_or(id))
            }
            _ => (ask.clone(), id),
        }
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        let (mut expected, mut log) = (self.model.log.clone(), self.engine.log.clone());
        if self.model.flags.max_children.is_some() {
            // Children of a dynamic supervisor have no order.
            expected.sort_unstable();
            log.sort_unstable();
        }
        prop_assert_eq!(log, expected, "what was done, in order");
        prop_assert_eq!(self.engine.ended, self.model.ended, "whether it ended, and why");
        if self.model.ended.is_none() {
            let expected: Vec<_> = self.model.children.iter().map(seen).collect();
            prop_assert_eq!(self.engine.children(), expected, "the children");
            let due = self.engine.next_deadline();
            prop_assert!(
                due.is_none_or(|due| due > self.model.now),
                "a deadline has passed, and nothing is done"
            );
        }
        Ok(())
    }
}

fn seen(child: &Child) -> (u64, &'static str, u32) {
    let state = match child.status {
        ChildStatus::Undefined => "undefined",
        ChildStatus::Running => "running",
        ChildStatus::Queued(_) | ChildStatus::Delayed(_) => "restarting",
    };
    (child.id, state, child.starts)
}

/// The number of comparisons of each result.
type Tally = BTreeMap<&'static str, u64>;

fn run_trace(case: &Case, tally: &mut Tally) -> Result<(), TestCaseError> {
    let mut count = |result| *tally.entry(result).or_default() += 1;
    let mut pair: Option<Pair> = None;
    for (op, script) in &case.trace {
        let happened = match &mut pair {
            Some(pair) => pair.happen(op, script)?,
            None => {
                // Usually the start succeeds, so that the trace continues.
                let script = if script.len() == 5 { script.clone() } else { Vec::new() };
                pair = Some(Pair::begin(case, script)?);
                true
            }
        };
        let Some(both) = pair.as_mut().filter(|_| happened) else { continue };
        count("event");
        both.model.log.iter().for_each(|(done, ..)| count(done));
        both.answer.take().into_iter().for_each(&mut count);
        if let Some(reason) = both.model.ended {
            count(reason);
            pair = None;
        }
    }
    Ok(())
}

/// The results that must occur often, or else the traces test too little.
const EXPECTED_RESULTS: [&str; 18] = [
    "start",
    "stop",
    "restart",
    "ok, pid",
    "ok, undefined",
    "start error",
    "already_started",
    "already_present",
    "max_children",
    "ok",
    "not_found",
    "running",
    "restarting",
    "requested",
    "failed_to_start_child",
    "reached_max_restart_intensity",
    "auto_shutdown",
    "event",
];

#[test]
fn engine_and_model_agree_after_each_of_a_hundred_thousand_events() {
    let regressions = FileFailurePersistence::SourceParallel("proptest-regressions");
    let config = Config {
        cases: Config::default().cases.max(TRACES),
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(regressions)),
        ..Config::default()
    };
    let tally = RefCell::new(Tally::new());
    let outcome = TestRunner::new(config).run(&case(), |case| run_trace(&case, &mut tally.borrow_mut()));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let tally = tally.into_inner();
    println!("compared: {tally:?}");
    assert!(tally["event"] >= 100_000, "only {} events were compared", tally["event"]);
    for result in EXPECTED_RESULTS {
        assert!(tally.get(result).is_some_and(|count| *count >= 100), "hardly ever {result:?}: {tally:?}");
    }
}
