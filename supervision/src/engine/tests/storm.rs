//! A world in which anything may happen in any order: children are late, crash, hang and ignore, requests come in between, news is
//! old. It looks after every step whether the engine still holds what it promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;

use super::lines::Lines;
use super::tasks::{Outcome, Task};
use crate::engine::core::Mode;
use crate::engine::types::StartCause;
use crate::engine::{
    Action, ChildKey, ChildView, Engine, EngineReport, Event, Policy, Request, RequestError, RequestId,
    RequestOk, StartId, State, Target,
};
use crate::policy::{ChildPolicy, Intensity, RestartLimit};

/// An incarnation.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Life {
    run: StartId,
    up: bool,
}

pub(super) struct Storm {
    pub(super) engine: Engine,
    now: Duration,
    tasks: Vec<Task>,
    living: BTreeMap<ChildKey, Life>,
    /// Those that were told to stop, or killed.
    told: BTreeSet<(ChildKey, StartId)>,
    /// Those that have lived.
    past: Vec<(ChildKey, StartId)>,
    /// Who is a child.
    known: BTreeSet<ChildKey>,
    /// Whose mailbox takes messages.
    open: BTreeSet<ChildKey>,
    retries: Vec<(ChildKey, u32)>,
    spent: Vec<(ChildKey, u32)>,
    asked: BTreeMap<RequestId, Request>,
    lines: Lines,
    newcomers: BTreeMap<RequestId, ChildKey>,
    next_ticket: u64,
    intensity: RestartLimit,
    restarts: Vec<Duration>,
    /// Who was on its way out already when the end began.
    leaving: Option<BTreeSet<ChildKey>>,
    pub(super) exits: u32,
}

impl Storm {
    /// With children that have the ids 0, 1, 2 ...
    pub(super) fn begin(policy: Policy, children: Vec<ChildPolicy>) -> Self {
        let known = (0..children.len() as u64).map(ChildKey).collect();
        let named = (0..).zip(children).map(|(id, policy): (u64, _)| (id.to_string().into(), policy));
        let mut storm = Self {
            engine: Engine::new(policy, named, StartId(u16::MAX - 9)),
            now: Duration::ZERO,
            tasks: Vec::new(),
            living: BTreeMap::new(),
            told: BTreeSet::new(),
            past: Vec::new(),
            known,
            open: BTreeSet::new(),
            retries: Vec::new(),
            spent: Vec::new(),
            asked: BTreeMap::new(),
            lines: Lines::default(),
            newcomers: BTreeMap::new(),
            next_ticket: 0,
            intensity: policy.intensity,
            restarts: Vec::new(),
            leaving: None,
            exits: 0,
        };
        storm.happen(Event::Begin);
        storm
    }

    /// Lets something happen, and says whether anything follows from it.
    pub(super) fn happen(&mut self, event: Event) -> bool {
        let was_over = self.exits > 0;
        let actions = self.engine.step(event, self.now);
        let refuses = |action: &Action| {
            matches!(action, Action::Answer { result: Err(RequestError::ShuttingDown), .. })
        };
        assert!(!was_over || actions.iter().all(refuses), "it does something after its end: {actions:?}");
        let follows = !actions.is_empty();
        for action in actions {
            self.obey(&action);
        }
        self.check();
        follows
    }

