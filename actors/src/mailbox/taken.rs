//! The messages that an incarnation has taken and not begun to handle.

use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::config::OverflowPolicy;
use super::recv::Event;
use super::shared::{Mailbox, SENDERS_WAITING, Unhandled};
use super::stamp::NextStamp;
use super::state::Interest;
use crate::foreign::drop_each;
use crate::sync::Ordering;

/// The largest number of messages in flight: the one that is being handled, and those behind it
/// that were taken with it.
pub(super) const MAX_TAKEN: u8 = 8;

/// The room for which waiting senders are admitted together at the latest.
const ADMITTED_TOGETHER: usize = 128;

/// The time after which waiting senders are admitted to the room that there is: the handlers take
/// their time.
const LONGEST_DEFERRAL: Duration = Duration::from_micros(100);

/// The number of polls between a message that was timed and the one that asks for the time of the
/// next: a message out of 256 is timed. The first messages of an actor are not, so most actors need
/// no memory for it.
const SKIPPED: u8 = 254;

/// A deferred admission of waiting senders.
struct Deferral {
    /// How many messages may be taken before they are admitted.
    messages: usize,
    began: Instant,
}

impl Deferral {
    fn is_over(&self) -> bool {
        self.began.elapsed() > LONGEST_DEFERRAL
    }
}

/// The messages that an incarnation has taken and not begun to handle. It lives in the task of the
/// incarnation, which takes the next one out without a lock.
///
/// The incarnation returns them to the mailbox when a handler awaits, when something goes before
/// them, and when it ends, however it ends. Only an incarnation that blocks its thread and is
/// abandoned keeps them. They are lost in flight then.
pub(crate) struct Taken<'a, M> {
    mailbox: &'a Mailbox<M>,
    incarnation: u32,
    /// How many messages may be taken next.
    limit: u8,
    /// How many polls may be skipped before the next that [samples](Self::sample).
    skip: u8,
    /// Senders were found waiting, and their admission was deferred.
    // Rare, so it takes no memory in every task.
    deferred: Option<Box<Deferral>>,
    /// In reverse order.
    messages: Vec<M>,
    unhandled: Option<Unhandled>,
}

impl<'a, M> Taken<'a, M> {
    pub(crate) const fn new(mailbox: &'a Mailbox<M>, incarnation: u32) -> Self {
        Self {
            mailbox,
            incarnation,
            limit: 1,
            skip: SKIPPED,
            deferred: None,
            messages: Vec::new(),
            unhandled: None,
        }
    }

