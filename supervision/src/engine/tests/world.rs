//! An engine whose events happen one by one, for tests of single cases.

use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId, State};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Strategy, SupervisorKind};
use crate::tree::ChildState;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const FIRST: ChildKey = ChildKey(0);
pub(super) const SECOND_CHILD: ChildKey = ChildKey(1);

pub(super) const STATIC: SupervisorKind =
    SupervisorKind::Static { strategy: Strategy::OneForOne, auto_shutdown: AutoShutdown::Never };
pub(super) const ALL: SupervisorKind =
    SupervisorKind::Static { strategy: Strategy::OneForAll, auto_shutdown: AutoShutdown::Never };

pub(super) fn policy(kind: SupervisorKind) -> Policy {
    let intensity = Intensity { restarts: 100, period: Duration::MAX };
    Policy { kind, intensity: intensity.into(), kill_grace: SECOND, seed: 7 }
}

/// An engine and the time.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Duration,
}

impl World {
    /// Begins the start of children with the ids "0", "1" ...
    pub(super) fn begin(kind: SupervisorKind, children: &[ChildPolicy]) -> Self {
        let named = children.iter().enumerate().map(|(id, child)| (id.to_string().into(), child.clone()));
        let mut world = Self { engine: Engine::new(policy(kind), named, StartId(0)), now: SECOND };
        world.happen(Event::Begin);
        world
    }

    /// Starts all children.
    pub(super) fn up(kind: SupervisorKind, children: &[ChildPolicy]) -> Self {
        let mut world = Self::begin(kind, children);
        (0..children.len() as u64).for_each(|key| drop(world.start(ChildKey(key))));
        world
    }

    pub(super) fn happen(&mut self, event: Event) -> Vec<Action> {
        self.engine.step(event, self.now)
    }

    pub(super) fn run(&self, key: ChildKey) -> StartId {
        match self.engine.view(key).map(|view| view.state) {
            Some(State::Starting { run, .. } | State::Running { run, .. }) => *run,
            Some(State::Stopping(stopping)) => stopping.run,
            state => panic!("{key:?} has no incarnation: {state:?}"),
        }
    }

    pub(super) fn start(&mut self, key: ChildKey) -> Vec<Action> {
        let run = self.run(key);
        self.happen(Event::Started { key, run })
    }

    pub(super) fn fail(&mut self, key: ChildKey, reason: ExitReason) -> Vec<Action> {
        let run = self.run(key);
        self.happen(Event::StartFailed { key, run, reason })
    }

    pub(super) fn end(&mut self, key: ChildKey, reason: ExitReason) -> Vec<Action> {
        let run = self.run(key);
        self.happen(Event::Ended { key, run, reason })
    }

    pub(super) fn ask(&mut self, ticket: u64, request: Request) -> Vec<Action> {
        self.happen(Event::Request { ticket: RequestId(ticket), request })
    }

    pub(super) fn shutdown(&mut self) -> Vec<Action> {
        self.happen(Event::Shutdown { reason: ExitReason::shutdown(), drains: false })
    }

    pub(super) fn tick(&mut self) -> Vec<Action> {
        self.now = self.engine.next_deadline().expect("something is due");
        self.happen(Event::Tick)
    }

    /// Applies a changed spec with this kind, and these children with the ids "0", "1" ...
    pub(super) fn change(&mut self, kind: SupervisorKind, children: &[ChildPolicy]) -> Vec<Action> {
        let named = children.iter().enumerate().map(|(id, child)| (id.to_string().into(), child.clone()));
        let request = Request::Change { policy: policy(kind), children: named.collect() };
        self.ask(0, request)
    }

    /// Gives the outcome of the condition that the actions evaluate.
    pub(super) fn decide(&mut self, actions: &[Action], restarts: bool) -> Vec<Action> {
        let check = |action: &Action| match action {
            Action::CheckCondition { key, generation, .. } => Some((*key, *generation)),
            _ => None,
        };
        let Some((key, generation)) = actions.iter().find_map(check) else {
            panic!("no condition is evaluated: {actions:?}")
        };
        self.happen(Event::ConditionChecked { key, generation, restarts })
    }

    /// Makes the retry that the actions schedule.
    pub(super) fn retry(&mut self, actions: &[Action]) -> Vec<Action> {
        let retry = |action: &Action| match action {
            Action::Retry { key, generation } => Some((*key, *generation)),
            _ => None,
        };
        let Some((key, generation)) = actions.iter().find_map(retry) else {
            panic!("no retry is scheduled: {actions:?}")
        };
        self.happen(Event::Retry { key, generation })
    }

    /// Returns the state of a child that others see. `None` is a child that was removed.
    pub(super) fn shown(&self, key: ChildKey) -> Option<ChildState> {
        self.engine.view(key).map(|view| view.shown)
    }
}

/// Returns the children that start.
pub(super) fn starts(actions: &[Action]) -> Vec<ChildKey> {
    let start = |action: &Action| if let Action::Start { key, .. } = action { Some(*key) } else { None };
    actions.iter().filter_map(start).collect()
}
