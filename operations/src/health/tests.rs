//! The decision about the health of a tree, case by case.

use perennial_supervision::ChildState::{Failed, Restarting, Running, Starting, Stopped, Stopping, Waiting};
use perennial_supervision::pool::WorkerCounts;
use perennial_supervision::{ChildKind, ChildState, Restart, Strategy};

use super::decision::{Observation, Phase};
use super::path::NodePath;
use super::{Health, HealthStatus, NotLive, NotReady};
use crate::figures::TreeNode;

/// The identity of the pools of these tests.
const POOL: u64 = 7;

fn worker(level: usize, id: &str, state: ChildState) -> TreeNode {
    TreeNode {
        level,
        id: id.into(),
        identity: 1,
        kind: ChildKind::Worker,
        restart: Restart::Permanent,
        significant: false,
        state,
        pid: None,
        stop: None,
        restarts: 0,
        strategy: None,
        restarts_left: None,
        gave_up: false,
    }
}

fn supervisor(level: usize, id: &str, state: ChildState) -> TreeNode {
    let (kind, strategy) = (ChildKind::Supervisor, Some(Strategy::OneForOne));
    TreeNode { kind, strategy, ..worker(level, id, state) }
}

fn observe(nodes: impl IntoIterator<Item = TreeNode>) -> Observation {
    let nodes = std::iter::once(supervisor(0, "app", Running)).chain(nodes).collect();
    Observation { tree: "app".into(), phase: Phase::Started, nodes, ..Observation::default() }
}

fn down(child: &str, state: ChildState) -> NotReady {
    NotReady::Down { child: child.into(), state }
}

/// Returns why a tree with these children is not ready.
fn not_ready(nodes: impl IntoIterator<Item = TreeNode>) -> Vec<NotReady> {
    let Health { started, not_live, not_ready, .. } = observe(nodes).decide();
    assert!(started && not_live.is_empty());
    not_ready
}

#[test]
fn path_of_a_node_follows_its_level() {
    let mut path = NodePath::default();
    let nodes = [(0, "a"), (1, "b"), (2, "c"), (2, "d"), (1, "e"), (2, ""), (0, "f")];
    let paths = nodes.map(|(level, id)| path.enter(level, id).to_owned());
    assert_eq!(paths, ["a", "a/b", "a/b/c", "a/b/d", "a/e", "a/e/", "f"]);
}

#[test]
fn permanent_child_is_down_in_each_state_but_running() {
    assert_eq!(not_ready([worker(1, "w", Running)]), []);
    for state in [Stopped, Waiting, Starting, Restarting, Stopping, Failed] {
        assert_eq!(not_ready([worker(1, "w", state)]), [down("app/w", state)]);
    }
}

#[test]
fn transient_child_that_ended_for_good_is_not_missed() {
    let child = |state| TreeNode { restart: Restart::Transient, ..worker(1, "w", state) };
    assert_eq!(not_ready([child(Stopped)]), []);
    assert_eq!(not_ready([child(Failed)]), [down("app/w", Failed)]);
    assert_eq!(not_ready([child(Restarting)]), [down("app/w", Restarting)]);
}

#[test]
fn temporary_child_matters_only_if_it_is_significant() {
    let child = |significant| TreeNode {
        restart: Restart::Temporary,
        significant,
        ..supervisor(1, "group", Stopping)
    };
    assert_eq!(not_ready([child(false), worker(2, "w", Restarting)]), []);
    assert_eq!(not_ready([child(true)]), [down("app/group", Stopping)]);
}

#[test]
fn only_the_top_of_what_is_down_is_named() {
    let nodes =
        [supervisor(1, "group", Restarting), worker(2, "first", Waiting), worker(1, "last", Starting)];
    assert_eq!(not_ready(nodes), [down("app/group", Restarting), down("app/last", Starting)]);
}

