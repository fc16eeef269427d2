//! What an incarnation does next.

use std::task::{self, Poll};

use super::contract::{Actor, Context};
use crate::exit::ExitReason;
use crate::mailbox::Next;
use crate::order::Order;

/// What an incarnation does next.
pub(crate) enum Todo<M> {
    /// Handle a message, of whoever.
    Message(M),
    /// Act on a signal.
    Order(Order),
    /// End: a piped future has panicked.
    End(ExitReason),
    /// Die at once: it was killed, or its mailbox was taken away.
    Die,
}

impl<A: Actor> Context<A> {
    /// What is next: signals, then continuations, then timers and futures in turn with the mailbox.
    pub(crate) fn poll_todo(&mut self, cx: &mut task::Context<'_>) -> Poll<Todo<A::Msg>> {
        if self.attachment().process().condition.is_suspended() {
            return self.attachment_mut().poll_signal(cx).map(Todo::from);
        }
        if self.agenda_if_any().is_none() {
            return self.attachment_mut().poll_any(cx).map(Todo::from);
        }
        if self.attachment_mut().is_exhausted(cx) {
            return Poll::Pending;
        }
        self.poll_with_agenda(cx)
    }

    fn poll_with_agenda(&mut self, cx: &mut task::Context<'_>) -> Poll<Todo<A::Msg>> {
        let signalled = self.attachment().process().queue.has_signal();
        if !signalled {
            if let Some(message) = self.agenda_mut().next_continuation() {
                return self.begin_own(Ok(message));
            }
        }
        let mailbox_first = signalled || self.agenda_mut().gives_way();
        if mailbox_first {
            if let Poll::Ready(next) = self.attachment_mut().poll_any(cx) {
                return Poll::Ready(next.into());
            }
        }
        if let Poll::Ready(own) = self.agenda_mut().poll_ready(cx) {
            return self.begin_own(own);
        }
        if !mailbox_first {
            if let Poll::Ready(next) = self.attachment_mut().poll_any(cx) {
                return Poll::Ready(next.into());
            }
        }
        match self.agenda_mut().take_idle() {
            Some(message) => self.begin_own(Ok(message)),
            None => Poll::Pending,
        }
    }

    fn begin_own(&mut self, own: Result<A::Msg, ExitReason>) -> Poll<Todo<A::Msg>> {
        if !self.attachment_mut().begin_own() {
            return Poll::Ready(Todo::Die);
        }
        Poll::Ready(match own {
            Ok(message) => Todo::Message(message),
            Err(reason) => Todo::End(reason),
        })
    }
}

impl<M> From<Next<M>> for Todo<M> {
    fn from(next: Next<M>) -> Self {
        match next {
            Next::Message(message) => Self::Message(message),
            Next::Signal(order) => Self::Order(order),
            Next::Killed | Next::Detached => Self::Die,
        }
    }
}