    fn obey(&mut self, action: &Action) {
        match *action {
            Action::Admit { key, ticket } => self.admit(key, ticket),
            Action::Start { key, run } => {
                assert!(self.known.contains(&key), "it starts who is no child");
                let before = self.living.insert(key, Life { run, up: false });
                assert_eq!(before, None, "two incarnations of one child");
                self.open.insert(key);
                self.tasks.push(Task::Start(key, run));
            }
            // A child that is told twice, or killed while it stops, ends once. Its start may be complete nevertheless.
            Action::Stop { key, .. } | Action::Kill { key } => {
                let run = self.living.get(&key).expect("only who lives is stopped").run;
                self.drop_task(Task::End(key, run));
                self.tasks.push(Task::End(key, run));
                self.told.insert((key, run));
            }
            Action::Abandon { key } => self.die(key),
            Action::CheckBusy { key, run } => self.tasks.push(Task::Look(key, run)),
            Action::Probe { key, run, question } => self.tasks.push(Task::Probe(key, run, question)),
            Action::Retry { key, generation } => self.retries.push((key, generation)),
            Action::ContinueShutdown => panic!("there are too few children to stop them in turns"),
            Action::Answer { ticket, ref result } => self.answered(ticket, result),
            Action::Close { key, .. } => {
                assert!(!self.living.contains_key(&key), "closed while it lives");
                self.open.remove(&key);
            }
            Action::Forget { key, .. } => self.dismiss(key),
            Action::Report(EngineReport::Started { key }) => {
                let life = self.living[&key];
                assert!(life.up && !self.told.contains(&(key, life.run)), "who is to stop is not up");
            }
            Action::Report(EngineReport::Restarting { restarts_left, .. }) => self.count(restarts_left),
            Action::Exit { .. } => {
                assert!(self.living.is_empty(), "it ends before its children");
                assert!(self.asked.is_empty(), "somebody is never answered");
                self.exits += 1;
            }
            Action::Started | Action::GoDown | Action::Report(_) => {}
        }
    }

    fn admit(&mut self, key: ChildKey, ticket: RequestId) {
        assert!(self.known.insert(key), "a key is given twice");
        match self.asked.get(&ticket) {
            Some(Request::Start { .. }) => {
                assert_eq!(self.newcomers.insert(ticket, key), None, "one start brings two children");
            }
            Some(Request::Change { .. }) => {}
            other => panic!("{other:?} brings a child"),
        }
    }

    fn dismiss(&mut self, key: ChildKey) {
        assert!(!self.living.contains_key(&key), "forgotten while it lives");
        assert!(self.known.remove(&key), "it was no child");
        self.open.remove(&key);
    }

    /// One more restart, of which there may be so many in so long.
    fn count(&mut self, left: u32) {
        let (now, Intensity { restarts, period }) = (self.now, self.intensity.with(1));
        self.restarts.retain(|stamp| *stamp + period >= now);
        self.restarts.push(now);
        assert_eq!(self.restarts.len() as u32 + left, restarts, "restarts are not counted well");
    }

    fn answered(&mut self, ticket: RequestId, result: &Result<RequestOk, RequestError>) {
        use RequestError::{
            AlreadyPresent, AlreadyStarted, MaxChildren, NotFound, Restarting, Running, StartFailed,
        };
        let request = self.asked.remove(&ticket).expect("it was asked, and is answered once");
        let newcomer = self.newcomers.remove(&ticket);
        self.lines.leave(ticket, &request, matches!(result, Err(RequestError::ShuttingDown)));
        if let Err(Running(key) | AlreadyStarted(key)) = result {
            assert!(self.living.get(key).is_some_and(|life| life.up), "one that does not run is said to run");
        }
        match (&request, result) {
            (_, Err(RequestError::ShuttingDown)) => {}
            (Request::Change { policy, .. }, Ok(RequestOk::Done)) => self.intensity = policy.intensity,
            (Request::Start { .. } | Request::Restart(_), Ok(RequestOk::Started(key))) => {
                assert!(self.living[key].up && newcomer.is_none_or(|newcomer| newcomer == *key));
            }
            (Request::Start { .. } | Request::Restart(_), Ok(RequestOk::Ignored) | Err(StartFailed(_))) => {}
            (Request::Start { .. }, Err(AlreadyStarted(_) | AlreadyPresent | MaxChildren)) => {
                assert_eq!(newcomer, None, "it is refused after all");
            }
            (Request::Terminate(Target::Key(key)), Ok(RequestOk::Done)) => {
                assert!(!self.living.contains_key(key), "who is terminated lives");
            }
            (Request::Terminate(_), Ok(RequestOk::Done) | Err(NotFound)) => {}
            (Request::Delete(_), Ok(RequestOk::Deleted(key))) => {
                assert!(!self.open.contains(key), "who is deleted still takes messages");
                self.dismiss(*key);
            }
            (Request::Restart(_) | Request::Delete(_), Err(Running(_) | Restarting | NotFound)) => {}
            _ => panic!("{request:?} is answered by {result:?}"),
        }
        // Whoever brought it has it back.
        if let Some(key) = newcomer.filter(|_| result.is_err()) {
            self.dismiss(key);
        }
    }

