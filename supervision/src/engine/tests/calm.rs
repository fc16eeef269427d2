//! A world in which everything that the engine says is done at once, and to its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use perennial_actors::ExitReason;

use super::model::{Ask, Flags};
use crate::engine::{
    Action, ChildKey, ChildView, Engine, EngineReport, Event, Policy, Request, RequestError, RequestId,
    RequestOk, StartId, State, SupervisorExit, Target,
};
use crate::policy::{ChildPolicy, Intensity, SupervisorKind};

/// A child that does at once what it is told.
#[derive(Debug)]
struct Puppet {
    id: u64,
    /// Its incarnation, if it lives.
    run: Option<StartId>,
    starts: u32,
}

/// An engine, and what it told its children.
#[derive(Debug)]
pub(super) struct Calm {
    engine: Engine,
    now: Duration,
    puppets: BTreeMap<ChildKey, Puppet>,
    retries: VecDeque<(ChildKey, u32)>,
    /// Whose start is asked for.
    newcomer: u64,
    gave_up: bool,
    answer: Option<&'static str>,
    /// What the next starts come to. When it is empty, they succeed.
    pub(super) script: VecDeque<&'static str>,
    pub(super) log: Vec<(&'static str, u64, Duration)>,
    pub(super) ended: Option<&'static str>,
}

/// Nobody else ends a supervisor for this reason.
const TOLD: ExitReason = ExitReason::NoConnection;

fn policy(flags: &Flags) -> Policy {
    let Flags { strategy, auto_shutdown, .. } = *flags;
    let kind = match flags.max_children {
        Some(max_children) => SupervisorKind::Dynamic { max_children },
        None => SupervisorKind::Static { strategy, auto_shutdown },
    };
    let intensity = Intensity { restarts: flags.intensity as u32, period: flags.period };
    Policy { kind, intensity: intensity.into(), kill_grace: Duration::from_secs(5), seed: 0 }
}

impl Calm {
    /// With children that have the ids 0, 1, 2 ...
    pub(super) fn new(flags: &Flags, children: &[ChildPolicy]) -> Self {
        let named = (0..).zip(children).map(|(id, policy): (u64, _)| (id.to_string().into(), policy.clone()));
        let puppets =
            (0..children.len() as u64).map(|id| (ChildKey(id), Puppet { id, run: None, starts: 0 }));
        Self {
            engine: Engine::new(policy(flags), named, StartId(u16::MAX)),
            now: Duration::ZERO,
            puppets: puppets.collect(),
            retries: VecDeque::new(),
            newcomer: 0,
            gave_up: false,
            answer: None,
            script: VecDeque::new(),
            log: Vec::new(),
            ended: None,
        }
    }

    pub(super) fn begin(&mut self) {
        self.happen(Event::Begin);
    }

    pub(super) fn child_ends(&mut self, id: u64, reason: ExitReason) {
        let key = self.key_of(id).expect("it is a child");
        let run = self.puppet(key).run.take().expect("it runs");
        self.happen(Event::Ended { key, run, reason });
    }

    /// The first try in the inbox that is not void.
    pub(super) fn try_again(&mut self) {
        while let Some((key, generation)) = self.retries.pop_front() {
            if self.happen(Event::Retry { key, generation }) {
                return;
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.happen(Event::Tick);
    }

    pub(super) fn shutdown(&mut self) {
        self.happen(Event::Shutdown { reason: TOLD, drains: false });
    }

    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> &'static str {
        // Children of a dynamic supervisor are not found by id.
        let by_id = Target::Id(id.to_string().into());
        let dynamic = self.engine.is_dynamic();
        let target = self.key_of(id).filter(|_| dynamic).map_or(by_id, Target::Key);
        self.newcomer = id;
        self.request(match ask {
            Ask::Start(policy) => Request::Start { id: id.to_string().into(), policy: policy.clone() },
            Ask::Terminate => Request::Terminate(target),
            Ask::Restart => Request::Restart(target),
            Ask::Delete => Request::Delete(target),
        })
    }

    pub(super) fn change<'a>(
        &mut self,
        flags: &Flags,
        children: impl Iterator<Item = (u64, &'a ChildPolicy)>,
    ) {
        let children = children.map(|(id, policy)| (id.to_string().into(), policy.clone())).collect();
        self.request(Request::Change { policy: policy(flags), children });
    }

    fn request(&mut self, request: Request) -> &'static str {
        self.happen(Event::Request { ticket: RequestId(0), request });
        self.answer.take().expect("it answers at once")
    }

    /// Id, state and number of starts of each, in start order.
    pub(super) fn children(&self) -> Vec<(u64, &'static str, u32)> {
        let seen = |sight: ChildView<'_>| {
            let puppet = &self.puppets[&sight.key];
            assert_eq!(**sight.id, *puppet.id.to_string(), "children are mixed up");
            let state = match sight.state {
                State::Stopped => "undefined",
                State::Running { .. } => "running",
                State::Restarting { .. } => "restarting",
                _ => "under way",
            };
            assert_eq!(puppet.run.is_some(), state == "running");
            (puppet.id, state, puppet.starts)
        };
        self.engine.sights().map(seen).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.engine.next_deadline()
    }

