//! Single cases that random traces rarely reach or do not check.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::Suspensions;

use crate::engine::{
    Action, ChildKey, ChildView, Engine, Event, Policy, Request, RequestError, RequestId, StartId, State,
    Target,
};
use crate::policy::{
    AutoShutdown, Backoff, ChildPolicy, Intensity, Liveness, ProbePolicy, Restart, Shutdown, Strategy,
    SupervisorKind,
};
use crate::report::{LivenessFailure, ReportKind};

const SECOND: Duration = Duration::from_secs(1);

fn policy(strategy: Strategy) -> Policy {
    let kind = SupervisorKind::Static { strategy, auto_shutdown: AutoShutdown::Never };
    Policy {
        kind,
        intensity: Intensity { restarts: 100, period: Duration::MAX }.into(),
        kill_grace: SECOND,
        seed: 7,
    }
}

/// An engine, the time, and the last actions.
struct World {
    engine: Engine,
    now: Duration,
    actions: Vec<Action>,
}

impl World {
    /// Creates an engine, and starts all children.
    fn up(policy: Policy, children: Vec<ChildPolicy>) -> Self {
        let named = (0..).zip(children).map(|(id, child): (u32, _)| (id.to_string().into(), child));
        let mut world =
            Self { engine: Engine::new(policy, named, StartId(0)), now: SECOND, actions: Vec::new() };
        world.happen(Event::Begin);
        while let Some(Action::Start { key, .. }) = world.actions.last().cloned() {
            world.start(key);
        }
        world
    }

    fn happen(&mut self, event: Event) -> &[Action] {
        self.actions = self.engine.step(event, self.now);
        &self.actions
    }

    fn run(&self, key: ChildKey) -> StartId {
        match self.engine.view(key).map(|view| view.state) {
            Some(State::Starting { run, .. } | State::Running { run, .. }) => *run,
            Some(State::Stopping(stopping)) => stopping.run,
            state => panic!("{key:?} has no incarnation: {state:?}"),
        }
    }

    fn start(&mut self, key: ChildKey) -> &[Action] {
        let run = self.run(key);
        self.happen(Event::Started { key, run })
    }

    fn fail(&mut self, key: ChildKey) -> &[Action] {
        let run = self.run(key);
        self.happen(Event::StartFailed { key, run, reason: ExitReason::failed("no") })
    }

    fn end(&mut self, key: ChildKey) -> &[Action] {
        let run = self.run(key);
        self.happen(Event::Ended { key, run, reason: ExitReason::Killed })
    }

    fn ask(&mut self, request: Request) -> &[Action] {
        self.happen(Event::Request { ticket: RequestId(0), request })
    }

    fn tick(&mut self) -> &[Action] {
        self.now = self.engine.next_deadline().expect("something is due");
        self.happen(Event::Tick)
    }

    /// Returns the delay of a child whose restart is due now.
    fn delay(&self, key: ChildKey) -> Duration {
        match self.engine.view(key) {
            Some(ChildView { state: State::Restarting { .. }, .. }) => {
                self.engine.next_deadline().expect("it is delayed") - self.now
            }
            view => panic!("it is not delayed: {view:?}"),
        }
    }
}

impl World {
    /// Lets a child miss one answer. It is probed every second, and has a second to answer.
    fn miss_probe(&mut self) -> Vec<Action> {
        self.now += SECOND;
        let asked = self.happen(Event::Tick);
        assert!(asked.iter().any(|action| matches!(action, Action::Probe { .. })), "{asked:?}");
        self.now += SECOND;
        let looks = self.happen(Event::Tick).to_vec();
        let [Action::CheckBusy { key, run }] = looks[..] else { panic!("it is to be looked at: {looks:?}") };
        self.happen(Event::BusyChecked {
            key,
            run,
            busy: None,
            last_ping: None,
            suspensions: Suspensions::default(),
        })
        .to_vec()
    }
}

fn starts(actions: &[Action]) -> Vec<ChildKey> {
    let start = |action: &Action| if let Action::Start { key, .. } = action { Some(*key) } else { None };
    actions.iter().filter_map(start).collect()
}

