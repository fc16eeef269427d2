//! The driver: messages of the inbox go through the engine, and the driver performs the actions.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::host::{IncarnationExit, Label, MailboxConsumer, MailboxEvent, catch_panic};
use perennial_actors::{ExitReason, Pid, Reply, System};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::inbox::{Answer, DriverMsg, Inbox, Specs};
use super::node::SupervisorNode;
use crate::engine::{Action, ChildKey, Engine, Event, RequestId, SupervisorExit, Time};
use crate::error::ChildFailedError;
use crate::link::RactorLink;
use crate::node::ChildNode;

/// Performs the decisions of one incarnation of a supervisor. Its other fields are for its task
/// alone; handles read the state behind `node`.
pub(super) struct Driver {
    pub(super) node: SupervisorNode,
    pub(super) system: System,
    pub(super) pid: Pid,
    pub(super) label: Label,
    /// The ractor actor that runs it.
    pub(super) link: RactorLink,
    pub(super) inbox: Arc<Inbox>,
    /// The requests that wait for their answers. Dropping them reports to their callers that the
    /// supervisor has exited.
    pub(super) pending: HashMap<RequestId, (Specs, Reply<Answer>)>,
    pub(super) next_ticket: RequestId,
    /// The child whose start all other stopped children wait for.
    pub(super) awaited: Option<ChildKey>,
    /// Held until the supervisor ends.
    attachment: Option<MailboxConsumer<DriverMsg>>,
    waker: Waker,
    clock: Clock,
    /// The id and the path of the child that was opened last.
    pub(super) last_path: Option<(Arc<str>, Label)>,
    /// When the engine is due for a tick.
    deadline: Option<Time>,
    /// Runs when all children have started.
    tie: Option<Tie>,
    began: bool,
    /// A child was started, and is likely to report soon.
    pub(super) expects_report: bool,
    /// The memory of past actions.
    spare: Vec<Action>,
    /// How it ended, once it has.
    exit: Option<DriverExit>,
}

/// The memory of so many actions is kept.
const KEPT_ACTIONS: usize = 32;

/// Binds the lifetime of a supervisor to something else. Returns `false` if that has ended.
pub(super) type Tie = Box<dyn FnOnce(RactorLink) -> bool + Send>;

/// How a driver ended.
enum DriverExit {
    /// Everything below it had exited.
    Ended(ExitReason),
    /// It was killed. The task cleans up, if there is a runtime.
    Killed(Option<JoinHandle<()>>),
}

impl Driver {
    pub(super) fn new(
        node: SupervisorNode,
        mut attachment: MailboxConsumer<DriverMsg>,
        waker: Waker,
        link: RactorLink,
        tie: Option<Tie>,
    ) -> Self {
        attachment.set_host_logs_end();
        let past = node.state().clear();
        drop(past);
        let has_watched = node.state().begin(attachment.pid());
        node.handle().set_awaited_child(None);
        let driver = Self {
            system: attachment.system().clone(),
            pid: attachment.pid(),
            label: node.label(),
            link,
            inbox: Arc::new(Inbox::new(node.address(), node.downgrade(), has_watched)),
            pending: HashMap::new(),
            next_ticket: RequestId(0),
            awaited: None,
            node,
            attachment: Some(attachment),
            waker,
            clock: Clock::start(),
            last_path: None,
            deadline: None,
            tie,
            began: false,
            expects_report: false,
            spare: Vec::new(),
            exit: None,
        };
        driver.change_status(|_| {});
        driver
    }

    /// Sets the waker for the next calls of [`run_pending`](Self::run_pending).
    pub(super) fn wake_by(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    /// Asks the supervisor to stop.
    pub(super) fn stop(&self) {
        // If it has ended, the next `run_pending` says so.
        let _ = self.node.handle().stop(ExitReason::shutdown());
    }

    /// Waits until nothing below the supervisor is left. Returns its exit reason.
    pub(super) async fn exited(mut self: Box<Self>) -> ExitReason {
        match self.exit.take() {
            Some(DriverExit::Ended(reason)) => reason,
            Some(DriverExit::Killed(cleanup_task)) => {
                if let Some(cleanup_task) = cleanup_task {
                    // Either the cleanup is complete, or its runtime has shut down.
                    let _ = cleanup_task.await;
                }
                ExitReason::Killed
            }
            None => ExitReason::Killed,
        }
    }

    /// Returns `true` if a child was started since the last call, and is likely to report soon.
    pub(super) fn take_expects_report(&mut self) -> bool {
        std::mem::take(&mut self.expects_report)
    }

    /// Handles all messages of the inbox. Breaks once the supervisor has ended.
    pub(super) fn run_pending(&mut self) -> ControlFlow<()> {
        if !self.began {
            self.began = true;
            self.step(Event::Begin)?;
        }
        while let Some(attachment) = &mut self.attachment {
            match attachment.poll_next(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(MailboxEvent::Message(msg)) => self.handle(msg)?,
                Poll::Ready(MailboxEvent::Stop(reason)) => {
                    let drains = self.node.drains();
                    self.step(Event::Shutdown { reason, drains })?;
                }
                Poll::Ready(MailboxEvent::Killed | MailboxEvent::Detached) => return self.on_killed(),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    if self.inbox.has_watched() {
                        self.clock.enable_watchdog(&self.system);
                    }
                    self.clock.set(self.deadline, &self.inbox);
                    return ControlFlow::Continue(());
                }
            }
        }
        ControlFlow::Break(())
    }

