//! What an incarnation does next: signals, then continuations, then the mailbox, timers and futures in turn.

use std::task::{self, Poll};

use super::traits::{Actor, Context};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::NextEvent;
use crate::self_messages::Source;

impl<A: Actor> Context<A> {
    /// The next message, if nothing but messages can be next and there is one that needs no look at the mailbox: what most of
    /// the messages of a busy actor are, so it is made one piece with its handler.
    #[inline]
    pub(crate) fn try_next_message(&mut self) -> Option<A::Msg> {
        if self.has_only_its_mailbox() { self.attachment_mut().try_next_message() } else { None }
    }

    /// What is next.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<NextEvent<A::Msg>> {
        if self.has_only_its_mailbox() {
            self.attachment_mut().poll_mailbox(cx)
        } else {
            self.poll_with_agenda(cx)
        }
    }

    fn has_only_its_mailbox(&mut self) -> bool {
        self.agenda_if_any().is_none() && !self.attachment().process().activity.is_suspended()
    }

    #[inline(never)]
    fn poll_with_agenda(&mut self, cx: &mut task::Context<'_>) -> Poll<NextEvent<A::Msg>> {
        if self.attachment().process().activity.is_suspended() {
            return self.attachment_mut().poll_signal(cx);
        }
        if self.attachment_mut().is_exhausted(cx) {
            return Poll::Pending;
        }
        let signalled = self.attachment().process().queue.has_signal();
        if !signalled {
            if let Some(message) = self.agenda_mut().next_continuation() {
                return self.begin_self_message(Ok(message));
            }
        }
        // An empty mailbox does not renew the budget of an actor that has its own work to do.
        let budget = self.attachment().budget();
        let first = if signalled { Source::Mailbox } else { self.agenda_mut().first() };
        for source in first.rotation() {
            if source == Source::Mailbox {
                if let Poll::Ready(next) = self.attachment_mut().poll_mailbox(cx) {
                    if matches!(next, NextEvent::Message(_)) {
                        self.agenda_mut().move_to_back(source);
                    }
                    return Poll::Ready(next);
                }
            } else if let Poll::Ready(own) = self.agenda_mut().poll_ready(source, cx) {
                self.agenda_mut().move_to_back(source);
                self.attachment_mut().set_budget(budget);
                return self.begin_self_message(own);
            }
        }
        match self.agenda_mut().take_idle() {
            Some(message) => self.begin_self_message(Ok(message)),
            None => Poll::Pending,
        }
    }

    /// A message to oneself, or the reason for which a piped future has failed.
    fn begin_self_message(&mut self, own: Result<A::Msg, ExitReason>) -> Poll<NextEvent<A::Msg>> {
        if !self.attachment_mut().begin_self_message() {
            return Poll::Ready(NextEvent::Detached);
        }
        Poll::Ready(match own {
            Ok(message) => NextEvent::Message(message),
            Err(reason) => NextEvent::Signal(ControlSignal::Stop(reason)),
        })
    }
}