fn closes(actions: &[Action]) -> Vec<ChildKey> {
    let close = |action: &Action| if let Action::Close { key, .. } = action { Some(*key) } else { None };
    actions.iter().filter_map(close).collect()
}

#[test]
fn group_restart_after_an_unresponsive_child_starts_one_child_after_the_other() {
    let probe = ProbePolicy { initial_delay: None, period: SECOND, timeout: SECOND, failure_threshold: 1 };
    let with_liveness = Liveness { probe: Some(probe), ..Liveness::default() };
    let with_liveness = ChildPolicy { liveness: Some(Arc::new(with_liveness)), ..ChildPolicy::default() };
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::up(policy(strategy), vec![with_liveness.clone(), ChildPolicy::default()]);
        let actions = world.miss_probe();
        let stopped = |action: &Action| matches!(action, Action::Stop { key: ChildKey(0), .. });
        assert!(actions.iter().any(stopped), "{actions:?}");
        // The child exits first, then its sibling. Only then both are started, one after the other.
        assert_eq!(starts(world.end(ChildKey(0))), []);
        assert_eq!(starts(world.end(ChildKey(1))), [ChildKey(0)], "{strategy:?}");
        assert_eq!(starts(world.start(ChildKey(0))), [ChildKey(1)], "{strategy:?}");
    }
}

#[test]
fn unresponsive_child_is_restarted_before_stopped_siblings_of_its_group() {
    let probe = ProbePolicy { initial_delay: None, period: SECOND, timeout: SECOND, failure_threshold: 1 };
    let with_liveness = Liveness { probe: Some(probe), ..Liveness::default() };
    let with_liveness = ChildPolicy { liveness: Some(Arc::new(with_liveness)), ..ChildPolicy::default() };
    let transient = ChildPolicy { restart: Restart::Transient, ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForAll), vec![with_liveness, transient]);
    let run = world.run(ChildKey(1));
    world.happen(Event::Ended { key: ChildKey(1), run, reason: ExitReason::Normal });
    world.miss_probe();
    assert_eq!(starts(world.end(ChildKey(0))), [ChildKey(0)]);
    assert_eq!(starts(world.start(ChildKey(0))), [ChildKey(1)]);
}

#[test]
fn sibling_due_with_its_group_is_closed_when_the_group_is_not_restarted() {
    for (strategy, left_behind) in [(Strategy::OneForAll, ChildKey(2)), (Strategy::RestForOne, ChildKey(2))] {
        let mut world = World::up(policy(strategy), vec![ChildPolicy::default(); 3]);
        // The second child fails in the group restart. The third waits for it.
        world.end(ChildKey(1));
        while world.engine.views().any(|view| matches!(view.state, State::Stopping(_))) {
            let stopping = |view: &ChildView<'_>| matches!(view.state, State::Stopping(_));
            let key = world.engine.views().find(stopping).map(|view| view.key).expect("one stops");
            world.end(key);
        }
        if strategy == Strategy::OneForAll {
            world.start(ChildKey(0));
        }
        assert_eq!(closes(world.fail(ChildKey(1))), [], "it is tried again");
        let stopped = world.ask(Request::Terminate(Target::Key(ChildKey(1))));
        assert_eq!(closes(stopped), [ChildKey(1), left_behind], "{strategy:?}");
    }
}

#[test]
fn sibling_waiting_for_its_group_is_closed_when_it_is_deleted_or_the_strategy_changes() {
    let failing = || {
        let mut world = World::up(policy(Strategy::RestForOne), vec![ChildPolicy::default(); 2]);
        world.end(ChildKey(0));
        world.end(ChildKey(1));
        world.fail(ChildKey(0));
        world
    };
    assert_eq!(closes(failing().ask(Request::Delete(Target::Key(ChildKey(1))))), [ChildKey(1)]);
    let change = |strategy| Request::Change { policy: policy(strategy), children: Vec::new() };
    assert_eq!(closes(failing().ask(change(Strategy::OneForAll))), []);
    assert_eq!(closes(failing().ask(change(Strategy::OneForOne))), [ChildKey(1)]);
}

