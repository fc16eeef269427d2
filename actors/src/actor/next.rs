//! What an incarnation does next: signals, then continuations, then the mailbox, timers and futures in turn.

use std::task::{self, Poll};

use super::contract::{Actor, Context};
use crate::agenda::Source;
use crate::exit::ExitReason;
use crate::mailbox::Next;
use crate::order::Order;

impl<A: Actor> Context<A> {
    /// The next message, if nothing but messages can be next and there is one that needs no look at the mailbox: what most of
    /// the messages of a busy actor are, so it is made one piece with its handler.
    #[inline]
    pub(crate) fn message_at_hand(&mut self) -> Option<A::Msg> {
        if self.has_only_its_mailbox() { self.attachment_mut().message_at_hand() } else { None }
    }

    /// What is next.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Next<A::Msg>> {
        if self.has_only_its_mailbox() {
            self.attachment_mut().poll_any(cx)
        } else {
            self.poll_with_agenda(cx)
        }
    }

    fn has_only_its_mailbox(&mut self) -> bool {
        self.agenda_if_any().is_none() && !self.attachment().process().condition.is_suspended()
    }

    #[inline(never)]
    fn poll_with_agenda(&mut self, cx: &mut task::Context<'_>) -> Poll<Next<A::Msg>> {
        if self.attachment().process().condition.is_suspended() {
            return self.attachment_mut().poll_signal(cx);
        }
        if self.attachment_mut().is_exhausted(cx) {
            return Poll::Pending;
        }
        let signalled = self.attachment().process().queue.has_signal();
        if !signalled {
            if let Some(message) = self.agenda_mut().next_continuation() {
                return self.begin_own(Ok(message));
            }
        }
        // An empty mailbox does not renew the budget of an actor that has its own work to do.
        let budget = self.attachment().budget();
        let first = if signalled { Source::Mailbox } else { self.agenda_mut().first() };
        for source in first.rotation() {
            if source == Source::Mailbox {
                if let Poll::Ready(next) = self.attachment_mut().poll_any(cx) {
                    if matches!(next, Next::Message(_)) {
                        self.agenda_mut().had_turn(source);
                    }
                    return Poll::Ready(next);
                }
            } else if let Poll::Ready(own) = self.agenda_mut().poll_ready(source, cx) {
                self.agenda_mut().had_turn(source);
                self.attachment_mut().set_budget(budget);
                return self.begin_own(own);
            }
        }
        match self.agenda_mut().take_idle() {
            Some(message) => self.begin_own(Ok(message)),
            None => Poll::Pending,
        }
    }

    /// A message to oneself, or the reason for which a piped future has failed.
    fn begin_own(&mut self, own: Result<A::Msg, ExitReason>) -> Poll<Next<A::Msg>> {
        if !self.attachment_mut().begin_own() {
            return Poll::Ready(Next::Detached);
        }
        Poll::Ready(match own {
            Ok(message) => Next::Message(message),
            Err(reason) => Next::Signal(Order::Stop(reason)),
        })
    }
}
