//! A simulation of random events: timeouts, crashes, ignored stops, requests, and repeated old
//! events. It checks the guarantees of the engine after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::request_queues::RequestQueues;
use super::rule_records::RuleRecords;
use super::tasks::{Outcome, Task};

use crate::engine::{
    Action, ChildKey, Engine, Event, Policy, Request, RequestError, RequestId, RequestOk, StartId, Target,
};
use crate::policy::{ChildPolicy, Intensity, RestartLimit};
use crate::report::ReportKind::{self, Restarting};

/// An incarnation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Incarnation {
    pub(super) run: StartId,
    pub(super) up: bool,
}

pub(super) struct RandomSim {
    pub(super) engine: Engine,
    pub(super) now: Duration,
    pub(super) tasks: Vec<Task>,
    pub(super) live: BTreeMap<ChildKey, Incarnation>,
    /// The starts that were asked to stop or killed.
    pub(super) stops: BTreeSet<(ChildKey, StartId)>,
    /// The starts that have ended.
    pub(super) ended: Vec<(ChildKey, StartId)>,
    /// The current children.
    pub(super) known: BTreeSet<ChildKey>,
    /// The children whose mailbox is open.
    pub(super) open: BTreeSet<ChildKey>,
    pub(super) retries: Vec<(ChildKey, u32)>,
    pub(super) used: Vec<(ChildKey, u32)>,
    /// The conditions that have been evaluated.
    pub(super) evaluated: Vec<(ChildKey, u32)>,
    /// What the engine has to know of the restart rules.
    pub(super) rules: RuleRecords,
    pub(super) pending: BTreeMap<RequestId, Request>,
    pub(super) request_queues: RequestQueues,
    pub(super) added: BTreeMap<RequestId, ChildKey>,
    pub(super) next_ticket: u64,
    pub(super) intensity: RestartLimit,
    pub(super) restarts: Vec<Duration>,
    /// The children that were already being stopped when the shutdown began.
    pub(super) stopping_before: Option<BTreeSet<ChildKey>>,
    pub(super) exits: u32,
}

impl RandomSim {
    /// Creates a simulation with children that have the ids 0, 1, 2 ...
    pub(super) fn begin(policy: Policy, children: Vec<ChildPolicy>) -> Self {
        let known = (0..children.len() as u64).map(ChildKey).collect();
        let named = (0..).zip(children).map(|(id, policy): (u64, _)| (id.to_string().into(), policy));
        let named: Vec<(Arc<str>, ChildPolicy)> = named.collect();
        let rules = RuleRecords::of(&named);
        let mut sim = Self {
            engine: Engine::new(policy, named, StartId(u16::MAX - 9)),
            now: Duration::ZERO,
            tasks: Vec::new(),
            live: BTreeMap::new(),
            stops: BTreeSet::new(),
            ended: Vec::new(),
            known,
            open: BTreeSet::new(),
            retries: Vec::new(),
            used: Vec::new(),
            evaluated: Vec::new(),
            rules,
            pending: BTreeMap::new(),
            request_queues: RequestQueues::default(),
            added: BTreeMap::new(),
            next_ticket: 0,
            intensity: policy.intensity,
            restarts: Vec::new(),
            stopping_before: None,
            exits: 0,
        };
        sim.happen(Event::Begin);
        sim
    }