#[test]
fn start_that_completes_after_its_timeout_has_failed() {
    let with_timeout = ChildPolicy { start_timeout: Some(SECOND), ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), Vec::new());
    world.ask(Request::Start { id: "timed_out".into(), policy: with_timeout.into() });
    assert!(matches!(world.tick(), [Action::Kill { key: ChildKey(0) }]));
    // The start completes while the child is being killed.
    let run = world.run(ChildKey(0));
    assert!(world.start(ChildKey(0)).is_empty());
    let ended = world.happen(Event::Ended { key: ChildKey(0), run, reason: ExitReason::Killed });
    assert!(
        matches!(
            ended,
            [.., Action::Answer { result: Err(RequestError::StartFailed(ExitReason::StartTimedOut)), .. }]
        ),
        "{ended:?}"
    );
    assert!(world.engine.views().next().is_none(), "it was added only to be started");
}

#[test]
fn start_by_request_among_siblings_is_a_transition_until_it_completes() {
    let transient = ChildPolicy { restart: Restart::Transient, ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), vec![transient; 3]);
    for key in [ChildKey(0), ChildKey(1)] {
        let run = world.run(key);
        world.happen(Event::Ended { key, run, reason: ExitReason::Normal });
    }
    // The first start begins while the children are independent, the second when they are a group.
    world.ask(Request::Restart(Target::Key(ChildKey(0))));
    world.ask(Request::Change { policy: policy(Strategy::OneForAll), children: Vec::new() });
    world.ask(Request::Restart(Target::Key(ChildKey(1))));
    world.start(ChildKey(0));
    let meanwhile = world.end(ChildKey(2));
    assert!(meanwhile.is_empty(), "nothing happens to the group while one of it starts: {meanwhile:?}");
    world.start(ChildKey(1));
    assert!(matches!(world.engine.view(ChildKey(1)), Some(ChildView { state: State::Stopping(_), .. })));
}

#[test]
fn healthy_child_restarts_with_the_first_delay_after_any_kind_of_stop() {
    let backoff = Backoff::new(SECOND, 8 * SECOND).reset_after(10 * SECOND);
    let with_liveness = Liveness { handler_deadline: Some(60 * SECOND), ..Liveness::default() };
    let delayed = ChildPolicy {
        backoff: Some(Arc::new(backoff)),
        liveness: Some(Arc::new(with_liveness)),
        ..ChildPolicy::default()
    };
    let delays = |time_up: Duration, stop: fn(&mut World)| {
        let mut world = World::up(policy(Strategy::OneForOne), vec![delayed.clone()]);
        let mut delays = Vec::new();
        for _ in 0..2 {
            world.end(ChildKey(0));
            delays.push(world.delay(ChildKey(0)));
            world.tick();
            world.start(ChildKey(0));
        }
        world.now += time_up;
        stop(&mut world);
        world.end(ChildKey(0));
        delays.push(world.delay(ChildKey(0)));
        delays
    };
    let itself = |_: &mut World| {};
    assert_eq!(delays(9 * SECOND, itself), [SECOND, 2 * SECOND, 4 * SECOND]);
    assert_eq!(delays(10 * SECOND, itself), [SECOND, 2 * SECOND, SECOND]);
    let by_hand = |world: &mut World| {
        world.ask(Request::Terminate(Target::Key(ChildKey(0))));
        world.end(ChildKey(0));
        world.ask(Request::Restart(Target::Key(ChildKey(0))));
        world.start(ChildKey(0));
    };
    assert_eq!(delays(9 * SECOND, by_hand), [SECOND, 2 * SECOND, 4 * SECOND]);
    assert_eq!(delays(10 * SECOND, by_hand), [SECOND, 2 * SECOND, SECOND]);
    let hanging = |world: &mut World| {
        let run = world.run(ChildKey(0));
        world.happen(Event::BusyChecked {
            key: ChildKey(0),
            run,
            busy: Some(60 * SECOND),
            last_ping: None,
            suspensions: Suspensions::default(),
        });
    };
    assert_eq!(delays(9 * SECOND, hanging), [SECOND, 2 * SECOND, 4 * SECOND]);
    assert_eq!(delays(10 * SECOND, hanging), [SECOND, 2 * SECOND, SECOND]);
}