    pub(super) fn ask(&mut self, request: Request) {
        let ticket = RequestId(self.next_ticket);
        self.next_ticket += 1;
        self.asked.insert(ticket, request.clone());
        self.lines.join(ticket, &request, self.engine.is_dynamic());
        self.happen(Event::Request { ticket, request });
    }

    /// One of the children, if there are any.
    pub(super) fn one_of(&self, which: usize) -> Option<ChildKey> {
        self.known.iter().nth(which % self.known.len().max(1)).copied()
    }

    pub(super) fn id_of(&self, key: ChildKey) -> Arc<str> {
        self.engine.sight(key).expect("it is a child").id.clone()
    }

    /// A child comes to what it was told or asked.
    pub(super) fn answer(&mut self, which: usize, outcome: Outcome) {
        if self.tasks.is_empty() {
            return;
        }
        let task = self.tasks.remove(which % self.tasks.len());
        let event = match (task, outcome) {
            (Task::Start(key, run), Outcome::Well) => {
                self.living.insert(key, Life { run, up: true });
                Event::Started { key, run }
            }
            (Task::Start(key, run), outcome) => {
                self.die(key);
                let declined = matches!(outcome, Outcome::Otherwise(_));
                let reason = if declined { ExitReason::Ignore } else { ExitReason::failed("no") };
                Event::StartFailed { key, run, reason }
            }
            (Task::End(key, run), outcome) => {
                let well = matches!(outcome, Outcome::Well);
                let reason = if well { ExitReason::shutdown() } else { ExitReason::Killed };
                self.end(key, run, reason)
            }
            (Task::Look(key, run), outcome) => outcome.of_look(key, run),
            (Task::Probe(key, run, question), outcome) => {
                Event::Probed { key, run, question, answered: matches!(outcome, Outcome::Well) }
            }
        };
        self.happen(event);
    }

    /// A child that is up ends by itself.
    pub(super) fn crash(&mut self, which: usize, reason: ExitReason) {
        let up = self.living.iter().filter(|(_, life)| life.up).map(|(key, life)| (*key, life.run));
        if let Some((key, run)) = up.clone().nth(which % up.count().max(1)) {
            let end = self.end(key, run, reason);
            self.happen(end);
        }
    }

    fn end(&mut self, key: ChildKey, run: StartId, reason: ExitReason) -> Event {
        let up = self.living[&key].up;
        self.die(key);
        if up { Event::Ended { key, run, reason } } else { Event::StartFailed { key, run, reason } }
    }

    fn die(&mut self, key: ChildKey) {
        let Life { run, .. } = self.living.remove(&key).expect("only who lives dies");
        self.drop_task(Task::Start(key, run));
        self.drop_task(Task::End(key, run));
        self.past.push((key, run));
    }

    fn drop_task(&mut self, task: Task) {
        self.tasks.retain(|other| *other != task);
    }

    /// A try that was put off comes out of the inbox. The next is another.
    pub(super) fn deliver(&mut self) {
        if !self.retries.is_empty() {
            let (key, generation) = self.retries.remove(0);
            self.happen(Event::Retry { key, generation });
            self.spent.push((key, generation));
        }
    }

    /// What is no news any more changes nothing, even if it comes now, or again.
    pub(super) fn old_news(&mut self, which: usize) {
        if let Some((key, run)) = self.past.get(which % self.past.len().max(1)).copied() {
            let reason = ExitReason::Killed;
            let news = [
                Event::Started { key, run },
                Event::StartFailed { key, run, reason: reason.clone() },
                Event::Ended { key, run, reason },
                Outcome::Otherwise(Duration::MAX).of_look(key, run),
                Event::Probed { key, run, question: u32::MAX, answered: false },
            ];
            for event in news {
                assert!(!self.happen(event.clone()), "{event:?} is old, and something follows from it");
            }
        }
        if let Some((key, generation)) = self.spent.get(which % self.spent.len().max(1)).copied() {
            assert!(!self.happen(Event::Retry { key, generation }), "a try is made twice");
        }
    }

