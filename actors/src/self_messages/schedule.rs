//! The agenda of one incarnation: which of the things it has set itself is next.

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

/// What one incarnation has set itself to do. Most never do, so it is made when it is first needed.
pub(crate) struct SelfMessages<M> {
    continuations: VecDeque<M>,
    timers: Timers<M>,
    pipes: Pipes<M>,
    streams: Streams<M>,
    alarm: Option<Pin<Box<Sleep>>>,
    last_words: Vec<DeferredReply>,
    /// The source that is asked first for what is next.
    first: Source,
}

/// Where a message of an actor comes from. The sources take turns, so that none waits for more than three turns of others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// What others have sent.
    Mailbox,
    /// Timers that are due.
    Timers,
    /// Piped futures and blocking work that are done.
    Pipes,
    /// Attached streams that yield something.
    Streams,
}

impl Source {
    /// Returns this source and those after it, in the order in which they take turns.
    pub(crate) const fn rotation(self) -> [Self; 4] {
        match self {
            Self::Mailbox => [Self::Mailbox, Self::Timers, Self::Pipes, Self::Streams],
            Self::Timers => [Self::Timers, Self::Pipes, Self::Streams, Self::Mailbox],
            Self::Pipes => [Self::Pipes, Self::Streams, Self::Mailbox, Self::Timers],
            Self::Streams => [Self::Streams, Self::Mailbox, Self::Timers, Self::Pipes],
        }
    }
}

/// An answer that is given at the end.
type DeferredReply = Box<dyn FnOnce() + Send>;

impl<M: Send + 'static> SelfMessages<M> {
    pub(crate) fn new() -> Self {
        Self {
            continuations: VecDeque::new(),
            timers: Timers::new(),
            pipes: Pipes::new(),
            streams: Streams::new(),
            alarm: None,
            last_words: Vec::new(),
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

    /// The time that was left.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Duration> {
        self.timers.cancel(id).map(remaining)
    }

    /// The time that is left.
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

    pub(crate) fn defer_reply(&mut self, words: DeferredReply) {
        self.last_words.push(words);
    }

    pub(crate) fn take_last_words(&mut self) -> Vec<DeferredReply> {
        std::mem::take(&mut self.last_words)
    }

    /// Returns the source that is asked first for what is next.
    pub(crate) const fn first(&self) -> Source {
        self.first
    }

    /// Moves a source behind the others: what is next comes from it.
    pub(crate) const fn had_turn(&mut self, source: Source) {
        let [_, next, _, _] = source.rotation();
        self.first = next;
    }

    /// Returns what a source other than the mailbox has ready. Wakes the task when there is something.
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
        let alarm = match &mut self.alarm {
            Some(alarm) => alarm,
            none => none.insert(sleep_until(deadline)?),
        };
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        // Not within tokio's budget: a timer that is due does not lose its turn because a handler has used that up.
        if pin!(unconstrained(alarm.as_mut())).poll(cx).is_pending() {
            return Ok(Poll::Pending);
        }
        // If it rang for the idle timer alone, that is for `take_idle`.
        Ok(self.timers.pop(deadline.max(Instant::now())).map_or(Poll::Pending, Poll::Ready))
    }

    /// The message of the idle timer, if its time is up. To be asked when nothing was ready and the mailbox is empty: a message
    /// that came in time, while the actor was busy with another, is something, and comes first.
    pub(crate) fn take_idle(&mut self) -> Option<M> {
        let alarm = self.alarm.as_ref().filter(|alarm| alarm.is_elapsed())?;
        self.timers.pop_idle(alarm.deadline())
    }
}

impl<M> Drop for SelfMessages<M> {
    /// Each thing on its own: whatever one of them does when it is dropped, the incarnation ends.
    fn drop(&mut self) {
        drop_each(std::mem::take(&mut self.continuations));
        drop_each(std::mem::take(&mut self.last_words));
        self.timers.clear();
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
