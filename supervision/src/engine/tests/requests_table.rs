//! The table of requests: the answer to each management call of OTP, for a child in each state.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::immediate_sim::ImmediateSim;
use super::model::{Ask, Flags};
use crate::policy::{AutoShutdown, Backoff, ChildPolicy, Restart, Strategy};

const SECOND: Duration = Duration::from_secs(1);
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
/// The child under test, and an id that no child has.
const CHILD: u64 = 0;
const UNKNOWN: u64 = 99;

fn child(restart: Restart) -> ChildPolicy {
    ChildPolicy { restart, ..ChildPolicy::default() }
}

fn permanent() -> ChildPolicy {
    child(Restart::Permanent)
}

fn start() -> Ask {
    Ask::Start(permanent())
}

fn supervisor(strategy: Strategy, max_children: Option<usize>, children: &[ChildPolicy]) -> ImmediateSim {
    let auto_shutdown = AutoShutdown::Never;
    let flags = Flags { strategy, auto_shutdown, max_children, intensity: 2, period: SECOND };
    let mut supervisor = ImmediateSim::new(&flags, children);
    supervisor.begin();
    supervisor.log.clear();
    supervisor
}

/// How the child under test reached its state.
#[derive(Clone, Copy, Debug)]
enum State {
    Running,
    /// It was terminated.
    Terminated,
    /// It is transient, and exited normally.
    Finished,
    /// It declined to start.
    Ignored,
    /// Its restart failed, and a retry is due.
    Restarting,
    /// Its restart waits for its delay.
    Delayed,
    /// It was deleted.
    Deleted,
    /// It was temporary, and has exited.
    Exited,
    /// It was temporary, and was terminated.
    Removed,
}

impl State {
    const ALL: [Self; 9] = [
        Self::Running,
        Self::Terminated,
        Self::Finished,
        Self::Ignored,
        Self::Restarting,
        Self::Delayed,
        Self::Deleted,
        Self::Exited,
        Self::Removed,
    ];

    fn policy(self) -> ChildPolicy {
        match self {
            Self::Finished => child(Restart::Transient),
            Self::Exited | Self::Removed => child(Restart::Temporary),
            Self::Delayed => {
                ChildPolicy { backoff: Some(Arc::new(Backoff::new(SECOND, SECOND))), ..permanent() }
            }
            _ => permanent(),
        }
    }

    /// Returns the listed state of the child, or `None` if it is not listed.
    const fn listed(self) -> Option<&'static str> {
        match self {
            Self::Running => Some("running"),
            Self::Terminated | Self::Finished | Self::Ignored => Some("undefined"),
            Self::Restarting | Self::Delayed => Some("restarting"),
            Self::Deleted | Self::Exited | Self::Removed => None,
        }
    }

    /// Returns a supervisor whose first child is in this state, and whose second child runs.
    fn reach(self, strategy: Strategy) -> ImmediateSim {
        let mut supervisor = supervisor(strategy, None, &[self.policy(), permanent()]);
        match self {
            Self::Running => {}
            Self::Terminated | Self::Removed => {
                supervisor.ask(&Ask::Terminate, CHILD);
            }
            Self::Finished | Self::Exited => supervisor.child_ends(CHILD, ExitReason::Normal),
            Self::Ignored => {
                supervisor.ask(&Ask::Terminate, CHILD);
                supervisor.script.push_back("ok, undefined");
                supervisor.ask(&Ask::Restart, CHILD);
            }
            Self::Restarting => {
                supervisor.script.push_back("start error");
                supervisor.child_ends(CHILD, ExitReason::Killed);
            }
            Self::Delayed => supervisor.child_ends(CHILD, ExitReason::Killed),
            Self::Deleted => {
                supervisor.ask(&Ask::Terminate, CHILD);
                supervisor.ask(&Ask::Delete, CHILD);
            }
        }
        assert_eq!(listed(&supervisor, CHILD), self.listed(), "{self:?}, {strategy:?}");
        supervisor.log.clear();
        supervisor
    }
}

fn listed(supervisor: &ImmediateSim, id: u64) -> Option<&'static str> {
    supervisor.children().into_iter().find(|child| child.0 == id).map(|child| child.1)
}

