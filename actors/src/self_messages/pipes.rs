//! Futures whose result becomes a message, each in a task of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinSet, unconstrained};

use crate::caught::{catch_panic, catch_panics};
use crate::exit::ExitReason;
use crate::foreign::Guarded;
use crate::sync::{AtomicBool, Ordering};
use crate::system::System;

/// A handle by which a piped future or piped blocking work can be aborted.
#[derive(Clone)]
pub struct PipeHandle {
    task: AbortHandle,
    cancelled: CancelFlag,
}

impl PipeHandle {
    /// Aborts the pipe: the future is dropped at its next await, and no message comes of it.
    /// Blocking work runs to its end, and its result is dropped.
    ///
    /// No message comes of it either if it has completed, but its message was not handled yet.
    #[doc = context_example!(r"let slow = ctx.pipe_to_self(std::future::pending(), Msg::Done);
slow.abort();
ctx.pipe_to_self(async { 42 }, Msg::Done);
")]
    pub fn abort(&self) {
        self.cancelled.0.store(true, Ordering::Release);
        self.task.abort();
    }
}

/// Set when the result is not wanted any more. The runtime aborts neither completed tasks nor
/// blocking work.
#[derive(Clone, Default)]
struct CancelFlag(Arc<AtomicBool>);

impl fmt::Debug for PipeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PipeHandle(..)")
    }
}

/// The result of a pipe.
struct PipeResult<M> {
    result: Guarded<Result<M, ExitReason>>,
    cancelled: CancelFlag,
}

/// The piped futures of one incarnation. They are dropped with it.
pub(crate) struct Pipes<M>(JoinSet<PipeResult<M>>);

impl<M: Send + 'static> Pipes<M> {
    pub(crate) fn new() -> Self {
        Self(JoinSet::new())
    }

    pub(crate) fn pipe(
        &mut self,
        system: System,
        future: impl Future<Output = M> + Send + 'static,
    ) -> PipeHandle {
        let cancelled = CancelFlag::default();
        let flag = cancelled.clone();
        // Caught within the task, on the thread that panicked: only this thread knows the location
        // of the panic.
        let result = catch_panics(Some(system), future);
        let task =
            self.0.spawn(async move { PipeResult { result: Guarded::new(result.await), cancelled: flag } });
        PipeHandle { task, cancelled }
    }

    pub(crate) fn pipe_blocking(
        &mut self,
        system: System,
        work: impl FnOnce() -> M + Send + 'static,
    ) -> PipeHandle {
        let cancelled = CancelFlag::default();
        let flag = cancelled.clone();
        let work = Guarded::new(work);
        let task = self.0.spawn_blocking(move || {
            let message = catch_panic(Some(&system), move || work.into_inner().map(|work| work()));
            let result = message.and_then(|message| message.ok_or(ExitReason::Killed));
            PipeResult { result: Guarded::new(result), cancelled: flag }
        });
        PipeHandle { task, cancelled }
    }

    /// Returns `true` if no future runs and none has completed.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the message of a completed pipe, or the exit reason of one that panicked.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        while !self.0.is_empty() {
            // Not within tokio's budget, as for timers.
            match pin!(unconstrained(poll_fn(|cx| self.0.poll_join_next(cx)))).poll(cx) {
                Poll::Ready(Some(Ok(completed))) if !completed.cancelled.0.load(Ordering::Acquire) => {
                    return Poll::Ready(completed.result.into_inner().unwrap_or(Err(ExitReason::Killed)));
                }
                // It was aborted.
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
