//! One turn of a supervisor: what is in the inbox goes through the engine, and what that decides is done.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use perennial_actors::host::{Attachment, Step};
use perennial_actors::{ExitReason, Reply};

use super::children::Children;
use super::clock::Clock;
use super::inbox::{Inbox, News, Request};
use super::node::SupervisorNode;
use super::remains;
use crate::engine::{Action, Ending, Event, Refusal, Ticket};
use crate::error::{ChildError, ChildFailed};

/// What carries a supervisor's decisions out.
pub(super) struct Driver {
    node: SupervisorNode,
    /// Held until the end.
    attachment: Option<Attachment<News>>,
    waker: Waker,
    clock: Clock,
    inbox: Arc<Inbox>,
    children: Children,
    began: bool,
    tickets: HashMap<Ticket, Reply<Result<(), ChildError>>>,
    next_ticket: u64,
}

impl Driver {
    pub(super) fn new(node: SupervisorNode, attachment: Attachment<News>, waker: Waker) -> Self {
        node.new_engine();
        let inbox = Arc::new(Inbox::new(node.address()));
        let system = attachment.system().clone();
        Self {
            children: Children::new(node.clone(), system, attachment.pid(), inbox.clone()),
            node,
            attachment: Some(attachment),
            waker,
            clock: Clock::start(),
            inbox,
            began: false,
            tickets: HashMap::new(),
            next_ticket: 0,
        }
    }

    /// Deals with everything that there is to deal with; breaks when it is over.
    pub(super) fn turn(&mut self) -> ControlFlow<()> {
        if !self.began {
            self.began = true;
            self.step(Event::Begin)?;
        }
        while let Some(attachment) = &mut self.attachment {
            match attachment.poll_next(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Step::Message(news)) => self.deal(news)?,
                Poll::Ready(Step::Stop(reason)) => self.step(Event::Shutdown { reason })?,
                Poll::Ready(Step::Killed | Step::Detached) => return self.die(),
                Poll::Ready(_) => {}
                Poll::Pending => {
                    let deadline = self.node.book().engine.as_ref().and_then(|engine| engine.next_deadline());
                    self.clock.set(deadline, &self.inbox);
                    return ControlFlow::Continue(());
                }
            }
        }
        ControlFlow::Break(())
    }

    fn deal(&mut self, news: News) -> ControlFlow<()> {
        if matches!(news, News::Tick) {
            self.clock.disarm();
        }
        match news.into_event() {
            Ok(event) => self.step(event),
            Err(Request::Terminate(id, reply)) => {
                self.ask(&id, reply, |key, ticket| Event::Terminate { key, ticket })
            }
            Err(Request::Restart(id, reply)) => {
                self.ask(&id, reply, |key, ticket| Event::Restart { key, ticket })
            }
        }
    }

    fn ask(
        &mut self,
        id: &str,
        reply: Reply<Result<(), ChildError>>,
        request: impl FnOnce(crate::engine::Key, Ticket) -> Event,
    ) -> ControlFlow<()> {
        let Some(key) = self.children.key_of(id) else {
            reply.send(Err(ChildError::NotFound));
            return ControlFlow::Continue(());
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.tickets.insert(ticket, reply);
        self.step(request(key, ticket))
    }

    /// Takes an event through the engine, and whatever follows from it at once.
    fn step(&mut self, event: Event) -> ControlFlow<()> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.clock.now();
            let actions =
                self.node.book().engine.as_mut().map(|engine| engine.step(event, now)).unwrap_or_default();
            for action in actions {
                events.extend(self.perform(action)?);
            }
        }
        ControlFlow::Continue(())
    }

    fn perform(&mut self, action: Action) -> ControlFlow<(), Option<Event>> {
        match action {
            Action::Start { key, run } => return ControlFlow::Continue(self.children.start(key, run)),
            Action::Stop { key } => self.children.stop(key),
            Action::Kill { key } => self.children.kill(key),
            Action::Abandon { key } => self.children.abandon(key),
            Action::Close { key, reason } => self.children.close(key, &reason),
            Action::Report(report) => self.children.report(&report),
            Action::Retry { key, generation } => self.inbox.put(News::Retry { key, generation }),
            Action::Up => self.attachment.iter_mut().for_each(Attachment::started),
            Action::Answer { ticket, result } => self.answer(ticket, result),
            Action::Exit { ending } => {
                self.end(ending);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(None)
    }

    fn answer(&mut self, ticket: Ticket, result: Result<(), Refusal>) {
        let Some(reply) = self.tickets.remove(&ticket) else { return };
        reply.send(result.map_err(|refusal| match refusal {
            Refusal::Running => ChildError::Running,
            Refusal::Restarting => ChildError::Restarting,
            Refusal::StartFailed(reason) => ChildError::StartFailed(reason),
            Refusal::ShuttingDown => ChildError::ShuttingDown,
            Refusal::NotFound => ChildError::NotFound,
        }));
    }

    /// Everything below is gone: the parent may know.
    fn end(&mut self, ending: Ending) {
        let reason = match ending {
            Ending::Because(reason) => reason,
            Ending::StartFailed { key, reason } => {
                ExitReason::failed(ChildFailed { child: self.children.id_of(key), reason })
            }
        };
        if let Some(mut attachment) = self.attachment.take() {
            attachment.handled();
            attachment.end(reason);
        }
    }

    /// It was killed. What is below is seen to before the parent may know.
    fn die(&mut self) -> ControlFlow<()> {
        if let Some(attachment) = self.attachment.take() {
            remains::see_to(&self.node, attachment);
        }
        ControlFlow::Break(())
    }
}

impl Drop for Driver {
    /// The ractor actor was killed, or failed, or its runtime is gone.
    fn drop(&mut self) {
        let _ = self.die();
    }
}
