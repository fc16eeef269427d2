//! One turn of a supervisor: what is in the inbox goes through the engine, and what that decides is done.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::ExitReason;
use perennial_actors::host::{MailboxConsumer, MailboxEvent, catch_panic};
use tokio::task::JoinHandle;

use super::children::Children;
use super::cleanup;
use super::clock::Clock;
use super::inbox::{DriverMsg, Inbox};
use super::node::SupervisorNode;
use super::reporter::Reporter;
use super::requests::PendingRequests;
use crate::engine::{Action, Engine, EngineReport, Event, SupervisorExit};
use crate::error::ChildFailedError;
use crate::link::RactorLink;
use crate::node::ChildNode;

/// What carries a supervisor's decisions out.
pub(super) struct Driver {
    node: SupervisorNode,
    /// Held until the end.
    attachment: Option<MailboxConsumer<DriverMsg>>,
    waker: Waker,
    clock: Clock,
    inbox: Arc<Inbox>,
    children: Children,
    reporter: Reporter,
    desk: PendingRequests,
    /// To be done when it is up.
    tie: Option<(Tie, RactorLink)>,
    began: bool,
    /// How it ended, when it has.
    exit: Option<DriverExit>,
}

/// Ties a supervisor to something that it is to end with. Returns `false` if that has ended.
pub(super) type Tie = Box<dyn FnOnce(RactorLink) -> bool + Send>;

