//! The engine in a world where anything may happen in any order: random crashes, failed starts, late answers, requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use proptest::prelude::*;

use super::{Action, Engine, Event, Key, Policy, Request, Run, Sight, State, Target, Ticket};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Kind, Restart, Shutdown, Strategy as Among};

const CHILDREN: u64 = 4;

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Something that was told is done: which, and whether a start succeeds.
    Answer(usize, bool),
    /// A child ends by itself.
    Crash(u64, bool),
    /// A put-off try comes out of the inbox.
    Deliver,
    /// Time passes.
    Wait(u64),
    Terminate(u64),
    Restart(u64),
    Shutdown,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, well)| Op::Answer(which, well)),
        5 => (0..CHILDREN, any::<bool>()).prop_map(|(key, abnormal)| Op::Crash(key, abnormal)),
        4 => Just(Op::Deliver),
        3 => (0..8_000_u64).prop_map(Op::Wait),
        1 => (0..CHILDREN).prop_map(Op::Terminate),
        1 => (0..CHILDREN).prop_map(Op::Restart),
        1 => prop::bool::weighted(0.1).prop_map(|stop| if stop { Op::Shutdown } else { Op::Deliver }),
    ]
}

fn policy() -> impl Strategy<Value = (Policy, Vec<ChildPolicy>)> {
    let among = prop::sample::select(vec![Among::OneForOne, Among::OneForAll, Among::RestForOne]);
    let restart = prop::sample::select(vec![Restart::Permanent, Restart::Transient, Restart::Temporary]);
    let second = Duration::from_secs(1);
    let shutdown =
        prop::sample::select(vec![Shutdown::BrutalKill, Shutdown::Timeout(second), Shutdown::Infinity]);
    let child = (restart, shutdown, any::<bool>()).prop_map(move |(restart, shutdown, hurried)| {
        ChildPolicy { restart, shutdown, start_timeout: hurried.then_some(second), ..ChildPolicy::default() }
    });
    let children = prop::collection::vec(child, CHILDREN as usize);
    (among, 0..6_u32, children).prop_map(move |(strategy, restarts, children)| {
        let kind = Kind::Static { strategy, auto_shutdown: AutoShutdown::Never };
        let intensity = Intensity { restarts, period: 5 * second };
        (Policy { kind, intensity, patience: second, seed: 0 }, children)
    })
}

fn ids() -> impl Iterator<Item = Arc<str>> {
    (0..CHILDREN).map(|key| key.to_string().into())
}

/// Something that a child was told, and has not done yet.
#[derive(Clone, Copy, Debug)]
enum Task {
    Start(Key, Run),
    End(Key, Run),
}

struct World {
    engine: Engine,
    now: Duration,
    tasks: Vec<Task>,
    /// Who lives, and whether it is up.
    living: BTreeMap<Key, (Run, bool)>,
    retries: Vec<(Key, u32)>,
    asked: BTreeSet<Ticket>,
    next_ticket: u64,
    exits: u32,
}

impl World {
    fn new((policy, children): (Policy, Vec<ChildPolicy>)) -> Self {
        let mut world = Self {
            engine: Engine::new(policy, ids().zip(children), Run(0)),
            now: Duration::ZERO,
            tasks: Vec::new(),
            living: BTreeMap::new(),
            retries: Vec::new(),
            asked: BTreeSet::new(),
            next_ticket: 0,
            exits: 0,
        };
        world.happen(Event::Begin);
        world
    }

    fn happen(&mut self, event: Event) {
        let actions = self.engine.step(event, self.now);
        assert!(self.exits == 0 || actions.iter().all(|action| matches!(action, Action::Answer { .. })));
        for action in actions {
            self.obey(&action);
        }
        self.check();
    }

