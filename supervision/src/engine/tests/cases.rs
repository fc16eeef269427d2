//! Single cases that random ones rarely come to, or pass by without a trace.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::Suspensions;

use crate::engine::{
    Action, ChildKey, ChildView, Engine, EngineReport, Event, Policy, Request, RequestError, RequestId,
    StartId, State, Target, UnresponsiveCause,
};
use crate::policy::{
    AutoShutdown, Backoff, ChildPolicy, Intensity, Liveness, ProbePolicy, Restart, Shutdown, Strategy,
    SupervisorKind,
};

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

/// An engine, the time, and who lives.
struct World {
    engine: Engine,
    now: Duration,
    actions: Vec<Action>,
}

impl World {
    /// All children are up.
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
        match self.engine.sight(key).map(|sight| sight.state) {
            Some(State::Starting { run, .. } | State::Running { run, .. }) => *run,
            Some(State::Stopping(stopping)) => stopping.run,
            state => panic!("{key:?} does not live: {state:?}"),
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

    /// How long a child waits for its restart that is due now.
    fn delay(&self, key: ChildKey) -> Duration {
        match self.engine.sight(key) {
            Some(ChildView { state: State::Restarting { .. }, .. }) => {
                self.engine.next_deadline().expect("it is delayed") - self.now
            }
            sight => panic!("it is not delayed: {sight:?}"),
        }
    }
}

impl World {
    /// Somebody who is asked every second, and has one to answer, is asked and does not answer.
    fn miss_a_probe(&mut self) -> Vec<Action> {
        self.now += SECOND;
        let asked = self.happen(Event::Tick);
        assert!(asked.iter().any(|action| matches!(action, Action::Probe { .. })), "{asked:?}");
        self.now += SECOND;
        let looks = self.happen(Event::Tick).to_vec();
        let [Action::CheckBusy { key, run }] = looks[..] else { panic!("it is to be looked at: {looks:?}") };
        self.happen(Event::BusyChecked { key, run, busy: None, suspensions: Suspensions::default() }).to_vec()
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
fn a_group_restart_after_a_hang_starts_one_child_after_the_other() {
    let probe = ProbePolicy { period: SECOND, timeout: SECOND, failure_threshold: 1 };
    let watched = Liveness { probe: Some(probe), ..Liveness::default() };
    let watched = ChildPolicy { liveness: Some(Arc::new(watched)), ..ChildPolicy::default() };
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::up(policy(strategy), vec![watched.clone(), ChildPolicy::default()]);
        let verdict = world.miss_a_probe();
        let stopped = |action: &Action| matches!(action, Action::Stop { key: ChildKey(0), .. });
        assert!(verdict.iter().any(stopped), "{verdict:?}");
        // The first has gone, then its sibling; only then are they started, and not together.
        assert_eq!(starts(world.end(ChildKey(0))), []);
        assert_eq!(starts(world.end(ChildKey(1))), [ChildKey(0)], "{strategy:?}");
        assert_eq!(starts(world.start(ChildKey(0))), [ChildKey(1)], "{strategy:?}");
    }
}

#[test]
fn a_lone_child_of_a_group_that_hung_is_started_before_those_that_were_down() {
    let probe = ProbePolicy { period: SECOND, timeout: SECOND, failure_threshold: 1 };
    let watched = Liveness { probe: Some(probe), ..Liveness::default() };
    let watched = ChildPolicy { liveness: Some(Arc::new(watched)), ..ChildPolicy::default() };
    let transient = ChildPolicy { restart: Restart::Transient, ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForAll), vec![watched, transient]);
    let run = world.run(ChildKey(1));
    world.happen(Event::Ended { key: ChildKey(1), run, reason: ExitReason::Normal });
    world.miss_a_probe();
    assert_eq!(starts(world.end(ChildKey(0))), [ChildKey(0)]);
    assert_eq!(starts(world.start(ChildKey(0))), [ChildKey(1)]);
}

#[test]
fn who_would_have_come_back_with_its_group_is_closed_when_the_group_does_not() {
    for (strategy, left_behind) in [(Strategy::OneForAll, ChildKey(2)), (Strategy::RestForOne, ChildKey(2))] {
        let mut world = World::up(policy(strategy), vec![ChildPolicy::default(); 3]);
        // The second fails in the restart of the group. The third waits for it.
        world.end(ChildKey(1));
        while world.engine.sights().any(|sight| matches!(sight.state, State::Stopping(_))) {
            let stopping = |sight: &ChildView<'_>| matches!(sight.state, State::Stopping(_));
            let key = world.engine.sights().find(stopping).map(|sight| sight.key).expect("one stops");
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
fn who_waits_for_its_group_is_closed_when_it_is_deleted_or_its_group_is_none_any_more() {
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
fn a_start_that_is_complete_after_its_timeout_has_failed() {
    let hurried = ChildPolicy { start_timeout: Some(SECOND), ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), Vec::new());
    world.ask(Request::Start { id: "late".into(), policy: hurried });
    assert!(matches!(world.tick(), [Action::Kill { key: ChildKey(0) }]));
    // It says so while it is being killed.
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
    assert!(world.engine.sights().next().is_none(), "it was brought for that only");
}

#[test]
fn a_start_by_hand_among_siblings_is_a_round_until_it_is_over_whoever_else_starts() {
    let transient = ChildPolicy { restart: Restart::Transient, ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), vec![transient; 3]);
    for key in [ChildKey(0), ChildKey(1)] {
        let run = world.run(key);
        world.happen(Event::Ended { key, run, reason: ExitReason::Normal });
    }
    // The first starts while each is for itself, the second when they belong together.
    world.ask(Request::Restart(Target::Key(ChildKey(0))));
    world.ask(Request::Change { policy: policy(Strategy::OneForAll), children: Vec::new() });
    world.ask(Request::Restart(Target::Key(ChildKey(1))));
    world.start(ChildKey(0));
    let meanwhile = world.end(ChildKey(2));
    assert!(meanwhile.is_empty(), "nothing happens to the group while one of it starts: {meanwhile:?}");
    world.start(ChildKey(1));
    assert!(matches!(world.engine.sight(ChildKey(1)), Some(ChildView { state: State::Stopping(_), .. })));
}

#[test]
fn who_has_been_healthy_begins_anew_at_the_first_delay_however_it_stopped() {
    let backoff = Backoff::new(SECOND, 8 * SECOND).reset_after(10 * SECOND);
    let watched = Liveness { handler_deadline: Some(60 * SECOND), probe: None };
    let delayed = ChildPolicy {
        backoff: Some(Arc::new(backoff)),
        liveness: Some(Arc::new(watched)),
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
            suspensions: Suspensions::default(),
        });
    };
    assert_eq!(delays(9 * SECOND, hanging), [SECOND, 2 * SECOND, 4 * SECOND]);
    assert_eq!(delays(10 * SECOND, hanging), [SECOND, 2 * SECOND, SECOND]);
}

#[test]
fn the_same_seed_has_the_same_delays_and_another_has_others() {
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
    assert_eq!(delays(1, Some(3)), delays(2, Some(3)), "unless it is said");
    for (failures, delay) in (0..).zip(delays(1, None)) {
        let least = SECOND * 2_u32.pow(failures);
        assert!((least..2 * least).contains(&delay), "{delay:?} after {failures} failures");
    }
}

#[test]
fn children_that_fail_together_do_not_come_back_together() {
    let backoff = Backoff::new(SECOND, SECOND).jitter(1.0).seed(3);
    let delayed = ChildPolicy { backoff: Some(Arc::new(backoff)), ..ChildPolicy::default() };
    let mut world = World::up(policy(Strategy::OneForOne), vec![delayed; 2]);
    world.end(ChildKey(0));
    world.end(ChildKey(1));
    assert_eq!(starts(world.tick()).len(), 1);
}

#[test]
fn no_duration_is_too_long_to_be_said() {
    let ever = Duration::MAX;
    let probe = ProbePolicy { period: ever, timeout: ever, failure_threshold: u32::MAX };
    let liveness = Liveness { handler_deadline: Some(ever), probe: Some(probe) };
    let patient = ChildPolicy {
        shutdown: Shutdown::Timeout(ever),
        start_timeout: Some(ever),
        backoff: Some(Arc::new(Backoff::new(Duration::ZERO, ever).jitter(1.0).reset_after(ever))),
        liveness: Some(Arc::new(liveness)),
        ..ChildPolicy::default()
    };
    let policy = Policy { kill_grace: ever, ..policy(Strategy::OneForOne) };
    let mut world = World::up(policy, vec![patient.clone()]);
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
        suspensions: Suspensions::default(),
    });
    world.happen(Event::Probed { key: ChildKey(0), run, question: 0, answered: true });
    assert!(world.happen(Event::Tick).is_empty());
    let verdict = world.happen(Event::BusyChecked {
        key: ChildKey(0),
        run,
        busy: Some(ever),
        suspensions: Suspensions::default(),
    });
    let hangs = |action: &Action| {
        matches!(
            action,
            Action::Report(EngineReport::Unresponsive { sign: UnresponsiveCause::Handler(_), .. })
        )
    };
    assert!(verdict.iter().any(hangs), "{verdict:?}");
    assert!(world.happen(Event::Tick).is_empty(), "it has for ever");
    world.ask(Request::Terminate(Target::Key(ChildKey(0))));
    world.end(ChildKey(0));
    assert!(world.engine.next_deadline().is_none());
    // The longest delay of all.
    let backoff = Some(Arc::new(Backoff::new(ever, ever).jitter(1.0)));
    world.ask(Request::Start { id: "1".into(), policy: ChildPolicy { backoff, ..patient } });
    world.start(ChildKey(1));
    world.end(ChildKey(1));
    assert_eq!(world.engine.next_deadline(), Some(ever));
}
