//! Calls to actors on other nodes.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Reply;
use perennial_actors::host::{ReplyFuture, ignore_panic, reply_pair, require_timers};
use perennial_durable::Wire;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::address::RemoteAddress;
use crate::error::{RemoteError, RemoteErrorKind};
use crate::peer::Peer;

/// The timeout of a call, unless it sets another.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A call that is sent when it is awaited.
///
/// # Cancel safety
///
/// If its future is dropped, the answer is dropped. The message was sent unless it still waited for
/// room in the window.
#[must_use = "nothing is sent before it is awaited"]
pub struct RemoteCall<M, T> {
    address: RemoteAddress<M>,
    message: M,
    answer: ReplyFuture<T>,
    timeout: Option<Duration>,
}

impl<M: Wire + Send + 'static> RemoteAddress<M> {
    /// Sends a message that carries a [`Reply`] and resolves to the answer. The timeout is
    /// 5 seconds unless the call sets another, and includes the wait for room in the window.
    ///
    /// # Errors
    ///
    /// The [kind](RemoteErrorKind) says whether the message was handled. After
    /// [`TimedOut`](RemoteErrorKind::TimedOut) and [`NoConnection`](RemoteErrorKind::NoConnection)
    /// without the message it may have been.
    pub fn call<T, F>(&self, message: F) -> RemoteCall<M, T>
    where
        T: Send + 'static,
        F: FnOnce(Reply<T>) -> M,
    {
        RemoteCall::new(self.clone(), message)
    }
}

impl<M, T: Send + 'static> RemoteCall<M, T> {
    pub(super) fn new(address: RemoteAddress<M>, message: impl FnOnce(Reply<T>) -> M) -> Self {
        let (reply, answer) = reply_pair();
        Self { address, message: message(reply), answer, timeout: Some(TIMEOUT) }
    }

    /// Sets the timeout, for room in the window and for the answer together.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Removes the timeout. The call still ends with its connection, or with the incarnation that
    /// has its message.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<M: Wire + Send + 'static, T: Send + 'static> IntoFuture for RemoteCall<M, T> {
    type Output = Result<T, RemoteError<M>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}

async fn run<M, T>(call: RemoteCall<M, T>) -> Result<T, RemoteError<M>>
where
    M: Wire + Send + 'static,
    T: Send + 'static,
{
    // Dropped after the answer, so that its reply is closed when the call is cancelled.
    let mut pending = PendingCall(None);
    let RemoteCall { address, message, mut answer, timeout } = call;
    if timeout.is_some() && require_timers().is_err() {
        return Err(address.error(RemoteErrorKind::NoTimers, Some(message)));
    }
    let mut unsent = Some(message);
    let exchange = async {
        if address.is_local() {
            call_here(&address, &mut unsent, &mut answer).await
        } else {
            call_there(&address, &mut unsent, &mut answer, &mut pending).await
        }
    };
    let result = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, exchange).await,
        None => Ok(exchange.await),
    };
    match result {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kind)) => Err(address.error(kind, unsent)),
        Err(_) if unsent.is_some() => Err(address.error(RemoteErrorKind::Busy, unsent)),
        Err(_) => Err(address.error(RemoteErrorKind::TimedOut, None)),
    }
}

/// Calls an actor on the own node. Nothing is encoded.
async fn call_here<M: Wire + Send + 'static, T>(
    address: &RemoteAddress<M>,
    unsent: &mut Option<M>,
    answer: &mut ReplyFuture<T>,
) -> Result<T, RemoteErrorKind> {
    let (Some(here), Some(message)) = (address.here(), unsent.take()) else {
        return Err(RemoteErrorKind::NoProcess);
    };
    // The message has its reply already: the call is the message whose end can be awaited.
    let outcome = here.call::<(), _>(|end| {
        ignore_panic(|| drop(end));
        message
    });
    let mut outcome = outcome.no_timeout();
    tokio::select! {
        biased;
        Some(answer) = &mut *answer => Ok(answer),
        ended = &mut outcome => {
            let error = ended.err().map(|error| address.call_error(error));
            let error = error.map_or((RemoteErrorKind::ReplyDropped, None), |error| (error.kind, error.message));
            *unsent = error.1;
            // A message that was not sent has its reply still, which nothing will answer.
            let answer = if unsent.is_none() { answer.await } else { None };
            answer.ok_or(error.0)
        }
    }
}

async fn call_there<M: Wire + Send + 'static, T>(
    address: &RemoteAddress<M>,
    unsent: &mut Option<M>,
    answer: &mut ReplyFuture<T>,
    pending: &mut PendingCall,
) -> Result<T, RemoteErrorKind> {
    let (report, mut outcome) = oneshot::channel();
    let (id, peer) = address.post_when_room(unsent, false, Some(report)).await?;
    pending.0 = Some((peer, id));
    if let Some(answer) = answer.await {
        pending.0 = None;
        return Ok(answer);
    }
    // What the other node says of the reply, and the end of the connection, are told before the
    // reply is dropped. Otherwise it was dropped here: it was not a part of the encoded message.
    Err(match outcome.try_recv() {
        Ok(outcome) => outcome.into(),
        Err(TryRecvError::Closed) => RemoteErrorKind::NoConnection,
        Err(TryRecvError::Empty) => RemoteErrorKind::ReplyDropped,
    })
}

/// A call that was sent. When it is dropped, nothing waits for the answer any more.
struct PendingCall(Option<(Arc<Peer>, u64)>);

impl Drop for PendingCall {
    fn drop(&mut self) {
        if let Some((peer, id)) = self.0.take() {
            peer.cancel(id);
        }
    }
}

impl<M, T> fmt::Debug for RemoteCall<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCall").field("address", &self.address).finish_non_exhaustive()
    }
}
