//! The self messages of one incarnation, and which of them is next.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::pipes::{PipeHandle, Pipes};
use super::streams::{StreamHandle, Streams};
use super::timers::{TimerId, Timers};
use crate::clock::{NoTimers, deadline_after, sleep_until};
use crate::exit::ExitReason;
use crate::foreign::drop_each;
use crate::system::System;

/// The self messages of one incarnation. Most incarnations have none, so it is created on first
/// use.
pub(crate) struct SelfMessages<M> {
    continuations: VecDeque<M>,
    timers: Timers<M>,
    pipes: Pipes<M>,
    streams: Streams<M>,
    sleep: Option<Pin<Box<Sleep>>>,
    deferred_replies: Vec<DeferredReply>,
    /// The source that is polled first.
    first: Source,
}

/// The source of a message. The sources take turns, so that each waits for at most three turns of
/// others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// Messages that others have sent.
    Mailbox,
    /// Due timers.
    Timers,
    /// Completed pipes: futures and blocking work.
    Pipes,
    /// Attached streams that yield an item.
    Streams,
}

impl Source {
    /// Returns this source and the other ones, in the order in which they take turns.
    pub(crate) const fn rotation(self) -> [Self; 4] {
        match self {
            Self::Mailbox => [Self::Mailbox, Self::Timers, Self::Pipes, Self::Streams],
            Self::Timers => [Self::Timers, Self::Pipes, Self::Streams, Self::Mailbox],
            Self::Pipes => [Self::Pipes, Self::Streams, Self::Mailbox, Self::Timers],
            Self::Streams => [Self::Streams, Self::Mailbox, Self::Timers, Self::Pipes],
        }
    }
}

/// A reply that is sent at the end of the incarnation.
type DeferredReply = Box<dyn FnOnce() + Send>;

impl<M: Send + 'static> SelfMessages<M> {
    pub(crate) fn new() -> Self {
        Self {
            continuations: VecDeque::new(),
            timers: Timers::new(),
            pipes: Pipes::new(),
            streams: Streams::new(),
            sleep: None,
            deferred_replies: Vec::new(),
            first: Source::Timers,
        }
    }

    pub(crate) fn continue_with(&mut self, message: M) {
        self.continuations.push_back(message);
    }

    pub(crate) fn next_continuation(&mut self) -> Option<M> {
        self.continuations.pop_front()
    }

    pub(crate) fn set_timer(&mut self, after: Duration, message: M) -> TimerId {
        self.timers.set(deadline_after(after), message)
    }

    pub(crate) fn set_interval(
        &mut self,
        period: Duration,
        make: impl FnMut() -> M + Send + 'static,
    ) -> TimerId {
        self.timers.set_interval(deadline_after(period), period, Box::new(make))
    }

    pub(crate) fn set_keyed(&mut self, key: Cow<'static, str>, after: Duration, message: M) -> TimerId {
        self.timers.set_keyed(key, deadline_after(after), message)
    }

    pub(crate) fn keyed(&self, key: &str) -> Option<TimerId> {
        self.timers.keyed(key)
    }

    pub(crate) fn set_idle(&mut self, after: Duration, message: M) {
        self.timers.set_idle(deadline_after(after), message);
    }

    pub(crate) fn interrupt_idle(&mut self) {
        self.timers.interrupt_idle();
    }

    /// Cancels a timer and returns the time that was left.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Duration> {
        self.timers.cancel(id).map(remaining)
    }

    /// Returns the time that is left.
    pub(crate) fn read(&self, id: TimerId) -> Option<Duration> {
        self.timers.read(id).map(remaining)
    }

    pub(crate) fn pipe(
        &mut self,
        system: System,
        future: impl Future<Output = M> + Send + 'static,
    ) -> PipeHandle {
        self.pipes.pipe(system, future)
    }

    pub(crate) fn pipe_blocking(
        &mut self,
        system: System,
        work: impl FnOnce() -> M + Send + 'static,
    ) -> PipeHandle {
        self.pipes.pipe_blocking(system, work)
    }

    pub(crate) fn attach<S>(
        &mut self,
        system: System,
        stream: S,
        map: impl FnMut(S::Item) -> M + Send + 'static,
        last: Option<M>,
    ) -> StreamHandle
    where
        S: Stream + Send + 'static,
    {
        self.streams.attach(system, stream, map, last)
    }

    pub(crate) fn defer_reply(&mut self, reply: DeferredReply) {
        self.deferred_replies.push(reply);
    }

    pub(crate) fn take_deferred_replies(&mut self) -> Vec<DeferredReply> {
        std::mem::take(&mut self.deferred_replies)
    }

    /// Returns the source that is polled first.
    pub(crate) const fn first(&self) -> Source {
        self.first
    }

    /// Moves a source behind the others, because the next message comes from it.
    pub(crate) const fn move_to_back(&mut self, source: Source) {
        let [_, next, _, _] = source.rotation();
        self.first = next;
    }

    /// Returns a ready message of a source other than the mailbox. Wakes the task when there is
    /// one.
    pub(crate) fn poll_ready(&mut self, source: Source, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        match source {
            Source::Mailbox => Poll::Pending,
            Source::Timers => match self.poll_timers(cx) {
                Ok(polled) => polled.map(Ok),
                Err(none) => Poll::Ready(Err(none.into())),
            },
            Source::Pipes => self.pipes.poll(cx),
            Source::Streams => self.streams.poll(cx),
        }
    }

    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Result<Poll<M>, NoTimers> {
        let Some(deadline) = self.timers.next() else { return Ok(Poll::Pending) };
        let sleep = match &mut self.sleep {
            Some(sleep) => sleep,
            none => none.insert(sleep_until(deadline)?),
        };
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        // Not within tokio's budget: a due timer does not lose its turn because a handler has used
        // that up.
        if pin!(unconstrained(sleep.as_mut())).poll(cx).is_pending() {
            return Ok(Poll::Pending);
        }
        // If only the idle timer is due, `take_idle` returns its message.
        Ok(self.timers.pop(deadline.max(Instant::now())).map_or(Poll::Pending, Poll::Ready))
    }

    /// Takes the message of the idle timer, if it is due. To be called when no source is ready and
    /// the mailbox is empty: a message that came in time, while the actor was busy, goes first.
    pub(crate) fn take_idle(&mut self) -> Option<M> {
        let sleep = self.sleep.as_ref().filter(|sleep| sleep.is_elapsed())?;
        self.timers.pop_idle(sleep.deadline())
    }
}

impl<M> Drop for SelfMessages<M> {
    /// Drops each value under its own guard: the incarnation ends, whatever a drop does.
    fn drop(&mut self) {
        drop_each(std::mem::take(&mut self.continuations));
        drop_each(std::mem::take(&mut self.deferred_replies));
        self.timers.clear();
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