/// The end of a supervisor.
enum DriverExit {
    /// Everything below it was gone.
    Ended(ExitReason),
    /// It was killed, and somebody sees to what is left.
    Died(Option<JoinHandle<()>>),
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
        let past = node.book().clear();
        drop(past);
        node.book().begin();
        let inbox = Arc::new(Inbox::new(node.address(), node.downgrade()));
        let system = attachment.system().clone();
        Self {
            tie: tie.map(|tie| (tie, link.clone())),
            children: Children::new(node.clone(), system.clone(), inbox.clone(), link),
            reporter: Reporter::new(node.clone(), system, attachment.pid()),
            desk: PendingRequests::new(node.clone()),
            node,
            attachment: Some(attachment),
            waker,
            clock: Clock::start(),
            inbox,
            began: false,
            exit: None,
        }
    }

    /// Has `waker` woken from the next turn on.
    pub(super) fn wake_by(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    /// Tells the supervisor to stop.
    pub(super) fn stop(&self) {
        // If it has ended, its next turn says so.
        let _ = self.node.handle().stop(ExitReason::shutdown());
    }

    /// The reason of its end, when nothing below it is left either.
    pub(super) async fn exited(mut self) -> ExitReason {
        match self.exit.take() {
            Some(DriverExit::Ended(reason)) => reason,
            Some(DriverExit::Died(remains)) => {
                if let Some(remains) = remains {
                    // Whoever saw to it did so, or its runtime is gone.
                    let _ = remains.await;
                }
                ExitReason::Killed
            }
            None => ExitReason::Killed,
        }
    }

    /// Deals with everything that there is to deal with; breaks when it is over.
    pub(super) fn run_pending(&mut self) -> ControlFlow<()> {
        if !self.began {
            self.began = true;
            self.step(Event::Begin)?;
        }
        while let Some(attachment) = &mut self.attachment {
            match attachment.poll_next(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(MailboxEvent::Message(news)) => self.handle(news)?,
                Poll::Ready(MailboxEvent::Stop(reason)) => {
                    let drains = self.node.drains();
                    self.step(Event::Shutdown { reason, drains })?;
                }
                Poll::Ready(MailboxEvent::Killed | MailboxEvent::Detached) => return self.on_killed(),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    if self.children.watches() {
                        self.clock.enable_watchdog(attachment.system());
                    }
                    let deadline = self.node.book().engine.as_ref().and_then(|engine| engine.next_deadline());
                    self.clock.set(deadline, &self.inbox);
                    return ControlFlow::Continue(());
                }
            }
        }
        ControlFlow::Break(())
    }

    fn handle(&mut self, news: DriverMsg) -> ControlFlow<()> {
        if matches!(news, DriverMsg::Tick) {
            self.clock.disarm();
        }
        if let DriverMsg::Ended(key, _, end) = &news {
            self.children.count_dropped(*key, end.dropped);
        }
        match news.into_event() {
            Ok(event) => self.step(event),
            Err(ask) => match self.desk.take(*ask) {
                Some(event) => self.step(event),
                None => ControlFlow::Continue(()),
            },
        }
    }

    /// Takes an event through the engine, and whatever follows from it at once.
    fn step(&mut self, event: Event) -> ControlFlow<()> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.clock.now();
            let has_ended = matches!(event, Event::Ended { .. });
            let step = |engine: &mut Engine| (engine.step(event, now), engine.awaited());
            let (actions, awaited) = self.node.book().engine.as_mut().map(step).unwrap_or_default();
            self.children.await_start(awaited, has_ended);
            for action in actions {
                let is_admission = matches!(action, Action::Admit { .. });
                events.extend(self.perform(action)?);
                if is_admission {
                    // Its node is known only now, and its start comes next.
                    self.children.await_start(awaited, false);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn report(&self, report: EngineReport) {
        if let EngineReport::Restarting { key, ref reason, delay, .. } = report {
            self.children.announce(key, reason.clone(), delay);
        }
        self.reporter.report(report, &self.children);
    }

    fn perform(&mut self, action: Action) -> ControlFlow<(), Option<Event>> {
        match action {
            Action::Admit { key, ticket } => self.desk.admit(key, ticket),
            Action::Start { key, run } => return ControlFlow::Continue(self.children.start(key, run)),
            Action::Stop { key, reason, drains } => self.children.stop(key, reason, drains),
            Action::Kill { key } => self.children.kill(key),
            Action::Abandon { key } => self.children.abandon(key),
            Action::CheckBusy { key, run } => return ControlFlow::Continue(self.children.look(key, run)),
            Action::Probe { key, run, question } => self.children.probe(key, run, question),
            Action::Retry { key, generation } => self.inbox.put(DriverMsg::Retry { key, generation }),
            Action::ContinueShutdown => self.inbox.put_go_on(),
            Action::Close { key, reason } => self.children.close(key, &reason),
            Action::Forget { key, reason } => self.children.forget(key, &reason),
            Action::Report(report) => self.report(report),
            Action::Started => self.up(),
            Action::GoDown => self.attachment.iter_mut().for_each(MailboxConsumer::begin_stop),
            Action::Answer { ticket, result } => self.desk.answer(ticket, result),
            Action::Exit { ending } => {
                self.end(ending);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(None)
    }

    /// All children are up. If the supervisor is to be tied to something that has ended, it stops
    /// without having started.
    fn up(&mut self) {
        let system = self.attachment.as_ref().map(MailboxConsumer::system);
        let tied = |(tie, link): (Tie, RactorLink)| catch_panic(system, || tie(link)).unwrap_or(false);
        if self.tie.take().is_none_or(tied) {
            self.attachment.iter_mut().for_each(MailboxConsumer::started);
        } else {
            self.stop();
        }
    }

    /// Everything below is gone: the parent may know.
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

    /// It was killed. What is below is seen to before the parent may know.
    fn on_killed(&mut self) -> ControlFlow<()> {
        if let Some(attachment) = self.attachment.take() {
            self.exit =
                Some(DriverExit::Died(cleanup::kill_orphans(&self.node, attachment, self.desk.close())));
        }
        ControlFlow::Break(())
    }
}

impl Drop for Driver {
    /// The ractor actor was killed, or failed, or its runtime is gone.
    fn drop(&mut self) {
        let _ = self.on_killed();
    }
}