    fn obey(&mut self, action: &Action) {
        match *action {
            Action::Start { key, run } => {
                assert!(self.living.insert(key, (run, false)).is_none(), "two incarnations of one child");
                self.tasks.push(Task::Start(key, run));
            }
            // A child that is told twice, or killed while it stops, ends once.
            Action::Stop { key, .. } | Action::Kill { key } => {
                let (run, _) = self.living[&key];
                self.tasks.retain(|task| !matches!(task, Task::Start(k, _) | Task::End(k, _) if *k == key));
                self.tasks.push(Task::End(key, run));
            }
            Action::Abandon { key } => {
                self.living.remove(&key).expect("only who lives is abandoned");
                self.tasks.retain(|task| !matches!(task, Task::Start(k, _) | Task::End(k, _) if *k == key));
            }
            Action::Retry { key, generation } => self.retries.push((key, generation)),
            Action::Answer { ticket, .. } => assert!(self.asked.remove(&ticket), "answered twice"),
            Action::Close { key, .. } | Action::Forget { key, .. } => {
                assert!(!self.living.contains_key(&key), "closed while it lives")
            }
            Action::Exit { .. } => {
                assert!(self.living.is_empty(), "it ends before its children");
                self.exits += 1;
            }
            Action::Up
            | Action::Report(_)
            | Action::GoOn
            | Action::Admit { .. }
            | Action::Look { .. }
            | Action::Probe { .. } => {}
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Answer(which, well) if !self.tasks.is_empty() => self.answer(which % self.tasks.len(), well),
            Op::Crash(key, abnormal) => self.crash(Key(key), abnormal),
            Op::Deliver if !self.retries.is_empty() => {
                let (key, generation) = self.retries.remove(0);
                self.happen(Event::Retry { key, generation });
            }
            Op::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                self.happen(Event::Tick);
            }
            Op::Terminate(key) => self.ask(Request::Terminate(Target::Key(Key(key)))),
            Op::Restart(key) => self.ask(Request::Restart(Target::Key(Key(key)))),
            Op::Shutdown => self.happen(Event::Shutdown { reason: ExitReason::shutdown() }),
            Op::Answer(..) | Op::Deliver => {}
        }
    }

    fn answer(&mut self, which: usize, well: bool) {
        match self.tasks.remove(which) {
            Task::Start(key, run) if well => {
                self.living.insert(key, (run, true));
                self.happen(Event::Started { key, run });
            }
            Task::Start(key, run) => {
                self.living.remove(&key);
                self.happen(Event::StartFailed { key, run, reason: ExitReason::failed("x") });
            }
            Task::End(key, run) => {
                let reason = ExitReason::shutdown();
                match self.living.remove(&key) {
                    Some((_, true)) => self.happen(Event::Ended { key, run, reason }),
                    _ => self.happen(Event::StartFailed { key, run, reason }),
                }
            }
        }
    }

    fn crash(&mut self, key: Key, abnormal: bool) {
        let Some((run, true)) = self.living.get(&key).copied() else { return };
        let reason = if abnormal { ExitReason::Killed } else { ExitReason::Normal };
        // News of a run that is over changes nothing.
        let stale = Run(run.0.wrapping_sub(1));
        self.happen(Event::Ended { key, run: stale, reason: reason.clone() });
        self.living.remove(&key);
        self.tasks.retain(|task| !matches!(task, Task::End(k, _) if *k == key));
        self.happen(Event::Ended { key, run, reason });
    }

    fn ask(&mut self, request: Request) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.asked.insert(ticket);
        self.happen(Event::Asked { ticket, request });
    }

    /// What the engine believes is what is the case.
    fn check(&self) {
        for Sight { key, state, .. } in self.engine.sights() {
            let lives = self.living.get(&key).copied();
            match state {
                State::Running { run, .. } => assert_eq!(lives, Some((*run, true))),
                State::Starting { run, .. } => assert_eq!(lives.map(|(run, _)| run), Some(*run)),
                State::Stopping(stopping) => assert_eq!(lives.map(|(run, _)| run), Some(stopping.run)),
                State::Stopped | State::Ended { .. } | State::Restarting { .. } => {}
            }
        }
    }

    /// Lets everything that is under way come to its end.
    fn calm_down(&mut self) {
        for _ in 0..10_000 {
            if !self.tasks.is_empty() {
                self.answer(0, true);
            } else if !self.retries.is_empty() {
                self.apply(Op::Deliver);
            } else {
                return;
            }
        }
        panic!("it never calms down");
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_engine_gets_over_it(
        policy in policy(),
        ops in prop::collection::vec(op(), 0..120),
    ) {
        let mut world = World::new(policy);
        for op in ops {
            world.apply(op);
        }
        world.calm_down();
        if world.exits == 0 {
            // Nothing is under way any more: nobody starts, nobody stops, nobody waits to be restarted.
            for Sight { key, state, .. } in world.engine.sights() {
                prop_assert!(matches!(state, State::Running { .. } | State::Stopped), "{key:?} is {state:?}");
            }
            prop_assert!(world.asked.is_empty(), "somebody waits for an answer");
            world.apply(Op::Shutdown);
            world.calm_down();
        }
        prop_assert_eq!(world.exits, 1);
        prop_assert!(world.asked.is_empty() && world.living.is_empty());
        prop_assert_eq!(world.engine.next_deadline(), None);
    }
}
