//! A dynamic supervisor with very many children stops them in batches, and no child waits for the
//! exit of another.

use std::time::Duration;

use perennial_actors::ExitReason;

use crate::engine::advance::BATCH;
use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId};
use crate::policy::{Backoff, ChildPolicy, Intensity, Restart, Shutdown, SupervisorKind};

/// Two full batches and one more.
const CHILDREN: u64 = 2 * BATCH as u64 + 1;

struct World {
    engine: Engine,
    keys: Vec<ChildKey>,
    start_ids: Vec<StartId>,
}

/// The actions that follow from an event.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    stopped: Vec<ChildKey>,
    forgotten: Vec<ChildKey>,
    goes_on: bool,
    exits: bool,
}

impl World {
    fn up(policy: &ChildPolicy) -> Self {
        let intensity = Intensity { restarts: u32::MAX, period: Duration::from_secs(5) };
        let kind = SupervisorKind::Dynamic { max_children: usize::MAX };
        let whole = Policy { kind, intensity: intensity.into(), kill_grace: Duration::from_secs(5), seed: 0 };
        let mut world = Self {
            engine: Engine::new(whole, <[(_, ChildPolicy); 0]>::default(), StartId(0)),
            keys: Vec::new(),
            start_ids: Vec::new(),
        };
        world.happen(Event::Begin);
        for ticket in (0..CHILDREN).map(RequestId) {
            let request = Request::Start { id: "child".into(), policy: policy.clone().into() };
            for action in world.engine.step(Event::Request { ticket, request }, Duration::ZERO) {
                if let Action::Start { key, run } = action {
                    world.keys.push(key);
                    world.start_ids.push(run);
                    world.engine.step(Event::Started { key, run }, Duration::ZERO);
                }
            }
        }
        world
    }

    fn happen(&mut self, event: Event) -> Outcome {
        let mut outcome = Outcome::default();
        for action in self.engine.step(event, Duration::ZERO) {
            match action {
                Action::Stop { key, .. } => outcome.stopped.push(key),
                Action::Forget { key, .. } => outcome.forgotten.push(key),
                Action::ContinueShutdown => outcome.goes_on = true,
                Action::Exit { .. } => outcome.exits = true,
                _ => {}
            }
        }
        outcome
    }

    fn end(&mut self, child: usize) -> Outcome {
        let (key, run) = (self.keys[child], self.start_ids[child]);
        self.happen(Event::Ended { key, run, reason: ExitReason::shutdown() })
    }

    /// Returns the keys of these children, the latest first.
    fn newest_first(&self, children: std::ops::Range<usize>) -> Vec<ChildKey> {
        self.keys[children].iter().rev().copied().collect()
    }
}

const SHUTDOWN: fn() -> Event = || Event::Shutdown { reason: ExitReason::shutdown(), drains: false };

#[test]
fn very_many_children_stop_in_batches_without_waiting_for_each_other() {
    let mut world = World::up(&ChildPolicy::default());
    let (all, batch) = (world.keys.len(), BATCH);
    let first = world.happen(SHUTDOWN());
    assert_eq!(first.stopped, world.newest_first(all - batch..all));
    assert!(first.goes_on && !first.exits);
    assert_eq!(world.happen(SHUTDOWN()), Outcome::default(), "a second shutdown changes nothing");
    let second = world.happen(Event::ContinueShutdown);
    assert_eq!(second.stopped, world.newest_first(1..all - batch));
    let third = world.happen(Event::ContinueShutdown);
    assert_eq!(third.stopped, world.newest_first(0..1));
    assert!(!third.goes_on && !third.exits, "all were asked to stop, and none has exited");
    for child in 0..all - 1 {
        assert!(!world.end(child).exits);
    }
    assert!(world.end(all - 1).exits);
    assert_eq!(world.happen(Event::ContinueShutdown), Outcome::default(), "it has ended");
}

#[test]
fn dynamic_supervisor_does_not_end_before_every_child_was_asked_to_stop() {
    // A child that waits for its restart has no incarnation, and still is a child.
    let delay = Backoff::new(Duration::from_secs(60), Duration::from_secs(60));
    let mut world = World::up(&ChildPolicy { backoff: Some(delay.into()), ..ChildPolicy::default() });
    world.end(0);
    world.happen(SHUTDOWN());
    let all = world.keys.len();
    for child in (1..all).rev() {
        // Children that were not asked to stop yet exit by themselves.
        assert!(!world.end(child).exits);
    }
    let second = world.happen(Event::ContinueShutdown);
    assert!(second.stopped.is_empty() && second.goes_on && !second.exits);
    assert_eq!(second.forgotten, world.newest_first(1..all - BATCH));
    let third = world.happen(Event::ContinueShutdown);
    assert_eq!(third.forgotten, world.newest_first(0..1));
    assert!(third.exits);
}

#[test]
fn next_batch_does_not_wait_for_exits_of_the_batch_before() {
    let policy =
        ChildPolicy { shutdown: Shutdown::Infinity, restart: Restart::Temporary, ..Default::default() };
    let mut world = World::up(&policy);
    world.happen(SHUTDOWN());
    world.happen(Event::ContinueShutdown);
    // The last batch is stopped although no child of the others has exited.
    assert_eq!(world.happen(Event::ContinueShutdown).stopped.len(), 1);
}
