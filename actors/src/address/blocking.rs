//! Calls from synchronous code.
//!
//! The thread polls the call itself and parks in between. So no runtime is needed, not even for the
//! timeout.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::runtime::Handle;

use super::calling::{Callee, Calling};
use super::errors::CallError;
use crate::foreign::catch;

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl<C: Callee<N>, N, T> Calling<C, N, T> {
    /// Makes the call and blocks the thread until it has an outcome.
    pub(super) fn blocking(mut self) -> Result<T, CallError<N>> {
        if !may_block() {
            if let Some(unsent) = self.cancel() {
                return Err(CallError::InAsyncContext(unsent));
            }
        }
        // A deadline that overflows the clock is never reached.
        let deadline = self.take_timeout().and_then(|timeout| Instant::now().checked_add(timeout));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = self.poll(&mut cx) {
                return outcome;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => return Err(self.time_out()),
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}

/// Returns `true` if this thread may block: it runs no asynchronous code of a runtime.
///
/// Only tokio can tell, by a panic, which goes through the panic hook before it is caught here.
fn may_block() -> bool {
    match Handle::try_current() {
        Ok(runtime) => catch(|| runtime.block_on(std::future::ready(()))).is_ok(),
        Err(_) => true,
    }
}