/// Sends the request for a child in each state and under each strategy, and checks the answer and
/// the state after it.
fn each(ask: &Ask, expected: impl Fn(State) -> (&'static str, Option<&'static str>)) {
    for strategy in STRATEGIES {
        for state in State::ALL {
            let mut supervisor = state.reach(strategy);
            let case = format!("{ask:?} for {state:?}, {strategy:?}");
            let (answer, then) = expected(state);
            assert_eq!(supervisor.ask(ask, CHILD), answer, "{case}");
            assert_eq!(listed(&supervisor, CHILD), then, "{case}");
            let others = supervisor.log.iter().filter(|(_, id, _)| *id != CHILD).count();
            assert_eq!(others, 0, "{case}: it affects no other child");
            assert_eq!(supervisor.ended, None, "{case}");
        }
    }
}

#[test]
fn start_child_refuses_an_existing_id() {
    each(&start(), |state| match state.listed() {
        Some("running") => ("already_started", Some("running")),
        Some(listed) => ("already_present", Some(listed)),
        None => ("ok, pid", Some("running")),
    });
}

#[test]
fn terminate_child_stops_a_child_in_any_state_and_is_idempotent() {
    each(&Ask::Terminate, |state| match state.listed() {
        Some(_) => ("ok", Some("undefined")),
        None => ("not_found", None),
    });
}

#[test]
fn restart_child_starts_only_a_stopped_child() {
    each(&Ask::Restart, |state| match state.listed() {
        Some("undefined") => ("ok, pid", Some("running")),
        Some(listed) => (listed, Some(listed)),
        None => ("not_found", None),
    });
}

#[test]
fn delete_child_removes_only_a_stopped_child() {
    each(&Ask::Delete, |state| match state.listed() {
        Some("undefined") => ("ok", None),
        Some(listed) => (listed, Some(listed)),
        None => ("not_found", None),
    });
}

#[test]
fn unknown_child_is_not_found() {
    for strategy in STRATEGIES {
        for ask in [Ask::Terminate, Ask::Restart, Ask::Delete] {
            assert_eq!(State::Running.reach(strategy).ask(&ask, UNKNOWN), "not_found", "{ask:?}");
        }
    }
}

#[test]
fn child_that_declines_to_start_is_kept_unless_it_is_temporary() {
    for (restart, then) in [
        (Restart::Permanent, Some("undefined")),
        (Restart::Transient, Some("undefined")),
        (Restart::Temporary, None),
    ] {
        let mut supervisor = supervisor(Strategy::OneForOne, None, &[]);
        supervisor.script.push_back("ok, undefined");
        assert_eq!(supervisor.ask(&Ask::Start(child(restart)), CHILD), "ok, undefined");
        assert_eq!(listed(&supervisor, CHILD), then, "{restart:?}");
    }
}

#[test]
fn failed_start_child_keeps_no_child_and_failed_restart_child_keeps_it() {
    for strategy in STRATEGIES {
        let mut supervisor = State::Terminated.reach(strategy);
        for (ask, id, then) in [(start(), 7, None), (Ask::Restart, CHILD, Some("undefined"))] {
            supervisor.script.push_back("start error");
            assert_eq!(supervisor.ask(&ask, id), "start error", "{strategy:?}");
            assert_eq!(listed(&supervisor, id), then, "{ask:?}, {strategy:?}");
        }
        // Neither start is retried.
        supervisor.log.clear();
        supervisor.try_again();
        supervisor.advance_time(SECOND);
        assert_eq!(supervisor.log, []);
        assert_eq!(supervisor.ask(&start(), 7), "ok, pid", "the id is free");
    }
}

#[test]
fn child_added_by_request_is_last_in_start_order() {
    let mut supervisor = State::Deleted.reach(Strategy::RestForOne);
    supervisor.ask(&start(), 7);
    supervisor.ask(&start(), CHILD);
    let ids: Vec<u64> = supervisor.children().into_iter().map(|child| child.0).collect();
    assert_eq!(ids, [1, 7, CHILD]);
    supervisor.log.clear();
    supervisor.child_ends(7, ExitReason::Killed);
    let done: Vec<_> = supervisor.log.iter().map(|(done, id, _)| (*done, *id)).collect();
    assert_eq!(done, [("restart", 7), ("stop", CHILD), ("start", 7), ("start", CHILD)]);
}

#[test]
fn terminate_child_voids_a_retry_and_later_siblings_stay_stopped() {
    // OTP's own suite calls this case `hanging_restart_loop_rest_for_one`.
    let mut supervisor = supervisor(Strategy::RestForOne, None, &[permanent(), permanent(), permanent()]);
    supervisor.script.push_back("start error");
    supervisor.child_ends(1, ExitReason::Killed);
    assert_eq!(supervisor.children(), [(0, "running", 1), (1, "restarting", 2), (2, "undefined", 1)]);
    assert_eq!(supervisor.ask(&Ask::Terminate, 1), "ok");
    supervisor.try_again();
    assert_eq!(supervisor.children(), [(0, "running", 1), (1, "undefined", 2), (2, "undefined", 1)]);
    assert_eq!(supervisor.ask(&Ask::Restart, 1), "ok, pid");
    assert_eq!(supervisor.children(), [(0, "running", 1), (1, "running", 3), (2, "undefined", 1)]);
}

