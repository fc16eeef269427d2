//! Futures whose result becomes a message, each in a task of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinSet};

use crate::exit::ExitReason;
use crate::guard::contain;
use crate::system::System;

/// A piped future that may be given up.
#[derive(Clone)]
pub struct Piped {
    task: AbortHandle,
    given_up: GivenUp,
}

impl Piped {
    /// Drops the future at its next await; no message comes of it. Blocking work runs to its end, for nothing.
    ///
    /// Also if it is done, and its message was not handled yet, nothing comes of it any more.
    pub fn abort(&self) {
        self.given_up.0.store(true, Ordering::Release);
        self.task.abort();
    }
}

/// Whether nobody wants the result any more. The runtime does not abort what is done, nor what blocks.
#[derive(Clone, Default)]
struct GivenUp(Arc<AtomicBool>);

impl fmt::Debug for Piped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Piped(..)")
    }
}

/// What came of a future.
struct Done<M> {
    result: Result<M, ExitReason>,
    given_up: GivenUp,
}

/// The piped futures of one incarnation. Dropped with it, and they with them.
pub(super) struct Pipes<M>(JoinSet<Done<M>>);

impl<M: Send + 'static> Pipes<M> {
    pub(super) fn new() -> Self {
        Self(JoinSet::new())
    }

    pub(super) fn pipe(&mut self, system: System, future: impl Future<Output = M> + Send + 'static) -> Piped {
        let given_up = GivenUp::default();
        let whether = given_up.clone();
        let task = self.0.spawn(async move {
            let mut future = pin!(future);
            // Caught here, where the panic happened: only this thread knows where that was.
            let caught = poll_fn(|cx| match contain(Some(&system), || future.as_mut().poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(reason) => Poll::Ready(Err(reason)),
            });
            Done { result: caught.await, given_up: whether }
        });
        Piped { task, given_up }
    }

    pub(super) fn pipe_blocking(
        &mut self,
        system: System,
        work: impl FnOnce() -> M + Send + 'static,
    ) -> Piped {
        let given_up = GivenUp::default();
        let whether = given_up.clone();
        let task =
            self.0.spawn_blocking(move || Done { result: contain(Some(&system), work), given_up: whether });
        Piped { task, given_up }
    }

    /// The message of one that is done; the reason of one that has panicked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        while !self.0.is_empty() {
            match self.0.poll_join_next(cx) {
                Poll::Ready(Some(Ok(done))) if !done.given_up.0.load(Ordering::Acquire) => {
                    return Poll::Ready(done.result);
                }
                // It was aborted.
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