#[test]
fn equal_seeds_give_equal_delays_and_different_seeds_different_ones() {
    let delays = |seed: u64, own: Option<u64>| {
        let backoff = Backoff::new(SECOND, 60 * SECOND).jitter(1.0);
        let backoff = own.map_or(backoff, |own| backoff.seed(own));
        let delayed = ChildPolicy { backoff: Some(Arc::new(backoff)), ..ChildPolicy::default() };
        let mut world = World::up(Policy { seed, ..policy(Strategy::OneForOne) }, vec![delayed]);
        let mut delays = Vec::new();
        for _ in 0..6 {
            world.end(ChildKey(0));
            delays.push(world.delay(ChildKey(0)));
            world.tick();
            world.start(ChildKey(0));
        }
        delays
    };
    assert_eq!(delays(1, None), delays(1, None));
    assert_ne!(delays(1, None), delays(2, None), "each incarnation of a supervisor draws its own");
    assert_eq!(delays(1, Some(3)), delays(2, Some(3)), "unless the backoff has its own");
    for (failures, delay) in (0..).zip(delays(1, None)) {
        let least = SECOND * 2_u32.pow(failures);
        assert!((least..2 * least).contains(&delay), "{delay:?} after {failures} failures");
    }
}

#[test]
fn jitter_separates_the_restarts_of_children_that_fail_together() {
    let backoff = Backoff::new(SECOND, SECOND).jitter(1.0).seed(3);
    let delayed = ChildPolicy { backoff: Some(Arc::new(backoff)), ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), vec![delayed; 2]);
    world.end(ChildKey(0));
    world.end(ChildKey(1));
    assert_eq!(starts(world.tick()).len(), 1);
}

#[test]
fn durations_of_any_length_are_accepted() {
    let ever = Duration::MAX;
    let probe = ProbePolicy { initial_delay: None, period: ever, timeout: ever, failure_threshold: u32::MAX };
    let liveness = Liveness { handler_deadline: Some(ever), watchdog: Some(ever), probe: Some(probe) };
    let longest = ChildPolicy {
        shutdown: Shutdown::Timeout(ever),
        start_timeout: Some(ever),
        backoff: Some(Arc::new(Backoff::new(Duration::ZERO, ever).jitter(1.0).reset_after(ever))),
        liveness: Some(Arc::new(liveness)),
        ..ChildPolicy::default()
    };
    let policy = Policy { kill_grace: ever, ..policy(Strategy::OneForOne) };
    let mut world = World::up(policy, vec![longest.clone()]);
    world.end(ChildKey(0));
    world.now += SECOND;
    world.start(ChildKey(0));
    world.end(ChildKey(0));
    let run = world.run(ChildKey(0));
    world.start(ChildKey(0));
    world.happen(Event::BusyChecked {
        key: ChildKey(0),
        run,
        busy: Some(SECOND),
        last_ping: None,
        suspensions: Suspensions::default(),
    });
    world.happen(Event::Probed { key: ChildKey(0), run, probe_id: 0, answered: true });
    assert!(world.happen(Event::Tick).is_empty());
    let actions = world.happen(Event::BusyChecked {
        key: ChildKey(0),
        run,
        busy: Some(ever),
        last_ping: None,
        suspensions: Suspensions::default(),
    });
    let hangs = |action: &Action| {
        matches!(
            action,
            Action::Report { kind: ReportKind::Unresponsive { sign: LivenessFailure::Handler(_) }, .. }
        )
    };
    assert!(actions.iter().any(hangs), "{actions:?}");
    assert!(world.happen(Event::Tick).is_empty(), "it has for ever");
    world.ask(Request::Terminate(Target::Key(ChildKey(0))));
    world.end(ChildKey(0));
    assert!(world.engine.next_deadline().is_none());
    // The longest possible delay.
    let backoff = Some(Arc::new(Backoff::new(ever, ever).jitter(1.0)));
    world.ask(Request::Start { id: "1".into(), policy: ChildPolicy { backoff, ..longest }.into() });
    world.start(ChildKey(1));
    world.end(ChildKey(1));
    assert_eq!(world.engine.next_deadline(), Some(ever));
}
