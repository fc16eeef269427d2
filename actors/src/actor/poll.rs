//! The next event of an incarnation: signals, then continuations, then mailbox, timers and futures
//! in turn.

use std::task::{self, Poll};

use super::traits::{Actor, Context};
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::{Event, Taken};
use crate::self_messages::Source;
use crate::spans::Callback;

impl<A: Actor> Context<A> {
    /// Returns the next message if only a message can be next and one is already taken from the
    /// mailbox. Most messages of a busy actor come this way, so it is inlined into the message
    /// loop.
    #[inline]
    pub(crate) fn next_taken(&mut self, taken: &mut Taken<'_, A::Msg>) -> Option<A::Msg> {
        // It is not suspended: nothing was taken then.
        if self.has_only_its_mailbox() { self.attachment_mut().next_taken(taken) } else { None }
    }

    /// Begins the handler of the message that the last poll returned. If it has a span or is timed,
    /// it is alone: the next message comes by a poll, which notes that the handler has returned.
    #[inline]
    pub(crate) fn begin_handler(&self, taken: &mut Taken<'_, A::Msg>) {
        let waited = taken.sample(|| self.attachment().system().samples().has_subscribers());
        if self.attachment().begin_callback(Callback::Handle, waited) {
            taken.handler_awaits();
        }
    }

    /// Polls for the next event.
    pub(crate) fn poll_next(
        &mut self,
        taken: &mut Taken<'_, A::Msg>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Event<A::Msg>> {
        self.attachment().callback_returned();
        if taken.len() > 0 {
            taken.put_back();
        }
        let is_suspended = self.attachment().is_suspended();
        if is_suspended || self.has_only_its_mailbox() {
            self.attachment_mut().poll_several(taken, cx)
        } else {
            self.poll_with_self_messages(cx)
        }
    }

    /// Returns `true` if no timer, stream, future or continuation is waited for.
    #[inline]
    fn has_only_its_mailbox(&mut self) -> bool {
        self.self_messages_if_any().is_none_or(|own| own.is_empty())
    }

    #[inline(never)]
    fn poll_with_self_messages(&mut self, cx: &mut task::Context<'_>) -> Poll<Event<A::Msg>> {
        if self.attachment_mut().is_exhausted(cx) {
            return Poll::Pending;
        }
        let signalled = self.attachment().process().queue.has_signal();
        if !signalled {
            if let Some(message) = self.self_messages_mut().continuations.pop_front() {
                return self.begin_self_message(Ok(message));
            }
        }
        // An empty mailbox must not renew the budget of an actor that has messages to itself.
        let budget = self.attachment().budget();
        let first = if signalled { Source::Mailbox } else { self.self_messages_mut().first() };
        for source in first.rotation() {
            if source == Source::Mailbox {
                if let Poll::Ready(next) = self.attachment_mut().poll_one(cx) {
                    if matches!(next, Event::Message(_)) {
                        self.self_messages_mut().move_to_back(source);
                    }
                    return Poll::Ready(next);
                }
            } else if let Poll::Ready(own) = self.self_messages_mut().poll_ready(source, cx) {
                self.self_messages_mut().move_to_back(source);
                self.attachment_mut().set_budget(budget);
                return self.begin_self_message(own);
            }
        }
        match self.self_messages_mut().take_idle() {
            Some(message) => self.begin_self_message(Ok(message)),
            None => Poll::Pending,
        }
    }

    /// Begins a message to itself, or returns the stop for a piped future that panicked.
    fn begin_self_message(&mut self, own: Result<A::Msg, ExitReason>) -> Poll<Event<A::Msg>> {
        if !self.attachment_mut().begin_self_message() {
            return Poll::Ready(Event::Detached);
        }
        Poll::Ready(match own {
            Ok(message) => Event::Message(message),
            Err(reason) => Event::Signal(ControlSignal::Stop(reason)),
        })
    }
}
