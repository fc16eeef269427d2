//! Futures whose result becomes a message, each in a task of its own.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::task::{AbortHandle, JoinSet};

use crate::exit::ExitReason;
use crate::guard::contain;
use crate::system::System;

/// A piped future that may be given up.
#[derive(Clone)]
pub struct Piped(AbortHandle);

impl Piped {
    /// Drops the future at its next await; no message comes of it. Blocking work runs to its end, for nothing.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl fmt::Debug for Piped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Piped(..)")
    }
}

/// The piped futures of one incarnation. Dropped with it, and they with them.
pub(super) struct Pipes<M>(JoinSet<Result<M, ExitReason>>);

impl<M: Send + 'static> Pipes<M> {
    pub(super) fn new() -> Self {
        Self(JoinSet::new())
    }

    pub(super) fn pipe(&mut self, system: System, future: impl Future<Output = M> + Send + 'static) -> Piped {
        Piped(self.0.spawn(async move {
            let mut future = pin!(future);
            // Caught here, where the panic happened: only this thread knows where that was.
            poll_fn(|cx| match contain(Some(&system), || future.as_mut().poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(reason) => Poll::Ready(Err(reason)),
            })
            .await
        }))
    }

    pub(super) fn pipe_blocking(
        &mut self,
        system: System,
        work: impl FnOnce() -> M + Send + 'static,
    ) -> Piped {
        Piped(self.0.spawn_blocking(move || contain(Some(&system), work)))
    }

    /// The message of one that is done; the reason of one that has panicked.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        while !self.0.is_empty() {
            match self.0.poll_join_next(cx) {
                Poll::Ready(Some(Ok(result))) => return Poll::Ready(result),
                // It was aborted.
                Poll::Ready(Some(Err(_)) | None) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
