//! A simulation in which starts and stops are pending until the test completes them, so that
//! requests arrive in between.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use perennial_actors::ExitReason;

use super::immediate_sim::otp_word;
use super::model::Ask;
use crate::engine::{Action, ChildKey, Engine, Event, Policy, Request, RequestId, StartId, State, Target};
use crate::policy::{ChildPolicy, Intensity, SupervisorKind};
use crate::tree::ChildState;

/// A pending start or stop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Start(ChildKey, StartId),
    Stop(ChildKey, StartId),
}

pub(super) struct SteppedSim {
    pub(super) engine: Engine,
    tasks: Vec<Task>,
    retries: VecDeque<(ChildKey, u32)>,
    ids: BTreeMap<ChildKey, u64>,
    /// The id that each request concerns, by request.
    asked: Vec<u64>,
    /// The answers by request, in the order of the answers.
    answers: Vec<(usize, &'static str)>,
    /// The results of the next starts of each id. All later starts succeed.
    pub(super) scripts: BTreeMap<u64, VecDeque<&'static str>>,
    pub(super) ended: bool,
}

impl SteppedSim {
    /// Creates a simulation with running children that have the ids 0, 1, 2 ...
    pub(super) fn up(kind: SupervisorKind, children: &[ChildPolicy]) -> Self {
        let intensity = Intensity { restarts: 1_000_000, period: Duration::from_secs(1) };
        let policy =
            Policy { kind, intensity: intensity.into(), kill_grace: Duration::from_secs(5), seed: 0 };
        let named = (0..).zip(children).map(|(id, child): (u64, _)| (id.to_string().into(), child.clone()));
        let mut stepped_sim = Self {
            engine: Engine::new(policy, named, StartId(0)),
            tasks: Vec::new(),
            retries: VecDeque::new(),
            ids: (0..children.len() as u64).map(|id| (ChildKey(id), id)).collect(),
            asked: Vec::new(),
            answers: Vec::new(),
            scripts: BTreeMap::new(),
            ended: false,
        };
        stepped_sim.happen(Event::Begin);
        while stepped_sim.finish(0) {}
        stepped_sim
    }

    /// Sends a request. Returns its number.
    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> usize {
        let target = match self.key_of(id).filter(|_| self.engine.is_dynamic()) {
            Some(key) => Target::Key(key),
            None => Target::Id(id.to_string().into()),
        };
        self.request(
            id,
            match ask {
                Ask::Start(policy) => {
                    Request::Start { id: id.to_string().into(), policy: policy.clone().into() }
                }
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

    /// Returns the answer to a request, if there is one.
    pub(super) fn answer(&self, ticket: usize) -> Option<&'static str> {
        self.answers.iter().find(|(answered, _)| *answered == ticket).map(|(_, otp_word)| *otp_word)
    }

    /// Returns the numbers of the answered requests for one id, in the order of the answers.
    pub(super) fn answered(&self, id: u64) -> Vec<usize> {
        self.answers.iter().map(|(ticket, _)| *ticket).filter(|ticket| self.asked[*ticket] == id).collect()
    }

    /// Returns the number of unanswered requests.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len() - self.answers.len()
    }

    /// Completes one pending start or stop. Returns `false` if there is none.
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

    /// Completes the pending start or stop of the latest child with this id.
    pub(super) fn finish_of(&mut self, id: u64) {
        let key = self.key_of(id).expect("it is a child");
        let of = |task: &Task| matches!(task, Task::Start(of, _) | Task::Stop(of, _) if *of == key);
        let which = self.tasks.iter().rposition(of).expect("a task is pending");
        self.finish(which);
    }

    pub(super) fn crash(&mut self, id: u64) {
        let key = self.key_of(id).expect("it is a child");
        let Some(State::Running { run, .. }) = self.engine.view(key).map(|view| view.state) else {
            panic!("it runs");
        };
        let run = *run;
        self.happen(Event::Ended { key, run, reason: ExitReason::Killed });
    }

    /// Delivers the first retry in the inbox that is not void. Returns the id of its child.
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

    /// Returns the state of the child with this id, as others see it.
    pub(super) fn shown(&self, id: u64) -> Option<ChildState> {
        Some(self.engine.view(self.key_of(id)?)?.shown)
    }

    /// Returns `true` if an `init` of this id runs.
    pub(super) fn is_starting(&self, id: u64) -> bool {
        let view = self.key_of(id).and_then(|key| self.engine.view(key));
        view.is_some_and(|view| matches!(view.state, State::Starting { .. }))
    }

    fn key_of(&self, id: u64) -> Option<ChildKey> {
        let has_id = |key: &ChildKey| self.ids.get(key) == Some(&id);
        self.engine.views().map(|view| view.key).rfind(has_id)
    }

    fn happen(&mut self, event: Event) -> bool {
        let actions = self.engine.step(event, Duration::ZERO);
        let follows = !actions.is_empty();
        for action in actions {
            match action {
                Action::AddChild { key, ticket } => {
                    // A change adds its children in order, which is not needed here.
                    self.ids.insert(key, self.asked[ticket.0 as usize]);
                }
                Action::Start { key, run } => self.tasks.push(Task::Start(key, run)),
                Action::Stop { key, .. } | Action::Kill { key } => {
                    let run = match self.engine.view(key).map(|view| view.state) {
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
                    self.answers.push((ticket, otp_word(&result)));
                }
                Action::Exit { .. } => self.ended = true,
                _ => {}
            }
        }
        follows
    }
}