#[test]
fn children_of_a_dynamic_supervisor_do_not_matter() {
    let sessions = TreeNode { strategy: None, ..supervisor(1, "sessions", Running) };
    assert_eq!(not_ready([sessions, worker(2, "s", Restarting)]), []);
}

#[test]
fn pool_is_ready_with_one_ready_worker_or_if_it_wants_none() {
    for (wanted, ready, is_ready) in [(4, 1, true), (4, 0, false), (0, 0, true)] {
        let pool = TreeNode { identity: POOL, ..supervisor(1, "pool", Running) };
        let mut observation = observe([pool, worker(2, "1", Restarting)]);
        let mut workers = WorkerCounts::default();
        (workers.wanted, workers.ready) = (wanted, ready);
        observation.pools.insert(POOL, workers);
        let expected = (!is_ready).then(|| NotReady::NoReadyWorker { pool: "app/pool".into() });
        assert_eq!(observation.decide().not_ready, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn ignored_child_does_not_matter_and_nothing_below_it() {
    let nodes = [supervisor(1, "a", Restarting), supervisor(1, "b", Running), worker(2, "c", Failed)];
    let mut observation = observe(nodes);
    observation.ignored = ["app/a".into(), "app/b".into()].into();
    assert!(observation.decide().is_ready());
}

#[test]
fn tree_that_stops_is_live_and_not_ready() {
    let mut observation = observe([]);
    observation.nodes[0].state = Stopping;
    let health = observation.decide();
    assert_eq!((health.status(), health.is_live()), (HealthStatus::Stopping, true));
    assert!(!health.is_ready());
    assert_eq!(health.to_string(), "stopping: app is stopping");
}

#[test]
fn tree_is_not_started_before_it_has_come_up() {
    let health = Observation { tree: "app".into(), ..Observation::default() }.decide();
    assert_eq!(
        (health.status(), health.is_live(), health.is_started()),
        (HealthStatus::Starting, true, false)
    );
    assert_eq!(health.not_ready, [NotReady::Starting { tree: "app".into() }]);
}

#[test]
fn supervisor_without_an_answer_is_not_live() {
    let mut observation = observe([]);
    observation.unresponsive = vec!["app".into()];
    let health = observation.decide();
    assert_eq!(health.not_live, [NotLive::Unresponsive { supervisor: "app".into() }]);
    assert_eq!(health.to_string(), "failed: app does not answer");
}

#[test]
fn root_that_gave_up_is_not_live_from_then_on() {
    for (phase, state) in [(Phase::Started, Stopping), (Phase::Ended, Stopped)] {
        let mut observation = observe([]);
        observation.phase = phase;
        observation.nodes[0] = TreeNode { gave_up: true, ..supervisor(0, "app", state) };
        assert_eq!(observation.decide().not_live, [NotLive::GaveUp { tree: "app".into() }]);
    }
}

#[test]
fn tree_that_ended_is_not_live() {
    let ended = Observation { tree: "app".into(), phase: Phase::Ended, ..Observation::default() };
    assert_eq!(ended.decide().not_live, [NotLive::Ended { tree: "app".into() }]);
}

#[test]
fn closed_gates_come_after_the_children() {
    let mut observation = observe([worker(1, "w", Failed)]);
    observation.closed_gates = vec!["cache".into()];
    let gate = NotReady::GateClosed { gate: "cache".into() };
    assert_eq!(observation.decide().not_ready, [down("app/w", Failed), gate]);
}

#[test]
fn health_is_plain_data() {
    let mut observation = observe([worker(1, "w", Restarting)]);
    observation.unresponsive = vec!["app".into()];
    let health = observation.decide();
    let text = serde_json::to_string(&health).expect("it is data");
    let expected = concat!(
        r#"{"started":true,"stopping":false,"not_live":[{"unresponsive":{"supervisor":"app"}}],"#,
        r#""not_ready":[{"down":{"child":"app/w","state":"restarting"}}]}"#
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Health>(&text).expect("it is read"), health);
}
