//! Requests that meet a child in transition.
//!
//! The first half are the cases, one by one. The second is a property: whatever comes in between,
//! each request for a child is answered once, in order, and as OTP's supervisor answers it, which
//! does one thing after the other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::model::{Ask, Child, Flags, Is, Model};
use super::slow::Slow;
use crate::engine::{Policy, Request};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Restart, Strategy as Among, SupervisorKind};
use crate::tree::ChildState;

const ONE_FOR_ONE: SupervisorKind = kind(Among::OneForOne);
const IT: u64 = 0;
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

fn two() -> Slow {
    Slow::up(ONE_FOR_ONE, &[child(), child()])
}

fn says(slow: &mut Slow, id: u64, said: &[&'static str]) {
    slow.scripts.insert(id, said.iter().copied().collect());
}

#[test]
fn requests_during_a_stop_are_done_in_order_after_it() {
    let mut slow = two();
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
    let tickets: Vec<usize> = asks.iter().map(|(ask, _)| slow.ask(ask, IT)).collect();
    assert_eq!(slow.waiting(), asks.len(), "it is being stopped");
    // The others go on.
    let other = slow.ask(&Ask::Restart, OTHER);
    assert_eq!(slow.answer(other), Some("running"));
    while slow.finish(0) {}
    assert_eq!(slow.answered(IT), tickets);
    for (ticket, (ask, expected)) in tickets.into_iter().zip(asks) {
        assert_eq!(slow.answer(ticket), Some(expected), "{ask:?}");
    }
}

#[test]
fn second_start_of_an_id_starts_it_if_the_first_one_fails() {
    for (first, expected) in
        [("start error", "ok, pid"), ("ok, pid", "already_started"), ("ok, undefined", "already_present")]
    {
        for strategy in [Among::OneForOne, Among::OneForAll, Among::RestForOne] {
            let mut slow = Slow::up(kind(strategy), &[]);
            says(&mut slow, IT, &[first]);
            let (one, two) = (slow.ask(&start(), IT), slow.ask(&start(), IT));
            assert_eq!(slow.waiting(), 2);
            slow.finish(0);
            assert_eq!(slow.answer(one), Some(first));
            while slow.finish(0) {}
            assert_eq!(slow.answer(two), Some(expected), "{strategy:?}, after {first:?}");
        }
    }
}

#[test]
fn child_whose_retry_fails_is_restarting_to_every_request_and_every_look() {
    let mut slow = two();
    says(&mut slow, IT, &["start error", "start error", "start error"]);
    slow.crash(IT);
    for attempt in 0..3 {
        assert_eq!(slow.shown(IT), Some(ChildState::Restarting), "its init runs, attempt {attempt}");
        let during = [start(), Ask::Restart, Ask::Delete].map(|ask| slow.ask(&ask, IT));
        assert_eq!(slow.waiting(), 3);
        slow.finish_of(IT);
        let answers = during.map(|ticket| slow.answer(ticket));
        assert_eq!(answers, [Some("already_present"), Some("restarting"), Some("restarting")]);
        let between = [start(), Ask::Restart, Ask::Delete].map(|ask| slow.ask(&ask, IT));
        assert_eq!(between.map(|ticket| slow.answer(ticket)), answers, "it waits for its next attempt");
        assert_eq!(slow.try_again(), Some(IT));
    }
    let last = [start(), Ask::Restart, Ask::Delete].map(|ask| slow.ask(&ask, IT));
    slow.finish_of(IT);
    let answers = last.map(|ticket| slow.answer(ticket));
    assert_eq!(answers, [Some("already_started"), Some("running"), Some("running")]);
    assert_eq!(slow.shown(IT), Some(ChildState::Running));
}

#[test]
fn terminate_cuts_a_start_short_and_is_decided_in_its_turn() {
    // By itself it takes the start over.
    let mut slow = two();
    let (brought, stopped) = (slow.ask(&start(), 7), slow.ask(&Ask::Terminate, 7));
    slow.finish_of(7);
    assert_eq!((slow.answer(brought), slow.answer(stopped)), (Some("start error"), Some("ok")));
    assert_eq!(slow.shown(7), None);

    // With others before it: each of them is decided, and what it starts is cut short too.
    let asks = [start(), start(), Ask::Restart, Ask::Terminate, Ask::Terminate].map(|ask| slow.ask(&ask, 7));
    while slow.finish(0) {}
    assert_eq!(slow.answered(7)[2..], asks, "in order");
    let answers = asks.map(|ticket| slow.answer(ticket).expect("it is answered"));
    assert_eq!(answers, ["start error", "start error", "not_found", "not_found", "not_found"]);
}

#[test]
fn terminate_behind_a_request_for_a_restarting_child_gets_through_an_init_that_hangs() {
    let mut slow = two();
    slow.crash(IT);
    let (restart, terminate) = (slow.ask(&Ask::Restart, IT), slow.ask(&Ask::Terminate, IT));
    slow.finish_of(IT);
    assert_eq!((slow.answer(restart), slow.answer(terminate)), (Some("restarting"), Some("ok")));
    assert_eq!(slow.shown(IT), Some(ChildState::Stopped));
    assert_eq!(slow.try_again(), None, "its next attempt is void");
}

#[test]
fn supervisor_that_goes_down_refuses_what_is_deferred_at_once_and_in_order() {
    let mut slow = two();
    slow.ask(&Ask::Terminate, IT);
    let deferred = [Ask::Restart, start(), Ask::Delete].map(|ask| slow.ask(&ask, IT));
    slow.shutdown();
    assert_eq!(slow.answered(IT), deferred);
    assert!(deferred.iter().all(|ticket| slow.answer(*ticket) == Some("noproc")));
    while slow.finish(0) {}
    assert!(slow.ended && slow.waiting() == 0);
}

#[test]
fn change_waits_for_a_start_that_decides_whether_its_child_is_known() {
    for (said, expected) in [("ok, pid", ChildState::Running), ("start error", ChildState::Stopped)] {
        let mut slow = two();
        says(&mut slow, 7, &[said]);
        let started = slow.ask(&start(), 7);
        let intensity = Intensity { restarts: 1_000_000, period: Duration::from_secs(1) };
        let policy = Policy {
            kind: ONE_FOR_ONE,
            intensity: intensity.into(),
            kill_grace: Duration::from_secs(5),
            seed: 0,
        };
        let children = vec![("7".into(), child())];
        let changed = slow.request(7, Request::Change { policy, children });
        assert_eq!(slow.answer(changed), None);
        slow.finish_of(7);
        assert_eq!((slow.answer(started), slow.answer(changed)), (Some(said), Some("ok")));
        assert_eq!(slow.shown(7), Some(expected), "a new one is not started");
    }
}

/// A dynamic supervisor with as many children as it may have.
fn full(max_children: usize) -> Slow {
    let mut slow = Slow::up(SupervisorKind::Dynamic { max_children }, &[]);
    for id in 0..max_children as u64 {
        slow.ask(&start(), id);
        slow.finish(0);
    }
    slow
}

#[test]
fn start_beyond_the_limit_waits_for_a_stop_and_has_its_room() {
    let mut slow = full(1);
    let stopped = slow.ask(&Ask::Terminate, IT);
    let (next, late) = (slow.ask(&start(), 7), slow.ask(&start(), 8));
    assert_eq!((slow.answer(next), slow.answer(late)), (None, None));
    slow.finish_of(IT);
    assert_eq!(slow.answer(stopped), Some("ok"));
    assert_eq!(slow.answer(late), None, "the one before it may still fail");
    slow.finish_of(7);
    assert_eq!((slow.answer(next), slow.answer(late)), (Some("ok, pid"), Some("max_children")));
}

#[test]
fn start_beyond_the_limit_waits_for_a_start_that_may_fail() {
    for (said, expected) in
        [("start error", "ok, pid"), ("ok, undefined", "ok, pid"), ("ok, pid", "max_children")]
    {
        let mut slow = Slow::up(SupervisorKind::Dynamic { max_children: 1 }, &[]);
        says(&mut slow, IT, &[said]);
        let (first, second) = (slow.ask(&start(), IT), slow.ask(&start(), 7));
        slow.finish_of(IT);
        while slow.finish(0) {}
        assert_eq!((slow.answer(first), slow.answer(second)), (Some(said), Some(expected)));
    }
}

#[test]
fn start_beyond_the_limit_is_refused_at_once_if_nothing_is_in_transition() {
    let mut slow = full(2);
    let refused = slow.ask(&start(), 7);
    assert_eq!(slow.answer(refused), Some("max_children"));
}

/// Otherwise children that crash again and again would keep it waiting for ever.
#[test]
fn start_beyond_the_limit_does_not_wait_for_what_begins_after_it() {
    let mut slow = full(2);
    slow.crash(IT);
    let waits = slow.ask(&start(), 7);
    slow.crash(OTHER);
    assert_eq!(slow.answer(waits), None);
    slow.finish_of(IT);
    assert_eq!(slow.answer(waits), Some("max_children"), "the other one is being restarted still");
}

#[test]
fn starts_that_wait_for_room_get_it_in_order_and_are_refused_when_the_supervisor_goes_down() {
    let mut slow = full(2);
    slow.ask(&Ask::Terminate, IT);
    slow.ask(&Ask::Terminate, OTHER);
    let waiting = [7, 8, 9].map(|id| slow.ask(&start(), id));
    slow.finish_of(OTHER);
    assert_eq!(slow.shown(7), Some(ChildState::Starting));
    assert_eq!(slow.shown(8), None);
    slow.shutdown();
    while slow.finish(0) {}
    assert!(slow.ended);
    assert!(waiting.iter().all(|ticket| slow.answer(*ticket) == Some("noproc")));
}

/// What may happen.
#[derive(Clone, Debug)]
enum Op {
    Ask(Ask, u64),
    /// One of those that were told something has done it.
    Finish(usize),
    Crash(u64),
    TryAgain,
}

/// Of these ids the first half are there from the start.
const IDS: u64 = 4;

fn policy_of(id: u64) -> ChildPolicy {
    let restart = if id % 2 == 0 { Restart::Permanent } else { Restart::Temporary };
    ChildPolicy { restart, ..ChildPolicy::default() }
}

fn op() -> impl Strategy<Value = Op> {
    (0..20_u32, 0..IDS, any::<usize>()).prop_map(|(die, id, which)| match die {
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
        stamps: Vec::new(),
        tries: 0,
    };
    model.begin();
    model.script = script.iter().copied().collect();
    model
}

/// Both, and what the model has answered.
struct Pair {
    slow: Slow,
    models: BTreeMap<u64, Model>,
    expected: Vec<&'static str>,
}

impl Pair {
    fn begin(scripts: &[Vec<&'static str>]) -> Self {
        let children: Vec<ChildPolicy> = (0..IDS / 2).map(policy_of).collect();
        let mut slow = Slow::up(ONE_FOR_ONE, &children);
        let mut models = BTreeMap::new();
        for (id, script) in (0..).zip(scripts) {
            says(&mut slow, id, script);
            models.insert(id, model(id, script));
        }
        Self { slow, models, expected: Vec::new() }
    }

    fn model(&mut self, id: u64) -> &mut Model {
        self.models.get_mut(&id).expect("there is one for each id")
    }

    fn happen(&mut self, op: &Op) {
        match op {
            Op::Ask(ask, id) => {
                // To cut a start short is the one thing that OTP cannot do.
                if !(self.slow.is_starting(*id) && matches!(ask, Ask::Terminate)) {
                    let answer = self.model(*id).ask(ask, *id);
                    self.expected.push(answer);
                    self.slow.ask(ask, *id);
                }
            }
            Op::Finish(which) => {
                self.slow.finish(*which);
            }
            Op::Crash(id) => {
                if self.slow.shown(*id) == Some(ChildState::Running) {
                    self.slow.crash(*id);
                    self.model(*id).child_ends(*id, true);
                }
            }
            Op::TryAgain => {
                if let Some(id) = self.slow.try_again() {
                    self.model(id).try_again();
                }
            }
        }
    }

    /// Everything that goes on comes to its end.
    fn come_to_rest(&mut self) {
        loop {
            while self.slow.finish(0) {}
            let Some(id) = self.slow.try_again() else { return };
            self.model(id).try_again();
        }
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        let answers: Vec<_> = (0..self.expected.len()).map(|ticket| self.slow.answer(ticket)).collect();
        let expected: Vec<_> = self.expected.iter().map(|answer| Some(*answer)).collect();
        prop_assert_eq!(answers, expected);
        for (id, model) in &self.models {
            prop_assert!(self.slow.answered(*id).is_sorted(), "in the order of arrival");
            let is = model.children.first().map(|child| match child.is {
                Is::Undefined => ChildState::Stopped,
                Is::Running => ChildState::Running,
                Is::Queued(_) | Is::Delayed(_) => ChildState::Restarting,
            });
            prop_assert_eq!(self.slow.shown(*id), is, "child {}", id);
        }
        Ok(())
    }
}

#[test]
fn answers_are_those_of_a_supervisor_that_does_one_thing_after_the_other() {
    let script = prop::collection::vec(select(&["ok, pid", "start error", "ok, undefined"][..]), 0..8);
    let scripts = prop::collection::vec(script, IDS as usize);
    let case = (scripts, prop::collection::vec(op(), 0..120));
    let deferred = Cell::new(0_usize);
    let config =
        Config { failure_persistence: None, ..Config::with_cases(Config::default().cases.max(2_000)) };
    let outcome = TestRunner::new(config).run(&case, |(scripts, ops)| {
        let mut pair = Pair::begin(&scripts);
        for op in &ops {
            let before = pair.slow.waiting();
            pair.happen(op);
            let waits = pair.slow.waiting() > before.max(1);
            deferred.set(deferred.get() + usize::from(matches!(op, Op::Ask(..)) && waits));
        }
        pair.come_to_rest();
        pair.agree()
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(deferred.get() >= 10_000, "only {} requests met a transition", deferred.get());
}