    /// Returns the next message, which is in flight then, unless something goes before it. Counts
    /// the previous message as handled.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<M> {
        if !self.mailbox.flags.is_quiet(self.incarnation) {
            return None;
        }
        let message = self.messages.pop()?;
        // There are at most `MAX_TAKEN`.
        #[allow(clippy::cast_possible_truncation)]
        self.mark_unhandled(self.messages.len() as u8 + 1);
        Some(message)
    }

    #[inline]
    fn mark_unhandled(&self, messages: u8) {
        if let Some(unhandled) = &self.unhandled {
            unhandled.store(messages, Ordering::Release);
        }
    }

    /// Takes the next messages out of the batch and returns the first, unless the state must be
    /// checked before. Counts the previous message as handled.
    ///
    /// To be called only if nothing is taken. The first call takes one message. Each call takes
    /// twice as many as the previous one, until a handler awaits.
    #[inline(never)]
    fn refill(&mut self) -> Option<M> {
        let mailbox = self.mailbox;
        let mut batch = mailbox.batch.lock();
        if !mailbox.flags.is_quiet(self.incarnation) || !batch.is_owned_by(self.incarnation) {
            return None;
        }
        if mailbox.flags.has(SENDERS_WAITING) {
            let deferred = self.deferred.as_mut()?;
            deferred.messages = deferred.messages.checked_sub(self.limit.into())?;
            if deferred.is_over() {
                return None;
            }
        }
        let message = batch.messages.pop()?;
        let rest = batch.len();
        let behind = rest.min(usize::from(self.limit - 1));
        self.messages.extend(batch.messages.drain(rest - behind..));
        // There are at most `MAX_TAKEN`.
        #[allow(clippy::cast_possible_truncation)]
        let taken = behind as u8 + 1;
        if taken > 1 {
            if self.unhandled.is_none() {
                self.unhandled = Some(batch.unhandled.get_or_insert_default().clone());
            }
            self.mark_unhandled(taken);
        }
        mailbox.batch_len.store(rest, Ordering::Relaxed);
        batch.handled += mailbox.swap_taken(taken);
        if mailbox.overflow != OverflowPolicy::DropOldest {
            self.limit = (self.limit * 2).min(MAX_TAKEN);
        }
        Some(message)
    }

    /// Returns the next event, and counts the previous message as handled. Parks if there is
    /// nothing.
    ///
    /// While the incarnation works through its batch, waiting senders are admitted together: when
    /// half of the capacity is free, or room for [`ADMITTED_TOGETHER`], or after
    /// [`LONGEST_DEFERRAL`].
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Event<M>> {
        let mailbox = self.mailbox;
        // The consumer shortens the batch, and so does a sender that evicts the oldest message. In
        // both cases the consumer finds the batch empty and checks the state.
        if mailbox.batch_len.load(Ordering::Relaxed) > 0 {
            if let Some(message) = self.refill() {
                return Poll::Ready(Event::Message(message));
            }
        }
        if self.deferred.is_none() {
            if let Some(polled) = mailbox.poll_quiet(self.incarnation, waker) {
                return polled.map(Event::Message);
            }
        }
        let previous = self.deferred.take();
        let deferred = &mut self.deferred;
        let defer = |free: usize, limit: usize| {
            let wanted = (limit / 2).min(ADMITTED_TOGETHER);
            if let Some(messages) = wanted.checked_sub(free + usize::from(MAX_TAKEN)) {
                let began = previous.map_or_else(Instant::now, |previous| previous.began);
                *deferred =
                    Some(Box::new(Deferral { messages, began })).filter(|deferred| !deferred.is_over());
            }
            deferred.is_some()
        };
        mailbox.poll_with(self.incarnation, Interest::Messages, waker, Mailbox::next_message, defer)
    }

    /// Returns how long the message that was taken last has waited, if it is one of those that are
    /// timed. To be called for each poll that returned a message.
    #[inline]
    pub(crate) fn sample(&mut self, are_wanted: impl FnOnce() -> bool) -> Option<Duration> {
        match self.skip.checked_sub(1) {
            Some(skip) => {
                self.skip = skip;
                None
            }
            None if are_wanted() => self.sample_next(),
            None => {
                self.skip = SKIPPED;
                None
            }
        }
    }

    /// Looks for the message whose time is known, or asks for the time of one.
    ///
    /// A poll returns at most [`MAX_TAKEN`] messages, so this looks again before the message comes
    /// whose time is known, and lets it come alone.
    #[cold]
    #[inline(never)]
    fn sample_next(&mut self) -> Option<Duration> {
        match self.mailbox.next_stamp(self.incarnation)? {
            NextStamp::Here(waited) => {
                self.skip = SKIPPED;
                Some(waited)
            }
            NextStamp::Behind(messages) => {
                let polls = messages / u64::from(MAX_TAKEN);
                if polls == 0 {
                    self.handler_awaits();
                }
                self.skip = u8::try_from(polls.saturating_sub(1)).unwrap_or(u8::MAX);
                None
            }
        }
    }

    /// Notes that a handler awaits, or that its message is to be alone. Returns the messages behind
    /// it.
    #[inline]
    pub(crate) fn handler_awaits(&mut self) {
        self.limit = 1;
        if !self.messages.is_empty() {
            self.put_back();
        }
    }

    /// Returns the messages to the front of the batch.
    #[cold]
    pub(crate) fn put_back(&mut self) {
        let mailbox = self.mailbox;
        let mut batch = mailbox.batch.lock();
        if batch.is_owned_by(self.incarnation) {
            batch.handled += mailbox.swap_taken(1) - 1 - self.messages.len() as u64;
            batch.messages.append(&mut self.messages);
            mailbox.batch_len.store(batch.len(), Ordering::Relaxed);
        }
        drop(batch);
        // They were counted as lost when the mailbox was taken away.
        drop_each(self.messages.drain(..));
    }

    /// Returns the number of messages that were taken and not begun.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }
}

impl<M> Drop for Taken<'_, M> {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            self.put_back();
        }
    }
}
