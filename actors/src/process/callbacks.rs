//! What others see of the callbacks of an incarnation: their spans, and the times of messages.
//!
//! A callback is observed if a subscriber wants its span, or if its message is timed. Its
//! [`Observation`] is in the mailbox, which has a flag for it. So a callback that is not observed
//! costs a look at the flag for each poll of the task and of the mailbox, and nothing for each
//! message.

use std::any::type_name;
use std::sync::Arc;
use std::time::Duration;

use super::consumer::MailboxConsumer;
use super::shared::Process;
use crate::spans::{self, Callback, HandlerSpan, Observation};
use crate::system::HandlerSample;

impl<M: Send + 'static> MailboxConsumer<M> {
    /// Begins to observe a callback, if a subscriber wants its span, or if it is known how long its
    /// message has waited. Returns `true` if it is observed.
    #[inline]
    pub(crate) fn begin_callback(&self, callback: Callback, waited: Option<Duration>) -> bool {
        let wants_span = spans::are_wanted();
        let is_observed = wants_span || waited.is_some();
        if is_observed {
            self.process().begin_callback(self.incarnation(), wants_span.then_some(callback), waited);
        }
        is_observed
    }

    /// Ends the observation of a callback that has returned, and publishes its times.
    #[inline]
    pub(crate) fn callback_returned(&self) {
        if self.process().queue.is_observed() {
            self.publish_times();
        }
    }

    #[cold]
    fn publish_times(&self) {
        let times = self.process().end_callback(self.incarnation());
        if let (Some((waited, handled_in)), Some(registration)) = (times, self.process().registration()) {
            self.system().samples().send(|| HandlerSample {
                pid: self.pid(),
                label: registration.label.to_shared(),
                message_type: type_name::<M>(),
                waited,
                handled_in,
            });
        }
    }
}

impl<M: Send + 'static> Process<M> {
    /// Begins to observe a callback, in a span if one is wanted of it.
    #[cold]
    fn begin_callback(&self, incarnation: u32, spanned: Option<Callback>, waited: Option<Duration>) {
        let span = spanned.and_then(|callback| self.handler_span(incarnation, callback));
        let observation = Arc::new(Observation::new(span, waited));
        observation.enter();
        if let Some(previous) = self.queue.set_observation(incarnation, observation) {
            previous.leave();
        }
    }

    /// Makes the span of a callback. That of a message follows from the span of its sender.
    fn handler_span(&self, incarnation: u32, callback: Callback) -> Option<HandlerSpan> {
        let registration = self.registration()?;
        let sender = match callback {
            Callback::Handle => self.queue.take_sender(incarnation),
            Callback::Init | Callback::Signal | Callback::Terminate => None,
        };
        HandlerSpan::new::<M>(callback, self.pid_of(incarnation), &registration.label, sender.as_ref())
    }

    /// Enters the span of the callback, whose task is polled again.
    #[cold]
    pub(crate) fn enter_callback(&self, incarnation: u32) {
        if let Some(observation) = self.queue.observation(incarnation) {
            observation.enter();
        }
    }

    /// Leaves the span of the callback, which waits.
    #[cold]
    pub(crate) fn leave_callback(&self, incarnation: u32) {
        if let Some(observation) = self.queue.observation(incarnation) {
            observation.leave();
        }
    }

    /// Ends the observation of the callback. Returns how long its message has waited, and how long
    /// it took, if it was timed.
    #[cold]
    pub(crate) fn end_callback(&self, incarnation: u32) -> Option<(Duration, Duration)> {
        let observation = self.queue.take_observation(incarnation)?;
        observation.leave();
        observation.times()
    }
}