    /// Steps the engine with an event. Returns `true` if an action follows from it.
    pub(super) fn happen(&mut self, event: Event) -> bool {
        let was_over = self.exits > 0;
        let actions = self.engine.step(event, self.now);
        let refuses = |action: &Action| {
            matches!(action, Action::Answer { result: Err(RequestError::ShuttingDown), .. })
        };
        assert!(!was_over || actions.iter().all(refuses), "it does something after its end: {actions:?}");
        let follows = !actions.is_empty();
        for action in actions {
            self.perform(&action);
        }
        self.check();
        follows
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::AddChild { key, ticket } => self.add_child(key, ticket),
            Action::Start { key, run } => {
                assert!(self.known.contains(&key), "it starts an unknown child");
                let before = self.live.insert(key, Incarnation { run, up: false });
                assert_eq!(before, None, "two incarnations of one child");
                self.open.insert(key);
                self.rules.on_start(key, self.now);
                self.tasks.push(Task::Start(key, run));
            }
            // A child that is stopped twice exits once. Its start may complete nevertheless.
            Action::Stop { key, .. } | Action::Kill { key } => {
                let run = self.live.get(&key).expect("only a live child is stopped").run;
                self.drop_task(Task::End(key, run));
                self.tasks.push(Task::End(key, run));
                self.stops.insert((key, run));
            }
            Action::Abandon { key } => self.end_incarnation(key),
            Action::CheckBusy { key, run } => self.tasks.push(Task::CheckBusy(key, run)),
            Action::Probe { key, run, probe_id } => self.tasks.push(Task::Probe(key, run, probe_id)),
            Action::Retry { key, generation } => self.retries.push((key, generation)),
            Action::CheckCondition { key, generation, .. } => {
                self.tasks.push(Task::CheckCondition(key, generation));
            }
            Action::ContinueShutdown => panic!("there are too few children to stop them in batches"),
            Action::Answer { ticket, ref result } => self.answered(ticket, result),
            Action::Close { key, .. } => {
                assert!(!self.live.contains_key(&key), "closed while it runs");
                self.open.remove(&key);
            }
            Action::Forget { key, .. } => self.remove_child(key),
            Action::Report { key, kind: ReportKind::Started } => {
                let current = self.live[&key];
                assert!(current.up && !self.stops.contains(&(key, current.run)), "it is to stop");
                self.rules.on_started(key);
            }
            Action::Report { key, kind: Restarting { restarts_left: left, .. } } => {
                self.on_restart(key, left)
            }
            Action::Exit { .. } => {
                assert!(self.live.is_empty(), "it ends before its children");
                assert!(self.pending.is_empty(), "a request is never answered");
                self.exits += 1;
            }
            Action::Started | Action::BeginShutdown | Action::Report { .. } => {}
        }
    }

    fn add_child(&mut self, key: ChildKey, ticket: RequestId) {
        assert!(self.known.insert(key), "a key is assigned twice");
        match self.pending.get(&ticket) {
            Some(Request::Start { id, policy }) => {
                self.rules.add(key, id, policy);
                assert_eq!(self.added.insert(ticket, key), None, "one request adds two children");
            }
            Some(Request::Change { children, .. }) => {
                // A change adds one child at most here.
                children.iter().for_each(|(id, policy)| self.rules.add(key, id, policy));
            }
            other => panic!("{other:?} adds a child"),
        }
    }

    fn remove_child(&mut self, key: ChildKey) {
        assert!(!self.live.contains_key(&key), "removed while it runs");
        assert!(self.known.remove(&key), "it was no child");
        self.rules.remove(key);
        self.open.remove(&key);
    }

    /// Records a restart if it counts, and checks the number that is left.
    fn on_restart(&mut self, key: ChildKey, left: u32) {
        let (now, Intensity { restarts, period }) = (self.now, self.intensity.with(1));
        self.restarts.retain(|time| *time + period >= now);
        let counts = self.rules.counts_restart(key);
        self.restarts.extend(counts.then_some(now));
        let counted = self.restarts.len() as u32;
        // A change may have lowered the intensity below what was counted.
        let expected = if counts { restarts - counted } else { restarts.saturating_sub(counted) };
        assert_eq!(left, expected, "restarts are counted wrongly");
    }

    fn answered(&mut self, ticket: RequestId, result: &Result<RequestOk, RequestError>) {
        use RequestError::{
            AlreadyPresent, AlreadyStarted, MaxChildren, NotFound, Restarting, Running, StartFailed,
            StartLimitHit,
        };
        let request = self.pending.remove(&ticket).expect("it was asked, and is answered once");
        let added = self.added.remove(&ticket);
        self.request_queues.pop(ticket, &request, matches!(result, Err(RequestError::ShuttingDown)));
        if let Err(Running(key) | AlreadyStarted(key)) = result {
            assert!(self.live.get(key).is_some_and(|current| current.up), "it does not run");
        }
        match (&request, result) {
            (_, Err(RequestError::ShuttingDown)) => {}
            (Request::Change { policy, children }, Ok(RequestOk::Done)) => {
                self.intensity = policy.intensity;
                self.rules.change(children);
            }
            (Request::Start { .. } | Request::Restart(_), Ok(RequestOk::Started(key))) => {
                assert!(self.live[key].up && added.is_none_or(|added| added == *key));
            }
            (Request::Start { .. } | Request::Restart(_), Ok(RequestOk::Ignored) | Err(StartFailed(_))) => {}
            (Request::Start { .. }, Err(AlreadyStarted(_) | AlreadyPresent | MaxChildren)) => {
                assert_eq!(added, None, "a refused request has added a child");
            }
            (Request::Terminate(Target::Key(key)), Ok(RequestOk::Done)) => {
                assert!(!self.live.contains_key(key), "a terminated child runs");
            }
            (Request::Terminate(_), Ok(RequestOk::Done) | Err(NotFound)) => {}
            (Request::Delete(_), Ok(RequestOk::Deleted(key))) => {
                assert!(!self.open.contains(key), "the mailbox of a deleted child is open");
                self.remove_child(*key);
            }
            (Request::ResetFailed(target), Ok(RequestOk::Done)) => self.rules.reset(target),
            (Request::ResetFailed(_), Err(NotFound)) | (Request::Restart(_), Err(StartLimitHit)) => {}
            (Request::Restart(_) | Request::Delete(_), Err(Running(_) | Restarting | NotFound)) => {}
            _ => panic!("{request:?} is answered by {result:?}"),
        }
        // A child that was added for a failed request belongs to the caller again.
        if let Some(key) = added.filter(|_| result.is_err()) {
            self.remove_child(key);
        }
    }

    pub(super) fn ask(&mut self, request: Request) {
        let ticket = RequestId(self.next_ticket);
        self.next_ticket += 1;
        self.pending.insert(ticket, request.clone());
        self.request_queues.push(ticket, &request, self.engine.is_dynamic());
        self.happen(Event::Request { ticket, request });
    }

    /// Returns one of the children, if there are any.
    pub(super) fn one_of(&self, which: usize) -> Option<ChildKey> {
        self.known.iter().nth(which % self.known.len().max(1)).copied()
    }

    pub(super) fn id_of(&self, key: ChildKey) -> Arc<str> {
        self.engine.view(key).expect("it is a child").id.clone()
    }

    /// Completes one pending task with this outcome.
    pub(super) fn answer(&mut self, which: usize, outcome: Outcome) {
        if self.tasks.is_empty() {
            return;
        }
        let task = self.tasks.remove(which % self.tasks.len());
        let event = match (task, outcome) {
            (Task::Start(key, run), Outcome::Success) => {
                self.live.insert(key, Incarnation { run, up: true });
                Event::Started { key, run }
            }
            (Task::Start(key, run), outcome) => {
                self.end_incarnation(key);
                let declined = matches!(outcome, Outcome::Other(_));
                let reason = if declined { ExitReason::Ignore } else { ExitReason::failed("no") };
                Event::StartFailed { key, run, reason }
            }
            (Task::End(key, run), outcome) => {
                let well = matches!(outcome, Outcome::Success);
                let reason = if well { ExitReason::shutdown() } else { ExitReason::Killed };
                self.end(key, run, reason)
            }
            (Task::CheckBusy(key, run), outcome) => outcome.check_result(key, run),
            (Task::Probe(key, run, probe_id), outcome) => {
                Event::Probed { key, run, probe_id, answered: matches!(outcome, Outcome::Success) }
            }
            (Task::CheckCondition(key, generation), outcome) => {
                self.evaluated.push((key, generation));
                Event::ConditionChecked { key, generation, restarts: matches!(outcome, Outcome::Success) }
            }
        };
        self.happen(event);
    }

    /// Lets a running child exit by itself.
    pub(super) fn crash(&mut self, which: usize, reason: ExitReason) {
        let up = self.live.iter().filter(|(_, current)| current.up).map(|(key, current)| (*key, current.run));
        if let Some((key, run)) = up.clone().nth(which % up.count().max(1)) {
            let end = self.end(key, run, reason);
            self.happen(end);
        }
    }

    fn end(&mut self, key: ChildKey, run: StartId, reason: ExitReason) -> Event {
        let up = self.live[&key].up;
        self.end_incarnation(key);
        if up { Event::Ended { key, run, reason } } else { Event::StartFailed { key, run, reason } }
    }

    fn end_incarnation(&mut self, key: ChildKey) {
        let Incarnation { run, .. } = self.live.remove(&key).expect("only a live child exits");
        self.drop_task(Task::Start(key, run));
        self.drop_task(Task::End(key, run));
        self.ended.push((key, run));
    }

    fn drop_task(&mut self, task: Task) {
        self.tasks.retain(|other| *other != task);
    }

    /// Delivers the oldest retry.
    pub(super) fn deliver(&mut self) {
        if !self.retries.is_empty() {
            let (key, generation) = self.retries.remove(0);
            self.happen(Event::Retry { key, generation });
            self.used.push((key, generation));
        }
    }

    /// Repeats old events, and checks that they have no effect.
    pub(super) fn replay_old_event(&mut self, which: usize) {
        if let Some((key, run)) = self.ended.get(which % self.ended.len().max(1)).copied() {
            let reason = ExitReason::Killed;
            let events = [
                Event::Started { key, run },
                Event::StartFailed { key, run, reason: reason.clone() },
                Event::Ended { key, run, reason },
                Outcome::Other(Duration::MAX).check_result(key, run),
                Event::Probed { key, run, probe_id: u32::MAX, answered: false },
            ];
            for event in events {
                assert!(!self.happen(event.clone()), "{event:?} is old, and something follows from it");
            }
        }
        if let Some((key, generation)) = self.used.get(which % self.used.len().max(1)).copied() {
            assert!(!self.happen(Event::Retry { key, generation }), "a retry is made twice");
        }
        if let Some((key, generation)) = self.evaluated.get(which % self.evaluated.len().max(1)).copied() {
            let follows = self.happen(Event::ConditionChecked { key, generation, restarts: true });
            assert!(!follows, "a condition decides twice");
        }
    }

    /// Advances the time. Without a passed deadline nothing must happen.
    pub(super) fn wait(&mut self, time: Duration) {
        let due = self.engine.next_deadline();
        self.now += time;
        let follows = self.happen(Event::Tick);
        assert!(!follows || due.is_some_and(|due| due <= self.now), "something happens too early");
        let due = self.engine.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "a deadline has passed, and nothing is done");
    }

    /// Advances the time to the next deadline.
    pub(super) fn wait_until_due(&mut self) {
        if let Some(due) = self.engine.next_deadline() {
            self.wait(due.saturating_sub(self.now));
        }
    }
}
