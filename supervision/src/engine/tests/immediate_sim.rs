//! A simulation that performs each action of the engine at once and completely.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use perennial_actors::ExitReason;

use super::model::{Ask, Flags};
use crate::engine::{
    Action, ChildKey, ChildView, Engine, Event, Policy, Request, RequestError, RequestId, RequestOk, StartId,
    State, SupervisorExit, Target,
};
use crate::policy::{ChildPolicy, Intensity, SupervisorKind};
use crate::report::ReportKind;

/// A child that starts and stops at once.
#[derive(Debug)]
struct ScriptedChild {
    id: u64,
    /// The start id of its live incarnation.
    run: Option<StartId>,
    starts: u32,
}

/// An engine and its simulated children.
#[derive(Debug)]
pub(super) struct ImmediateSim {
    engine: Engine,
    now: Duration,
    children: BTreeMap<ChildKey, ScriptedChild>,
    retries: VecDeque<(ChildKey, u32)>,
    /// The id of the child that the current request adds.
    added_id: u64,
    gave_up: bool,
    answer: Option<&'static str>,
    /// The results of the next starts. All later starts succeed.
    pub(super) script: VecDeque<&'static str>,
    pub(super) log: Vec<(&'static str, u64, Duration)>,
    pub(super) ended: Option<&'static str>,
}

/// The reason of a requested shutdown. Nothing else ends a supervisor for it.
const REQUESTED: ExitReason = ExitReason::NoConnection;

fn policy(flags: &Flags) -> Policy {
    let Flags { strategy, auto_shutdown, .. } = *flags;
    let kind = match flags.max_children {
        Some(max_children) => SupervisorKind::Dynamic { max_children },
        None => SupervisorKind::Static { strategy, auto_shutdown },
    };
    let intensity = Intensity { restarts: flags.intensity as u32, period: flags.period };
    Policy { kind, intensity: intensity.into(), kill_grace: Duration::from_secs(5), seed: 0 }
}

impl ImmediateSim {
    /// Creates a simulation with children that have the ids 0, 1, 2 ...
    pub(super) fn new(flags: &Flags, children: &[ChildPolicy]) -> Self {
        let named = (0..).zip(children).map(|(id, policy): (u64, _)| (id.to_string().into(), policy.clone()));
        let children =
            (0..children.len() as u64).map(|id| (ChildKey(id), ScriptedChild { id, run: None, starts: 0 }));
        Self {
            engine: Engine::new(policy(flags), named, StartId(u16::MAX)),
            now: Duration::ZERO,
            children: children.collect(),
            retries: VecDeque::new(),
            added_id: 0,
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
        let run = self.child(key).run.take().expect("it runs");
        self.happen(Event::Ended { key, run, reason });
    }

    /// Delivers the first retry in the inbox that is not void.
    pub(super) fn try_again(&mut self) {
        while let Some((key, generation)) = self.retries.pop_front() {
            if self.happen(Event::Retry { key, generation }) {
                return;
            }
        }
    }

    pub(super) fn advance_time(&mut self, time: Duration) {
        self.now += time;
        self.happen(Event::Tick);
    }

    pub(super) fn shutdown(&mut self) {
        self.happen(Event::Shutdown { reason: REQUESTED, drains: false });
    }

    pub(super) fn ask(&mut self, ask: &Ask, id: u64) -> &'static str {
        // Children of a dynamic supervisor are not found by id.
        let by_id = Target::Id(id.to_string().into());
        let dynamic = self.engine.is_dynamic();
        let target = self.key_of(id).filter(|_| dynamic).map_or(by_id, Target::Key);
        self.added_id = id;
        self.request(match ask {
            Ask::Start(policy) => Request::Start { id: id.to_string().into(), policy: policy.clone().into() },
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

    /// Returns the id, the state and the number of starts of each child, in start order.
    pub(super) fn children(&self) -> Vec<(u64, &'static str, u32)> {
        let seen = |view: ChildView<'_>| {
            let child = &self.children[&view.key];
            assert_eq!(**view.id, *child.id.to_string(), "children are mixed up");
            let state = match view.state {
                State::Stopped => "undefined",
                State::Running { .. } => "running",
                State::Restarting { .. } => "restarting",
                _ => "in transition",
            };
            assert_eq!(child.run.is_some(), state == "running");
            (child.id, state, child.starts)
        };
        self.engine.views().map(seen).collect()
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.engine.next_deadline()
    }

    fn key_of(&self, id: u64) -> Option<ChildKey> {
        let key = |view: &ChildView<'_>| self.children[&view.key].id == id;
        self.engine.views().find(key).map(|view| view.key)
    }

    fn child(&mut self, key: ChildKey) -> &mut ScriptedChild {
        self.children.get_mut(&key).expect("it was added")
    }

    /// Performs the actions that follow from an event. Returns `true` if there are any.
    fn happen(&mut self, event: Event) -> bool {
        let mut events = VecDeque::from([event]);
        let mut done = false;
        while let Some(event) = events.pop_front() {
            for action in self.engine.step(event, self.now) {
                done = true;
                events.extend(self.perform(action));
            }
        }
        done
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::AddChild { key, .. } => {
                let child = ScriptedChild { id: self.added_id, run: None, starts: 0 };
                assert!(self.children.insert(key, child).is_none(), "a key is assigned twice");
            }
            Action::Start { key, run } => return Some(self.start(key, run)),
            Action::Stop { key, reason, .. } => return Some(self.stop(key, reason)),
            Action::Kill { key } => return Some(self.stop(key, ExitReason::Killed)),
            Action::Retry { key, generation } => self.retries.push_back((key, generation)),
            Action::Close { key, .. } | Action::Forget { key, .. } => {
                assert!(self.child(key).run.is_none(), "closed while an incarnation runs");
            }
            Action::Report { key, kind: ReportKind::Restarting { delay, .. } } => {
                let id = self.child(key).id;
                self.log.push(("restart", id, delay));
            }
            Action::Report { kind: ReportKind::GaveUp { .. }, .. } => self.gave_up = true,
            Action::Answer { result, .. } => {
                assert!(self.answer.replace(otp_word(&result)).is_none(), "answered twice");
            }
            Action::Exit { ending } => self.end(&ending),
            Action::Abandon { .. }
            | Action::CheckBusy { .. }
            | Action::CheckCondition { .. }
            | Action::Probe { .. }
            | Action::ContinueShutdown => {
                panic!("unexpected action {action:?}")
            }
            Action::Started | Action::BeginShutdown | Action::Report { .. } => {}
        }
        None
    }

    fn start(&mut self, key: ChildKey, run: StartId) -> Event {
        let result = self.script.pop_front().unwrap_or("ok, pid");
        let child = self.child(key);
        child.starts += 1;
        let id = child.id;
        let before = if result == "ok, pid" { child.run.replace(run) } else { child.run };
        assert_eq!(before, None, "two incarnations of one child");
        self.log.push(("start", id, Duration::ZERO));
        match result {
            "ok, pid" => Event::Started { key, run },
            "ok, undefined" => Event::StartFailed { key, run, reason: ExitReason::Ignore },
            _ => Event::StartFailed { key, run, reason: ExitReason::failed("no") },
        }
    }

    fn stop(&mut self, key: ChildKey, reason: ExitReason) -> Event {
        let child = self.child(key);
        let (id, run) = (child.id, child.run.take().expect("only a live child is stopped"));
        self.log.push(("stop", id, Duration::ZERO));
        Event::Ended { key, run, reason }
    }

    fn end(&mut self, ending: &SupervisorExit) {
        let reason = match ending {
            SupervisorExit::StartFailed { .. } => "failed_to_start_child",
            SupervisorExit::Reason(ExitReason::NoConnection) => "requested",
            SupervisorExit::Reason(ExitReason::Shutdown(_)) if self.gave_up => {
                "reached_max_restart_intensity"
            }
            SupervisorExit::Reason(ExitReason::Shutdown(_)) => "auto_shutdown",
            SupervisorExit::Reason(_) => "for an unexpected reason",
        };
        assert!(self.ended.replace(reason).is_none(), "it ends twice");
        assert!(self.children.values().all(|child| child.run.is_none()), "it ends before its children");
    }
}

/// Returns the name of an answer in OTP.
pub(super) fn otp_word(result: &Result<RequestOk, RequestError>) -> &'static str {
    match result {
        Ok(RequestOk::Started(_)) => "ok, pid",
        Ok(RequestOk::Ignored) => "ok, undefined",
        Ok(RequestOk::Done | RequestOk::Deleted(_)) => "ok",
        Err(RequestError::Running(_)) => "running",
        Err(RequestError::Restarting) => "restarting",
        Err(RequestError::AlreadyStarted(_)) => "already_started",
        Err(RequestError::AlreadyPresent) => "already_present",
        Err(RequestError::MaxChildren) => "max_children",
        Err(RequestError::StartLimitHit) => "start_limit_hit",
        Err(RequestError::StartFailed(_)) => "start error",
        Err(RequestError::ShuttingDown) => "noproc",
        Err(RequestError::NotFound) => "not_found",
        Err(RequestError::HandlerDeadlineOfTask(_)) => "invalid spec",
    }
}