    fn handle(&mut self, msg: DriverMsg) -> ControlFlow<()> {
        let event = match msg {
            DriverMsg::Started(key, run) => Event::Started { key, run },
            DriverMsg::Ended(key, run, IncarnationExit { reason, started, dropped, .. }) => {
                self.count_dropped(key, dropped);
                if started {
                    Event::Ended { key, run, reason }
                } else {
                    Event::StartFailed { key, run, reason }
                }
            }
            DriverMsg::Retry { key, generation } => Event::Retry { key, generation },
            DriverMsg::ConditionChecked { key, generation, restarts } => {
                Event::ConditionChecked { key, generation, restarts }
            }
            DriverMsg::ContinueShutdown => Event::ContinueShutdown,
            DriverMsg::Probed(key, run, probe_id, answered) => Event::Probed { key, run, probe_id, answered },
            DriverMsg::Tick => {
                self.clock.disarm();
                Event::Tick
            }
            DriverMsg::Request(request) => match self.take_request(*request) {
                Some(event) => event,
                None => return ControlFlow::Continue(()),
            },
            DriverMsg::Query(query) => {
                self.node.answer_query(query);
                return ControlFlow::Continue(());
            }
        };
        self.step(event)
    }

    /// Steps the engine with an event, and with the events that follow from its actions at once.
    fn step(&mut self, event: Event) -> ControlFlow<()> {
        let (mut next, mut later) = (Some(event), VecDeque::new());
        while let Some(event) = next {
            let now = self.clock.now();
            let has_ended = matches!(event, Event::Ended { .. });
            let spare = std::mem::take(&mut self.spare);
            let step = |engine: &mut Engine| {
                engine.reuse(spare);
                (engine.step(event, now), engine.awaited(), engine.next_deadline())
            };
            let (mut actions, awaited, deadline) =
                self.node.state().engine.as_mut().map(step).unwrap_or_default();
            self.deadline = deadline;
            self.await_start(awaited, has_ended);
            for action in actions.drain(..) {
                let is_addition = matches!(action, Action::AddChild { .. });
                later.extend(self.perform(action)?);
                if is_addition {
                    // The node of the child is known only now, and its start follows.
                    self.await_start(awaited, false);
                }
            }
            if actions.capacity() <= KEPT_ACTIONS {
                self.spare = actions;
            }
            next = later.pop_front();
        }
        ControlFlow::Continue(())
    }

    /// Performs an action. Returns the event that follows from it at once.
    fn perform(&mut self, action: Action) -> ControlFlow<(), Option<Event>> {
        match action {
            Action::AddChild { key, ticket } => self.add_child(key, ticket),
            Action::Start { key, run } => return ControlFlow::Continue(self.start(key, run)),
            Action::Stop { key, reason, drains } => self.stop_child(key, reason, drains),
            Action::Kill { key } => self.kill(key),
            Action::Abandon { key } => self.abandon(key),
            Action::CheckBusy { key, run } => return ControlFlow::Continue(self.check_busy(key, run)),
            Action::Probe { key, run, probe_id } => self.probe(key, run, probe_id),
            Action::Retry { key, generation } => self.inbox.put(DriverMsg::Retry { key, generation }),
            Action::CheckCondition { key, generation, condition, reason } => {
                self.check_condition(key, generation, condition, reason);
            }
            Action::ContinueShutdown => self.inbox.put_continue_shutdown(),
            Action::Close { key, reason } => self.close(key, &reason),
            Action::Forget { key, reason } => self.forget(key, &reason),
            Action::Report { key, kind } => self.report(key, kind),
            Action::Started => self.report_started(),
            Action::BeginShutdown => self.attachment.iter_mut().for_each(MailboxConsumer::begin_stop),
            Action::Answer { ticket, result } => self.answer(ticket, result),
            Action::Exit { ending } => {
                self.end(ending);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(None)
    }

    /// Reports that all children have started. If the supervisor is to be tied to something that
    /// has ended, it stops instead and counts as not started.
    fn report_started(&mut self) {
        let (system, link) = (&self.system, self.link.clone());
        let tied = |tie: Tie| catch_panic(Some(system), || tie(link)).unwrap_or(false);
        if self.tie.take().is_none_or(tied) {
            self.attachment.iter_mut().for_each(MailboxConsumer::started);
        } else {
            self.stop();
        }
    }

    /// Reports the exit to the parent. Everything below has exited.
    fn end(&mut self, ending: SupervisorExit) {
        let reason = match ending {
            SupervisorExit::Reason(reason) => reason,
            SupervisorExit::StartFailed { key, reason } => {
                ExitReason::failed(ChildFailedError::new(self.id_of(key), reason))
            }
        };
        if let Some(mut attachment) = self.attachment.take() {
            attachment.handled();
            attachment.end(reason.clone());
            self.exit = Some(DriverExit::Ended(reason));
        }
    }

    /// Starts the cleanup after a kill. The parent is notified when that is complete.
    fn on_killed(&mut self) -> ControlFlow<()> {
        if let Some(attachment) = self.attachment.take() {
            self.exit = Some(DriverExit::Killed(self.kill_orphans(attachment)));
        }
        ControlFlow::Break(())
    }
}

impl Drop for Driver {
    /// Reached if the ractor actor was killed or failed, or if its runtime has shut down.
    fn drop(&mut self) {
        let _ = self.on_killed();
    }
}
