//! The decision table: every strategy, restart type and exit reason, for every child that may end.
//!
//! What is expected is computed here from OTP's rules, in a few lines that have nothing in common with the engine.

use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::{Action, ChildKey, Engine, Event, Policy, StartId};
use crate::policy::{AutoShutdown, ChildPolicy, Intensity, Restart, Strategy, SupervisorKind};

const CHILDREN: u64 = 4;
const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];

fn reasons() -> [(ExitReason, bool); 6] {
    let panic = || -> ExitReason { ExitReason::failed("stands for a panic: the engine sees no difference") };
    [
        (ExitReason::Normal, false),
        (ExitReason::shutdown(), false),
        (ExitReason::shutdown_with("a note"), false),
        (ExitReason::Killed, true),
        (ExitReason::failed("an error"), true),
        (panic(), true),
    ]
}

/// An engine whose children do at once what they are told, and what they were told.
struct World {
    engine: Engine,
    told: Vec<String>,
    runs: Vec<Option<StartId>>,
}

impl World {
    /// All children are up. `ending` is of the restart type in question, its siblings are permanent.
    fn up(strategy: Strategy, restart: Restart, ending: u64, intensity: u32) -> Self {
        let policy = Policy {
            kind: SupervisorKind::Static { strategy, auto_shutdown: AutoShutdown::Never },
            intensity: Intensity { restarts: intensity, period: Duration::from_secs(5) }.into(),
            kill_grace: Duration::from_secs(5),
            seed: 0,
        };
        let children = (0..CHILDREN).map(|key| {
            let restart = if key == ending { restart } else { Restart::Permanent };
            (key.to_string().into(), ChildPolicy { restart, ..ChildPolicy::default() })
        });
        let mut world = Self {
            engine: Engine::new(policy, children, StartId(0)),
            told: Vec::new(),
            runs: vec![None; CHILDREN as usize],
        };
        world.happen(Event::Begin);
        world.told.clear();
        world
    }

    fn end(&mut self, key: u64, reason: ExitReason) {
        let run = self.runs[key as usize].take().expect("it runs");
        self.happen(Event::Ended { key: ChildKey(key), run, reason });
    }

    fn happen(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.engine.step(event, Duration::ZERO) {
                events.extend(self.obey(&action));
            }
        }
    }

    fn obey(&mut self, action: &Action) -> Option<Event> {
        match *action {
            Action::Start { key, run } => {
                self.told.push(format!("start {}", key.0));
                assert!(self.runs[key.0 as usize].replace(run).is_none(), "two incarnations of one child");
                Some(Event::Started { key, run })
            }
            Action::Stop { key, .. } => {
                self.told.push(format!("stop {}", key.0));
                let run = self.runs[key.0 as usize].take().expect("only who lives is stopped");
                Some(Event::Ended { key, run, reason: ExitReason::shutdown() })
            }
            Action::Close { key, .. } | Action::Forget { key, .. } => {
                self.told.push(format!("close {}", key.0));
                None
            }
            Action::Exit { .. } => {
                self.told.push("exit".to_owned());
                None
            }
            _ => None,
        }
    }
}

/// The children that are restarted with `ending`, in start order.
fn affected(strategy: Strategy, ending: u64) -> std::ops::Range<u64> {
    match strategy {
        Strategy::OneForOne => ending..ending + 1,
        Strategy::OneForAll => 0..CHILDREN,
        Strategy::RestForOne => ending..CHILDREN,
    }
}

fn expected(
    strategy: Strategy,
    restart: Restart,
    ending: u64,
    abnormal: bool,
    intensity: u32,
) -> Vec<String> {
    let comes_back = match restart {
        Restart::Permanent => true,
        Restart::Transient => abnormal,
        Restart::Temporary => false,
    };
    if !comes_back {
        return vec![format!("close {ending}")];
    }
    let others = |range: std::ops::Range<u64>| {
        range.rev().filter(|key| *key != ending).map(|key| format!("stop {key}"))
    };
    if intensity == 0 {
        return others(0..CHILDREN).chain(["exit".to_owned()]).collect();
    }
    let affected = affected(strategy, ending);
    others(affected.clone()).chain(affected.map(|key| format!("start {key}"))).collect()
}

#[test]
fn every_end_is_answered_as_otp_answers_it() {
    for intensity in [0, 1] {
        for strategy in STRATEGIES {
            for restart in RESTARTS {
                for (reason, abnormal) in reasons() {
                    for ending in 0..CHILDREN {
                        let mut world = World::up(strategy, restart, ending, intensity);
                        world.end(ending, reason.clone());
                        let expected = expected(strategy, restart, ending, abnormal, intensity);
                        let case = format!(
                            "{strategy:?}, {restart:?}, {reason}, child {ending}, intensity {intensity}"
                        );
                        assert_eq!(world.told, expected, "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_group_counts_once_and_an_end_that_calls_for_no_restart_never() {
    for strategy in STRATEGIES {
        let mut world = World::up(strategy, Restart::Transient, 0, 1);
        world.end(0, ExitReason::Normal);
        world.end(1, ExitReason::Killed);
        assert!(!world.told.contains(&"exit".to_owned()), "{strategy:?}: one restart is tolerated");
        world.end(1, ExitReason::Killed);
        assert!(world.told.contains(&"exit".to_owned()), "{strategy:?}: two are not");
    }
}