    /// Time passes. If no deadline does, nothing happens.
    pub(super) fn wait(&mut self, time: Duration) {
        let due = self.engine.next_deadline();
        self.now += time;
        let follows = self.happen(Event::Tick);
        assert!(!follows || due.is_some_and(|due| due <= self.now), "something happens too early");
        let due = self.engine.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "a deadline has passed, and nothing is done");
    }

    /// Time passes until the next deadline has.
    pub(super) fn wait_until_due(&mut self) {
        if let Some(due) = self.engine.next_deadline() {
            self.wait(due.saturating_sub(self.now));
        }
    }

    /// What the engine believes is what is the case.
    fn check(&mut self) {
        let known: BTreeSet<ChildKey> = self.engine.sights().map(|sight| sight.key).collect();
        assert!(self.exits > 0 || known == self.known, "{known:?} are children, and not {:?}", self.known);
        let mut starting = 0;
        let mut stopping = BTreeSet::new();
        for ChildView { key, state, .. } in self.engine.sights() {
            let life = self.living.get(&key).copied();
            match state {
                State::Running { run, .. } => assert_eq!(life, Some(Life { run: *run, up: true })),
                State::Starting { run, cause, .. } => {
                    assert_eq!(life.map(|life| life.run), Some(*run));
                    starting += usize::from(*cause == StartCause::Transition);
                }
                State::Stopping(going) => {
                    assert_eq!(life.map(|life| life.run), Some(going.run));
                    stopping.extend((!going.unresponsive).then_some(key));
                }
                State::Stopped | State::Ended { .. } | State::Restarting { .. } => assert_eq!(life, None),
            }
        }
        assert!(starting <= 1, "a round starts one after the other");
        self.check_order(&stopping);
    }

    /// At the end one stops after the other, last started first, but for those who were on their way out before.
    fn check_order(&mut self, stopping: &BTreeSet<ChildKey>) {
        if self.engine.is_dynamic() || !self.engine.is_going_down() {
            return;
        }
        let leaving = self.leaving.get_or_insert_with(|| stopping.clone());
        let told: Vec<ChildKey> = stopping.difference(leaving).copied().collect();
        assert!(told.len() <= 1, "{told:?} stop together");
        assert!(
            told.is_empty() || told.last() == self.living.keys().last(),
            "{told:?} stops before its turn"
        );
    }

    /// Lets everything that is under way come to its end. It is bounded: nothing goes on for ever.
    pub(super) fn calm_down(&mut self) {
        for _ in 0..10_000 {
            let at_rest =
                |sight: ChildView<'_>| matches!(sight.state, State::Running { .. } | State::Stopped);
            if !self.tasks.is_empty() {
                self.answer(0, Outcome::Well);
            } else if !self.retries.is_empty() {
                self.deliver();
            } else if !self.engine.sights().all(at_rest) {
                assert!(self.engine.next_deadline().is_some(), "nobody is waited for, and not all is done");
                self.wait_until_due();
            } else {
                return self.check_rest();
            }
        }
        panic!("it never calms down");
    }

    /// Nothing is under way any more.
    fn check_rest(&self) {
        assert!(matches!(self.engine.mode, Mode::Running | Mode::Ended), "a round is left over");
        assert!(self.asked.is_empty(), "somebody waits for an answer");
        assert_eq!(self.engine.children.transitions.kept(), 0, "nothing is in transition");
        for ChildView { key, state, .. } in self.engine.sights() {
            let serves = matches!(state, State::Running { .. });
            assert!(
                self.exits > 0 || serves == self.open.contains(&key),
                "{key:?} is {state:?}, and its mailbox is not"
            );
        }
        if self.exits > 0 {
            assert_eq!(self.engine.next_deadline(), None, "there is nothing left to wait for");
            assert!(self.living.is_empty());
        }
    }
}
