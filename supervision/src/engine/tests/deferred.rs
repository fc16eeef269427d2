//! Requests for a child that is starting or stopping.
//!
//! The first half are single cases. The second half is a property: whatever happens in between,
//! each request for a child is answered once, in order, and like in OTP's supervisor, which does
//! one thing after the other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::model::{Ask, Child, ChildStatus, Flags, Model};
use super::stepped_sim::SteppedSim;
use crate::engine::{Policy, Request};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Restart, Strategy as Among, SupervisorKind};
use crate::tree::ChildState;

const ONE_FOR_ONE: SupervisorKind = kind(Among::OneForOne);
const CHILD: u64 = 0;
const OTHER: u64 = 1;

const fn kind(strategy: Among) -> SupervisorKind {
    SupervisorKind::Static { strategy, auto_shutdown: AutoShutdown::Never }
}

fn child() -> ChildPolicy {
    ChildPolicy::default()
}

fn start() -> Ask {
    Ask::Start(child())
}

fn two() -> SteppedSim {
    SteppedSim::up(ONE_FOR_ONE, &[child(), child()])
}

fn says(sim: &mut SteppedSim, id: u64, result: &[&'static str]) {
    sim.scripts.insert(id, result.iter().copied().collect());
}

#[test]
fn requests_during_a_stop_are_decided_in_order_after_it() {
    let mut sim = two();
    let asks = [
        (Ask::Terminate, "ok"),
        (Ask::Restart, "ok, pid"),
        (Ask::Restart, "running"),
        (start(), "already_started"),
        (Ask::Terminate, "ok"),
        (Ask::Terminate, "ok"),
        (start(), "already_present"),
        (Ask::Delete, "ok"),
        (Ask::Delete, "not_found"),
        (start(), "ok, pid"),
        (Ask::Delete, "running"),
    ];
    let tickets: Vec<usize> = asks.iter().map(|(ask, _)| sim.ask(ask, CHILD)).collect();
    assert_eq!(sim.waiting(), asks.len(), "it is being stopped");
    // Requests for other children do not wait.
    let other = sim.ask(&Ask::Restart, OTHER);
    assert_eq!(sim.answer(other), Some("running"));
    while sim.finish(0) {}
    assert_eq!(sim.answered(CHILD), tickets);
    for (ticket, (ask, expected)) in tickets.into_iter().zip(asks) {
        assert_eq!(sim.answer(ticket), Some(expected), "{ask:?}");
    }
}

#[test]
fn second_start_of_an_id_starts_it_if_the_first_one_fails() {
    for (first, expected) in
        [("start error", "ok, pid"), ("ok, pid", "already_started"), ("ok, undefined", "already_present")]
    {
        for strategy in [Among::OneForOne, Among::OneForAll, Among::RestForOne] {
            let mut sim = SteppedSim::up(kind(strategy), &[]);
            says(&mut sim, CHILD, &[first]);
            let (one, two) = (sim.ask(&start(), CHILD), sim.ask(&start(), CHILD));
            assert_eq!(sim.waiting(), 2);
            sim.finish(0);
            assert_eq!(sim.answer(one), Some(first));
            while sim.finish(0) {}
            assert_eq!(sim.answer(two), Some(expected), "{strategy:?}, after {first:?}");
        }
    }
}

#[test]
fn child_whose_retry_fails_is_restarting_to_every_request_and_every_query() {
    let mut sim = two();
    says(&mut sim, CHILD, &["start error", "start error", "start error"]);
    sim.crash(CHILD);
    for attempt in 0..3 {
        assert_eq!(sim.shown(CHILD), Some(ChildState::Restarting), "its init runs, attempt {attempt}");
        let during = [start(), Ask::Restart, Ask::Delete].map(|ask| sim.ask(&ask, CHILD));
        assert_eq!(sim.waiting(), 3);
        sim.finish_of(CHILD);
        let answers = during.map(|ticket| sim.answer(ticket));
        assert_eq!(answers, [Some("already_present"), Some("restarting"), Some("restarting")]);
        let between = [start(), Ask::Restart, Ask::Delete].map(|ask| sim.ask(&ask, CHILD));
        assert_eq!(between.map(|ticket| sim.answer(ticket)), answers, "it waits for its next attempt");
        assert_eq!(sim.try_again(), Some(CHILD));
    }
    let last = [start(), Ask::Restart, Ask::Delete].map(|ask| sim.ask(&ask, CHILD));
    sim.finish_of(CHILD);
    let answers = last.map(|ticket| sim.answer(ticket));
    assert_eq!(answers, [Some("already_started"), Some("running"), Some("running")]);
    assert_eq!(sim.shown(CHILD), Some(ChildState::Running));
}

#[test]
fn terminate_interrupts_a_start_and_is_decided_in_order() {
    // Without other requests it interrupts the start.
    let mut sim = two();
    let (started, stopped) = (sim.ask(&start(), 7), sim.ask(&Ask::Terminate, 7));
    sim.finish_of(7);
    assert_eq!((sim.answer(started), sim.answer(stopped)), (Some("start error"), Some("ok")));
    assert_eq!(sim.shown(7), None);

    // With other requests before it, each of them is decided, and what it starts is interrupted
    // too.
    let asks = [start(), start(), Ask::Restart, Ask::Terminate, Ask::Terminate].map(|ask| sim.ask(&ask, 7));
    while sim.finish(0) {}
    assert_eq!(sim.answered(7)[2..], asks, "in order");
    let answers = asks.map(|ticket| sim.answer(ticket).expect("it is answered"));
    assert_eq!(answers, ["start error", "start error", "not_found", "not_found", "not_found"]);
}

#[test]
fn terminate_behind_another_request_interrupts_an_init_that_never_returns() {
    let mut sim = two();
    sim.crash(CHILD);
    let (restart, terminate) = (sim.ask(&Ask::Restart, CHILD), sim.ask(&Ask::Terminate, CHILD));
    sim.finish_of(CHILD);
    assert_eq!((sim.answer(restart), sim.answer(terminate)), (Some("restarting"), Some("ok")));
    assert_eq!(sim.shown(CHILD), Some(ChildState::Stopped));
    assert_eq!(sim.try_again(), None, "its next attempt is void");
}

#[test]
fn shutdown_refuses_deferred_requests_at_once_and_in_order() {
    let mut sim = two();
    sim.ask(&Ask::Terminate, CHILD);
    let deferred = [Ask::Restart, start(), Ask::Delete].map(|ask| sim.ask(&ask, CHILD));
    sim.shutdown();
    assert_eq!(sim.answered(CHILD), deferred);
    assert!(deferred.iter().all(|ticket| sim.answer(*ticket) == Some("noproc")));
    while sim.finish(0) {}
    assert!(sim.ended && sim.waiting() == 0);
}

#[test]
fn change_waits_for_a_start_that_decides_whether_the_child_exists() {
    for (result, expected) in [("ok, pid", ChildState::Running), ("start error", ChildState::Stopped)] {
        let mut sim = two();
        says(&mut sim, 7, &[result]);
        let started = sim.ask(&start(), 7);
        let intensity = Intensity { restarts: 1_000_000, period: Duration::from_secs(1) };
        let policy = Policy {
            kind: ONE_FOR_ONE,
            intensity: intensity.into(),
            kill_grace: Duration::from_secs(5),
            seed: 0,
        };
        let children = vec![("7".into(), child())];
        let changed = sim.request(7, Request::Change { policy, children });
        assert_eq!(sim.answer(changed), None);
        sim.finish_of(7);
        assert_eq!((sim.answer(started), sim.answer(changed)), (Some(result), Some("ok")));
        assert_eq!(sim.shown(7), Some(expected), "a new one is not started");
    }
}

/// A dynamic supervisor that has its maximum number of children.
fn full(max_children: usize) -> SteppedSim {
    let mut sim = SteppedSim::up(SupervisorKind::Dynamic { max_children }, &[]);
    for id in 0..max_children as u64 {
        sim.ask(&start(), id);
        sim.finish(0);
    }
    sim
}

#[test]
fn start_beyond_the_limit_waits_for_a_stop_and_takes_its_place() {
    let mut sim = full(1);
    let stopped = sim.ask(&Ask::Terminate, CHILD);
    let (next, late) = (sim.ask(&start(), 7), sim.ask(&start(), 8));
    assert_eq!((sim.answer(next), sim.answer(late)), (None, None));
    sim.finish_of(CHILD);
    assert_eq!(sim.answer(stopped), Some("ok"));
    assert_eq!(sim.answer(late), None, "the one before it may still fail");
    sim.finish_of(7);
    assert_eq!((sim.answer(next), sim.answer(late)), (Some("ok, pid"), Some("max_children")));
}

#[test]
fn start_beyond_the_limit_waits_for_a_start_that_may_fail() {
    for (result, expected) in
        [("start error", "ok, pid"), ("ok, undefined", "ok, pid"), ("ok, pid", "max_children")]
    {
        let mut sim = SteppedSim::up(SupervisorKind::Dynamic { max_children: 1 }, &[]);
        says(&mut sim, CHILD, &[result]);
        let (first, second) = (sim.ask(&start(), CHILD), sim.ask(&start(), 7));
        sim.finish_of(CHILD);
        while sim.finish(0) {}
        assert_eq!((sim.answer(first), sim.answer(second)), (Some(result), Some(expected)));
    }
}

#[test]
fn start_beyond_the_limit_is_refused_at_once_if_nothing_is_in_transition() {
    let mut sim = full(2);
    let refused = sim.ask(&start(), 7);
    assert_eq!(sim.answer(refused), Some("max_children"));
}

/// Otherwise children that crash again and again could keep it waiting for ever.
#[test]
fn start_beyond_the_limit_does_not_wait_for_what_begins_after_it() {
    let mut sim = full(2);
    sim.crash(CHILD);
    let waits = sim.ask(&start(), 7);
    sim.crash(OTHER);
    assert_eq!(sim.answer(waits), None);
    sim.finish_of(CHILD);
    assert_eq!(sim.answer(waits), Some("max_children"), "the other one is being restarted still");
}

#[test]
fn queued_starts_are_decided_in_order_and_refused_on_shutdown() {
    let mut sim = full(2);
    sim.ask(&Ask::Terminate, CHILD);
    sim.ask(&Ask::Terminate, OTHER);
    let waiting = [7, 8, 9].map(|id| sim.ask(&start(), id));
    sim.finish_of(OTHER);
    assert_eq!(sim.shown(7), Some(ChildState::Starting));
    assert_eq!(sim.shown(8), None);
    sim.shutdown();
    while sim.finish(0) {}
    assert!(sim.ended);
    assert!(waiting.iter().all(|ticket| sim.answer(*ticket) == Some("noproc")));
}

/// An event of a trace.
#[derive(Clone, Debug)]
enum Op {
    Ask(Ask, u64),
    /// One pending start or stop completes.
    Finish(usize),
    Crash(u64),
    TryAgain,
}

/// The number of ids. Children with the first half of them exist from the start.
const IDS: u64 = 4;

fn policy_of(id: u64) -> ChildPolicy {
    let restart = if id % 2 == 0 { Restart::Permanent } else { Restart::Temporary };
    ChildPolicy { restart, ..ChildPolicy::default() }
}

fn op() -> impl Strategy<Value = Op> {
    (0..20_u32, 0..IDS, any::<usize>()).prop_map(|(kind, id, which)| match kind {
        0..=2 => Op::Ask(Ask::Terminate, id),
        3..=5 => Op::Ask(Ask::Restart, id),
        6..=7 => Op::Ask(Ask::Delete, id),
        8..=11 => Op::Ask(Ask::Start(policy_of(id)), id),
        12..=16 => Op::Finish(which),
        17..=18 => Op::Crash(id),
        _ => Op::TryAgain,
    })
}

fn model(id: u64, script: &[&'static str]) -> Model {
    let flags = Flags {
        strategy: Among::OneForOne,
        auto_shutdown: AutoShutdown::Never,
        max_children: None,
        intensity: 1_000_000,
        period: Duration::from_secs(1),
    };
    let mut model = Model {
        flags,
        children: (id < IDS / 2).then(|| Child::new(id, policy_of(id))).into_iter().collect(),
        script: [].into(),
        log: Vec::new(),
        ended: None,
        now: Duration::ZERO,
        restart_times: Vec::new(),
        retries: 0,
    };
    model.begin();
    model.script = script.iter().copied().collect();
    model
}

/// The simulation and one model per id, and the expected answers.
struct Pair {
    sim: SteppedSim,
    models: BTreeMap<u64, Model>,
    expected: Vec<&'static str>,
}

impl Pair {
    fn begin(scripts: &[Vec<&'static str>]) -> Self {
        let children: Vec<ChildPolicy> = (0..IDS / 2).map(policy_of).collect();
        let mut sim = SteppedSim::up(ONE_FOR_ONE, &children);
        let mut models = BTreeMap::new();
        for (id, script) in (0..).zip(scripts) {
            says(&mut sim, id, script);
            models.insert(id, model(id, script));
        }
        Self { sim, models, expected: Vec::new() }
    }

    fn model(&mut self, id: u64) -> &mut Model {
        self.models.get_mut(&id).expect("there is one for each id")
    }

    fn happen(&mut self, op: &Op) {
        match op {
            Op::Ask(ask, id) => {
                // OTP cannot interrupt a start, so the model has no equivalent.
                if !(self.sim.is_starting(*id) && matches!(ask, Ask::Terminate)) {
                    let answer = self.model(*id).ask(ask, *id);
                    self.expected.push(answer);
                    self.sim.ask(ask, *id);
                }
            }
            Op::Finish(which) => {
                self.sim.finish(*which);
            }
            Op::Crash(id) => {
                if self.sim.shown(*id) == Some(ChildState::Running) {
                    self.sim.crash(*id);
                    self.model(*id).child_ends(*id, true);
                }
            }
            Op::TryAgain => {
                if let Some(id) = self.sim.try_again() {
                    self.model(id).try_again();
                }
            }
        }
    }

    /// Completes every pending start and stop.
    fn finish_all(&mut self) {
        loop {
            while self.sim.finish(0) {}
            let Some(id) = self.sim.try_again() else { return };
            self.model(id).try_again();
        }
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        let answers: Vec<_> = (0..self.expected.len()).map(|ticket| self.sim.answer(ticket)).collect();
        let expected: Vec<_> = self.expected.iter().map(|answer| Some(*answer)).collect();
        prop_assert_eq!(answers, expected);
        for (id, model) in &self.models {
            prop_assert!(self.sim.answered(*id).is_sorted(), "in the order of arrival");
            let status = model.children.first().map(|child| match child.status {
                ChildStatus::Undefined => ChildState::Stopped,
                ChildStatus::Running => ChildState::Running,
                ChildStatus::Queued(_) | ChildStatus::Delayed(_) => ChildState::Restarting,
            });
            prop_assert_eq!(self.sim.shown(*id), status, "child {}", id);
        }
        Ok(())
    }
}

#[test]
fn answers_equal_those_of_a_supervisor_that_does_one_thing_after_the_other() {
    let script = prop::collection::vec(select(&["ok, pid", "start error", "ok, undefined"][..]), 0..8);
    let scripts = prop::collection::vec(script, IDS as usize);
    let case = (scripts, prop::collection::vec(op(), 0..120));
    let deferred = Cell::new(0_usize);
    let config =
        Config { failure_persistence: None, ..Config::with_cases(Config::default().cases.max(2_000)) };
    let outcome = TestRunner::new(config).run(&case, |(scripts, ops)| {
        let mut pair = Pair::begin(&scripts);
        for op in &ops {
            let before = pair.sim.waiting();
            pair.happen(op);
            let waits = pair.sim.waiting() > before.max(1);
            deferred.set(deferred.get() + usize::from(matches!(op, Op::Ask(..)) && waits));
        }
        pair.finish_all();
        pair.agree()
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(deferred.get() >= 10_000, "only {} requests met a transition", deferred.get());
}