    fn key_of(&self, id: u64) -> Option<ChildKey> {
        let key = |sight: &ChildView<'_>| self.puppets[&sight.key].id == id;
        self.engine.sights().find(key).map(|sight| sight.key)
    }

    fn puppet(&mut self, key: ChildKey) -> &mut Puppet {
        self.puppets.get_mut(&key).expect("it was admitted")
    }

    /// Does what follows from an event, and whether anything did.
    fn happen(&mut self, event: Event) -> bool {
        let mut events = VecDeque::from([event]);
        let mut done = false;
        while let Some(event) = events.pop_front() {
            for action in self.engine.step(event, self.now) {
                done = true;
                events.extend(self.obey(action));
            }
        }
        done
    }

    fn obey(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Admit { key, .. } => {
                let puppet = Puppet { id: self.newcomer, run: None, starts: 0 };
                assert!(self.puppets.insert(key, puppet).is_none(), "a key is given twice");
            }
            Action::Start { key, run } => return Some(self.start(key, run)),
            Action::Stop { key, reason, .. } => return Some(self.stop(key, reason)),
            Action::Kill { key } => return Some(self.stop(key, ExitReason::Killed)),
            Action::Retry { key, generation } => self.retries.push_back((key, generation)),
            Action::Close { key, .. } | Action::Forget { key, .. } => {
                assert!(self.puppet(key).run.is_none(), "closed while it lives");
            }
            Action::Report(EngineReport::Restarting { key, delay, .. }) => {
                let id = self.puppet(key).id;
                self.log.push(("restart", id, delay));
            }
            Action::Report(EngineReport::GaveUp { .. }) => self.gave_up = true,
            Action::Answer { result, .. } => {
                assert!(self.answer.replace(word(&result)).is_none(), "answered twice");
            }
            Action::Exit { ending } => self.end(&ending),
            Action::Abandon { .. }
            | Action::CheckBusy { .. }
            | Action::Probe { .. }
            | Action::ContinueShutdown => {
                panic!("what for? {action:?}")
            }
            Action::Started | Action::GoDown | Action::Report(_) => {}
        }
        None
    }

    fn start(&mut self, key: ChildKey, run: StartId) -> Event {
        let said = self.script.pop_front().unwrap_or("ok, pid");
        let puppet = self.puppet(key);
        puppet.starts += 1;
        let id = puppet.id;
        let before = if said == "ok, pid" { puppet.run.replace(run) } else { puppet.run };
        assert_eq!(before, None, "two incarnations of one child");
        self.log.push(("start", id, Duration::ZERO));
        match said {
            "ok, pid" => Event::Started { key, run },
            "ok, undefined" => Event::StartFailed { key, run, reason: ExitReason::Ignore },
            _ => Event::StartFailed { key, run, reason: ExitReason::failed("no") },
        }
    }

    fn stop(&mut self, key: ChildKey, reason: ExitReason) -> Event {
        let puppet = self.puppet(key);
        let (id, run) = (puppet.id, puppet.run.take().expect("only who lives is stopped"));
        self.log.push(("stop", id, Duration::ZERO));
        Event::Ended { key, run, reason }
    }

    fn end(&mut self, ending: &SupervisorExit) {
        let why = match ending {
            SupervisorExit::StartFailed { .. } => "failed_to_start_child",
            SupervisorExit::Reason(ExitReason::NoConnection) => "told",
            SupervisorExit::Reason(ExitReason::Shutdown(_)) if self.gave_up => {
                "reached_max_restart_intensity"
            }
            SupervisorExit::Reason(ExitReason::Shutdown(_)) => "auto_shutdown",
            SupervisorExit::Reason(_) => "for an unheard-of reason",
        };
        assert!(self.ended.replace(why).is_none(), "it ends twice");
        assert!(self.puppets.values().all(|puppet| puppet.run.is_none()), "it ends before its children");
    }
}

/// An answer in OTP's words.
pub(super) fn word(result: &Result<RequestOk, RequestError>) -> &'static str {
    match result {
        Ok(RequestOk::Started(_)) => "ok, pid",
        Ok(RequestOk::Ignored) => "ok, undefined",
        Ok(RequestOk::Done | RequestOk::Deleted(_)) => "ok",
        Err(RequestError::Running(_)) => "running",
        Err(RequestError::Restarting) => "restarting",
        Err(RequestError::AlreadyStarted(_)) => "already_started",
        Err(RequestError::AlreadyPresent) => "already_present",
        Err(RequestError::MaxChildren) => "max_children",
        Err(RequestError::StartFailed(_)) => "start error",
        Err(RequestError::ShuttingDown) => "noproc",
        Err(RequestError::NotFound) => "not_found",
    }
}