#[test]
fn requests_count_for_no_intensity() {
    for strategy in STRATEGIES {
        let mut supervisor = supervisor(strategy, None, &[permanent()]);
        for _ in 0..9 {
            assert_eq!(supervisor.ask(&Ask::Terminate, CHILD), "ok");
            supervisor.script.push_back("start error");
            assert_eq!(supervisor.ask(&Ask::Restart, CHILD), "start error");
            assert_eq!(supervisor.ask(&Ask::Restart, CHILD), "ok, pid");
            assert_eq!(supervisor.ask(&start(), 7), "ok, pid");
            assert_eq!(supervisor.ask(&Ask::Terminate, 7), "ok");
            assert_eq!(supervisor.ask(&Ask::Delete, 7), "ok");
        }
        assert_eq!(supervisor.ended, None, "{strategy:?}");
        // Exactly two restarts are left.
        supervisor.child_ends(CHILD, ExitReason::Killed);
        supervisor.child_ends(CHILD, ExitReason::Killed);
        assert_eq!(supervisor.ended, None, "{strategy:?}");
        supervisor.child_ends(CHILD, ExitReason::Killed);
        assert_eq!(supervisor.ended, Some("reached_max_restart_intensity"), "{strategy:?}");
    }
}

#[test]
fn supervisor_that_has_ended_refuses_every_request() {
    let mut supervisor = State::Terminated.reach(Strategy::OneForOne);
    supervisor.shutdown();
    for ask in [start(), Ask::Terminate, Ask::Restart, Ask::Delete] {
        assert_eq!(supervisor.ask(&ask, CHILD), "noproc", "{ask:?}");
    }
}

/// A dynamic supervisor at its limit: the child under test, and another.
fn full() -> ImmediateSim {
    let mut supervisor = supervisor(Strategy::OneForOne, Some(2), &[]);
    assert_eq!(supervisor.ask(&start(), CHILD), "ok, pid");
    assert_eq!(supervisor.ask(&start(), 1), "ok, pid");
    assert_eq!(supervisor.ask(&start(), 2), "max_children");
    supervisor
}

#[test]
fn running_and_restarting_children_count_for_max_children() {
    let mut supervisor = full();
    supervisor.script.push_back("start error");
    supervisor.child_ends(CHILD, ExitReason::Killed);
    assert_eq!(listed(&supervisor, CHILD), Some("restarting"));
    assert_eq!(supervisor.ask(&start(), 2), "max_children");
    assert_eq!(supervisor.ask(&Ask::Terminate, CHILD), "ok", "also one that is being restarted");
    assert_eq!(supervisor.ask(&start(), 2), "ok, pid");
}

#[test]
fn dynamic_supervisor_keeps_no_stopped_child() {
    let permanent_and_temporary = [permanent(), child(Restart::Temporary)];
    for (policy, result) in
        permanent_and_temporary.iter().flat_map(|it| [(it, "ok, undefined"), (it, "start error")])
    {
        let mut supervisor = supervisor(Strategy::OneForOne, Some(1), &[]);
        supervisor.script.push_back(result);
        assert_eq!(supervisor.ask(&Ask::Start(policy.clone()), CHILD), result);
        assert_eq!(supervisor.children(), []);
        assert_eq!(supervisor.ask(&start(), 1), "ok, pid", "there is room");
    }
    let mut supervisor = full();
    assert_eq!(supervisor.ask(&Ask::Terminate, CHILD), "ok");
    assert_eq!(supervisor.ask(&Ask::Terminate, CHILD), "not_found");
    // A child that declines its restart is removed, and its restart was counted.
    supervisor.script.push_back("ok, undefined");
    supervisor.child_ends(1, ExitReason::Killed);
    assert_eq!(supervisor.children(), []);
}

#[test]
fn children_of_a_dynamic_supervisor_may_have_the_same_id() {
    let mut supervisor = supervisor(Strategy::OneForOne, Some(3), &[]);
    for _ in 0..3 {
        assert_eq!(supervisor.ask(&start(), CHILD), "ok, pid");
    }
    assert_eq!(supervisor.children(), [(CHILD, "running", 1); 3]);
}
