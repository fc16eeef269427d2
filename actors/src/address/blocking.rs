//! Calls from synchronous code.
//!
//! The thread polls the call itself and parks in between. So no runtime is needed, not even for the
//! timeout.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::runtime::Handle;

use super::call::Call;
use super::callee::Callee;
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

#[expect(private_bounds, reason = "nothing else can be called")]
impl<M: Send + 'static, T, C: Callee<M>> Call<M, T, C> {
    /// Makes the call from synchronous code and blocks the thread until it has an outcome.
    ///
    /// For threads without a runtime, `spawn_blocking` and `block_in_place`. The timeout needs no
    /// runtime: it is measured in real time, also if tokio's clock is paused.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. In asynchronous code the call fails at once with
    /// [`InAsyncContext`](CallError::InAsyncContext), because it would block the runtime. Only
    /// tokio can tell, by a panic that is caught, so the panic hook is called in this case.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, Reply, System};
    /// # struct Answer;
    /// # impl Actor for Answer {
    /// #     type Msg = Reply<u64>;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// # async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> {
    /// #         reply.send(42);
    /// #         Ok(())
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let actor = system.spawn::<Answer>(()).await?;
    /// let work = tokio::task::spawn_blocking(move || actor.call(|reply| reply).blocking());
    /// assert_eq!(work.await??, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocking(mut self) -> Result<T, CallError<M>> {
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
            if let Poll::Ready(outcome) = Pin::new(&mut self).poll(&mut cx) {
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
