//! A world in which starts and stops take their time, so that requests come in between.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use perennial_actors::ExitReason;

use super::calm::word;
use super::model::Ask;
use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId, State, Target};
use crate::policy::{ChildPolicy, Intensity, SupervisorKind};
use crate::tree::ChildState;

/// Something that a child was told and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Start(ChildKey, StartId),
    Stop(ChildKey, StartId),
}

pub(super) struct Slow {
    pub(super) engine: Engine,
    tasks: Vec<Task>,
    retries: VecDeque<(ChildKey, u32)>,
    ids: BTreeMap<ChildKey, u64>,
    /// The id that each request concerns, by ticket.
    asked: Vec<u64>,
    /// By ticket, in the order in which they came.
    answers: Vec<(usize, &'static str)>,
    /// What the next starts of each id come to. When it is empty, they succeed.
    pub(super) scripts: BTreeMap<u64, VecDeque<&'static str>>,
    pub(super) ended: bool,
}

impl Slow {
    /// With children that have the ids 0, 1, 2 ... and are up.
    pub(super) fn up(kind: SupervisorKind, children: &[ChildPolicy]) -> Self {
        let intensity = Intensity { restarts: 1_000_000, period: Duration::from_secs(1) };
        let policy =
            Policy { kind, intensity: intensity.into(), kill_grace: Duration::from_secs(5), seed: 0 };
        let named = (0..).zip(children).map(|(id, child): (u64, _)| (id.to_string().into(), child.clone()));
        let mut slow = Self {
            engine: Engine::new(policy, named, StartId(0)),
            tasks: Vec::new(),
            retries: VecDeque::new(),
            ids: (0..children.len() as u64).map(|id| (ChildKey(id), id)).collect(),
            asked: Vec::new(),
            answers: Vec::new(),
            scripts: BTreeMap::new(),
            ended: false,
        };
        slow.happen(Event::Begin);
        while slow.finish(0) {}
        slow
    }

    /// Asks for something. Returns the ticket.
    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> usize {
        let target = match self.key_of(id).filter(|_| self.engine.is_dynamic()) {
            Some(key) => Target::Key(key),
            None => Target::Id(id.to_string().into()),
        };
        self.request(
            id,
            match ask {
                Ask::Start(policy) => Request::Start { id: id.to_string().into(), policy: policy.clone() },
                Ask::Terminate => Request::Terminate(target),
                Ask::Restart => Request::Restart(target),
                Ask::Delete => Request::Delete(target),
            },
        )
    }

    pub(super) fn request(&mut self, id: u64, request: Request) -> usize {
        let ticket = self.asked.len();
        self.asked.push(id);
        self.happen(Event::Request { ticket: RequestId(ticket as u64), request });
        ticket
    }

    /// Returns what a request was answered, if it was.
    pub(super) fn answer(&self, ticket: usize) -> Option<&'static str> {
        self.answers.iter().find(|(answered, _)| *answered == ticket).map(|(_, word)| *word)
    }

    /// Returns the tickets of one id that were answered, in that order.
    pub(super) fn answered(&self, id: u64) -> Vec<usize> {
        self.answers.iter().map(|(ticket, _)| *ticket).filter(|ticket| self.asked[*ticket] == id).collect()
    }

    /// Returns how many requests wait for their answer.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len() - self.answers.len()
    }

    /// One of those that were told something does it. Returns `false` if there is none.
    pub(super) fn finish(&mut self, which: usize) -> bool {
        if self.tasks.is_empty() {
            return false;
        }
        let task = self.tasks.remove(which % self.tasks.len());
        let event = match task {
            Task::Stop(key, run) => {
                self.tasks.retain(|task| *task != Task::Start(key, run));
                Event::Ended { key, run, reason: ExitReason::shutdown() }
            }
            Task::Start(key, run) => {
                let script = self.scripts.entry(self.ids[&key]).or_default();
                match script.pop_front().unwrap_or("ok, pid") {
                    "ok, pid" => Event::Started { key, run },
                    "ok, undefined" => Event::StartFailed { key, run, reason: ExitReason::Ignore },
                    _ => Event::StartFailed { key, run, reason: ExitReason::failed("no") },
                }
            }
        };
        self.happen(event);
        true
    }

    /// The newest child of an id does what it was told.
    pub(super) fn finish_of(&mut self, id: u64) {
        let key = self.key_of(id).expect("it is a child");
        let of = |task: &Task| matches!(task, Task::Start(of, _) | Task::Stop(of, _) if *of == key);
        let which = self.tasks.iter().rposition(of).expect("it was told something");
        self.finish(which);
    }

    pub(super) fn crash(&mut self, id: u64) {
        let key = self.key_of(id).expect("it is a child");
        let Some(State::Running { run, .. }) = self.engine.sight(key).map(|sight| sight.state) else {
            panic!("it runs");
        };
        let run = *run;
        self.happen(Event::Ended { key, run, reason: ExitReason::Killed });
    }

    /// Makes the first try in the inbox that is not void. Returns the id.
    pub(super) fn try_again(&mut self) -> Option<u64> {
        while let Some((key, generation)) = self.retries.pop_front() {
            if self.happen(Event::Retry { key, generation }) {
                return Some(self.ids[&key]);
            }
        }
        None
    }

    pub(super) fn shutdown(&mut self) {
        self.happen(Event::Shutdown { reason: ExitReason::shutdown(), drains: false });
    }

    /// Returns what others are told of the child of this id.
    pub(super) fn shown(&self, id: u64) -> Option<ChildState> {
        Some(self.engine.sight(self.key_of(id)?)?.shown)
    }

    /// Returns `true` if an init of this id runs.
    pub(super) fn is_starting(&self, id: u64) -> bool {
        let sight = self.key_of(id).and_then(|key| self.engine.sight(key));
        sight.is_some_and(|sight| matches!(sight.state, State::Starting { .. }))
    }

    fn key_of(&self, id: u64) -> Option<ChildKey> {
        let has_id = |key: &ChildKey| self.ids.get(key) == Some(&id);
        self.engine.sights().map(|sight| sight.key).rfind(has_id)
    }

    fn happen(&mut self, event: Event) -> bool {
        let actions = self.engine.step(event, Duration::ZERO);
        let follows = !actions.is_empty();
        for action in actions {
            match action {
                Action::Admit { key, ticket } => {
                    // A change brings its children in order, which is not needed here.
                    self.ids.insert(key, self.asked[ticket.0 as usize]);
                }
                Action::Start { key, run } => self.tasks.push(Task::Start(key, run)),
                Action::Stop { key, .. } | Action::Kill { key } => {
                    let run = match self.engine.sight(key).map(|sight| sight.state) {
                        Some(State::Stopping(stopping)) => stopping.run,
                        state => panic!("it is stopped and is {state:?}"),
                    };
                    self.tasks.retain(|task| *task != Task::Start(key, run));
                    self.tasks.push(Task::Stop(key, run));
                }
                Action::Retry { key, generation } => self.retries.push_back((key, generation)),
                Action::Answer { ticket, result } => {
                    let ticket = ticket.0 as usize;
                    assert_eq!(self.answer(ticket), None, "a request is answered twice");
                    self.answers.push((ticket, word(&result)));
                }
                Action::Exit { .. } => self.ended = true,
                _ => {}
            }
        }
        follows
    }
}
