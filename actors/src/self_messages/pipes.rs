//! Futures whose result becomes a message, each in a task of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinSet, unconstrained};

use crate::caught::catch_panic;
use crate::exit::ExitReason;
use crate::foreign::{Guarded, InPlace};
use crate::system::System;

/// A piped future that may be given up.
#[derive(Clone)]
pub struct PipeHandle {
    task: AbortHandle,
    cancelled: CancelFlag,
}

impl PipeHandle {
    /// Drops the future at its next await; no message comes of it. Blocking work runs to its end, for nothing.
    ///
    /// Also if it is done, and its message was not handled yet, nothing comes of it any more.
    pub fn abort(&self) {
        self.cancelled.0.store(true, Ordering::Release);
        self.task.abort();
    }
}

/// Whether nobody wants the result any more. The runtime does not abort what is done, nor what blocks.
#[derive(Clone, Default)]
struct CancelFlag(Arc<AtomicBool>);

impl fmt::Debug for PipeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Piped(..)")
    }
}

/// What came of a future.
struct PipeResult<M> {
    result: Guarded<Result<M, ExitReason>>,
    given_up: CancelFlag,
}

/// The piped futures of one incarnation. Dropped with it, and they with them.
pub(super) struct Pipes<M>(JoinSet<PipeResult<M>>);

impl<M: Send + 'static> Pipes<M> {
    pub(super) fn new() -> Self {
        Self(JoinSet::new())
    }

    pub(super) fn pipe(
        &mut self,
        system: System,
        future: impl Future<Output = M> + Send + 'static,
    ) -> PipeHandle {
        let given_up = CancelFlag::default();
        let whether = given_up.clone();
        let future = Guarded::new(future);
        let task = self.0.spawn(async move {
            let mut place = pin!(future.into_inner());
            // Also if it is aborted, its locals are dropped under a guard.
            let mut future = InPlace::new(place.as_mut());
            // Caught here, where the panic happened: only this thread knows where that was.
            let caught = poll_fn(|cx| {
                let Some(future) = future.get() else { return Poll::Pending };
                match catch_panic(Some(&system), || future.poll(cx)) {
                    Ok(polled) => polled.map(Ok),
                    Err(reason) => Poll::Ready(Err(reason)),
                }
            });
            PipeResult { result: Guarded::new(caught.await), given_up: whether }
        });
        PipeHandle { task, cancelled: given_up }
    }

    pub(super) fn pipe_blocking(
        &mut self,
        system: System,
        work: impl FnOnce() -> M + Send + 'static,
    ) -> PipeHandle {
        let given_up = CancelFlag::default();
        let whether = given_up.clone();
        let work = Guarded::new(work);
        let task = self.0.spawn_blocking(move || {
            let message = catch_panic(Some(&system), move || work.into_inner().map(|work| work()));
            let result = message.and_then(|message| message.ok_or(ExitReason::Killed));
            PipeResult { result: Guarded::new(result), given_up: whether }
        });
        PipeHandle { task, cancelled: given_up }
    }

    /// The message of one that is done; the reason of one that has panicked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        while !self.0.is_empty() {
            // Not within tokio's budget, as for timers.
            match pin!(unconstrained(poll_fn(|cx| self.0.poll_join_next(cx)))).poll(cx) {
                Poll::Ready(Some(Ok(done))) if !done.given_up.0.load(Ordering::Acquire) => {
                    return Poll::Ready(done.result.into_inner().unwrap_or(Err(ExitReason::Killed)));
                }
                // It was aborted.
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
