//! The self messages of one incarnation, and which of them is next.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::pipes::Pipes;
use super::streams::Streams;
use super::timers::Timers;
use crate::clock::sleep_until;
use crate::error::NoTimers;
use crate::exit::ExitReason;
use crate::foreign::drop_each;

/// The self messages of one incarnation. Most incarnations have none, so it is created on first
/// use.
pub(crate) struct SelfMessages<M> {
    pub(crate) continuations: VecDeque<M>,
    pub(crate) timers: Timers<M>,
    pub(crate) pipes: Pipes<M>,
    pub(crate) streams: Streams<M>,
    sleep: Option<Pin<Box<Sleep>>>,
    pub(crate) deferred_replies: Vec<DeferredReply>,
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

    /// Returns `true` if no message can come from here now.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let Self { continuations, timers, pipes, streams, .. } = self;
        continuations.is_empty() && timers.is_empty() && pipes.is_empty() && streams.is_empty()
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
