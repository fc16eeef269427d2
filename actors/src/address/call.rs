//! Calls: a request, its answer, and a typed error if there is none.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::calling::Calling;
use super::errors::CallError;
use super::reply::Reply;
use crate::process::Process;

/// A future that sends a message with a [`Reply`] and resolves to the answer.
///
/// It owns all that it needs. It can be awaited, spawned, joined with other calls, stored in a
/// `JoinSet`, or [piped](crate::Context::pipe_to_self) to the calling actor. Nothing is sent before
/// the first poll.
///
/// # Cancel safety
///
/// If the future is dropped, the answer is dropped. The message was sent unless it still waited for
/// room.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use perennial_actors::{Actor, Context, ExitReason, Reply, System};
/// # use tokio::task::JoinSet;
/// # struct Square(u64);
/// # impl Actor for Square {
/// #     type Msg = Reply<u64>;
/// #     type Args = u64;
/// # async fn init(n: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self(n * n)) }
/// # async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>)
/// # -> Result<(), ExitReason> {
/// #         reply.send(self.0);
/// #         Ok(())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let system = System::new();
/// let mut calls = JoinSet::new();
/// for n in 1..=3 {
///     let square = system.spawn::<Square>(n).await?;
///     calls.spawn(square.call(|reply| reply).timeout(Duration::from_secs(1)));
/// }
/// let squares = calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(squares.iter().sum::<u64>(), 14);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before it is awaited"]
pub struct Call<M: Send + 'static, T>(Calling<Arc<Process<M>>, M, T>);

impl<M: Send + 'static, T> Call<M, T> {
    pub(super) fn new(process: Arc<Process<M>>, message: impl FnOnce(Reply<T>) -> M) -> Self {
        Self(Calling::new(process, message))
    }
}

impl<M: Send + 'static, T> Call<M, T> {
    /// Sets the timeout, for room in the mailbox and for the answer together.
    ///
    /// The default is the [call timeout of the system](crate::SystemBuilder::call_timeout). The
    /// time is read from tokio's clock. The timeout elapses when a tokio timer would, and never
    /// early, also under load.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.set_timeout(Some(timeout));
        self
    }

    /// Removes the timeout. The call still ends when its message or its target does.
    pub fn no_timeout(mut self) -> Self {
        self.0.set_timeout(None);
        self
    }

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
    pub fn blocking(self) -> Result<T, CallError<M>> {
        self.0.blocking()
    }
}

impl<M: Send + 'static, T> Future for Call<M, T> {
    type Output = Result<T, CallError<M>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx)
    }
}

impl<M: Send + 'static, T> fmt::Debug for Call<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Call").field(&self.0.sequence()).finish()
    }
}
