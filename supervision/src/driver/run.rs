//! The driver: messages of the inbox go through the engine, and the driver performs the actions.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::ExitReason;
use perennial_actors::host::{IncarnationExit, MailboxConsumer, MailboxEvent, catch_panic};
use tokio::task::JoinHandle;

use super::children::Children;
use super::cleanup;
use super::clock::Clock;
use super::inbox::{DriverMsg, Inbox};
use super::node::SupervisorNode;
use super::reporter::Reporter;
use super::requests::PendingRequests;
use crate::engine::{Action, Engine, Event, SupervisorExit};
use crate::error::ChildFailedError;
use crate::link::RactorLink;
use crate::node::ChildNode;

/// Performs the decisions of one incarnation of a supervisor.
pub(super) struct Driver {
    node: SupervisorNode,
    /// Held until the supervisor ends.
    attachment: Option<MailboxConsumer<DriverMsg>>,
    waker: Waker,
    clock: Clock,
    inbox: Arc<Inbox>,
    children: Children,
    reporter: Reporter,
    requests: PendingRequests,
    /// Runs when all children have started.
    tie: Option<(Tie, RactorLink)>,
    began: bool,
    /// How it ended, once it has.
    exit: Option<DriverExit>,
}

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
        node.state().begin();
        let inbox = Arc::new(Inbox::new(node.address(), node.downgrade()));
        let system = attachment.system().clone();
        Self {
            tie: tie.map(|tie| (tie, link.clone())),
            children: Children::new(node.clone(), system.clone(), inbox.clone(), link),
            reporter: Reporter::new(node.clone(), system, attachment.pid()),
            requests: PendingRequests::new(node.clone()),
            node,
            attachment: Some(attachment),
            waker,
            clock: Clock::start(),
            inbox,
            began: false,
            exit: None,
        }
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
    pub(super) async fn exited(mut self) -> ExitReason {
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
                    if self.children.has_watched() {
                        self.clock.enable_watchdog(attachment.system());
                    }
                    let deadline =
                        self.node.state().engine.as_ref().and_then(|engine| engine.next_deadline());
                    self.clock.set(deadline, &self.inbox);
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
                self.children.count_dropped(key, dropped);
                if started {
                    Event::Ended { key, run, reason }
                } else {
                    Event::StartFailed { key, run, reason }
                }
            }
            DriverMsg::Retry { key, generation } => Event::Retry { key, generation },
            DriverMsg::ContinueShutdown => Event::ContinueShutdown,
            DriverMsg::Probed(key, run, probe_id, answered) => Event::Probed { key, run, probe_id, answered },
            DriverMsg::Tick => {
                self.clock.disarm();
                Event::Tick
            }
            DriverMsg::Request(request) => match self.requests.take(*request) {
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
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.clock.now();
            let has_ended = matches!(event, Event::Ended { .. });
            let step = |engine: &mut Engine| (engine.step(event, now), engine.awaited());
            let (actions, awaited) = self.node.state().engine.as_mut().map(step).unwrap_or_default();
            self.children.await_start(awaited, has_ended);
            for action in actions {
                let is_addition = matches!(action, Action::AddChild { .. });
                events.extend(self.perform(action)?);
                if is_addition {
                    // The node of the child is known only now, and its start follows.
                    self.children.await_start(awaited, false);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn perform(&mut self, action: Action) -> ControlFlow<(), Option<Event>> {
        match action {
            Action::AddChild { key, ticket } => self.requests.add_child(key, ticket),
            Action::Start { key, run } => return ControlFlow::Continue(self.children.start(key, run)),
            Action::Stop { key, reason, drains } => self.children.stop(key, reason, drains),
            Action::Kill { key } => self.children.kill(key),
            Action::Abandon { key } => self.children.abandon(key),
            Action::CheckBusy { key, run } => {
                return ControlFlow::Continue(self.children.check_busy(key, run));
            }
            Action::Probe { key, run, probe_id } => self.children.probe(key, run, probe_id),
            Action::Retry { key, generation } => self.inbox.put(DriverMsg::Retry { key, generation }),
            Action::ContinueShutdown => self.inbox.put_continue_shutdown(),
            Action::Close { key, reason } => self.children.close(key, &reason),
            Action::Forget { key, reason } => self.children.forget(key, &reason),
            Action::Report { key, kind } => self.reporter.report(key, kind, &self.children),
            Action::Started => self.report_started(),
            Action::BeginShutdown => self.attachment.iter_mut().for_each(MailboxConsumer::begin_stop),
            Action::Answer { ticket, result } => self.requests.answer(ticket, result),
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
        let system = self.attachment.as_ref().map(MailboxConsumer::system);
        let tied = |(tie, link): (Tie, RactorLink)| catch_panic(system, || tie(link)).unwrap_or(false);
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
                ExitReason::failed(ChildFailedError::new(self.children.id_of(key), reason))
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
            self.exit = Some(DriverExit::Killed(cleanup::kill_orphans(
                &self.node,
                attachment,
                self.requests.close(),
            )));
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
