//! Streams whose items become messages. The actor itself polls them when it is idle.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use tokio::task::unconstrained;

use crate::caught::catch_panic;
use crate::exit::ExitReason;
use crate::foreign::{Guarded, register_waker, wake_each};
use crate::sync::Mutex;
use crate::system::System;

/// A handle that detaches a stream, which was [attached](crate::Context::attach) to an actor. Its
/// drop has no effect.
#[derive(Clone)]
pub struct StreamHandle(Arc<Mutex<Abort>>);

/// The request to drop a stream, and the waker of its actor.
struct Abort {
    is_aborted: bool,
    waker: Option<Waker>,
}

impl StreamHandle {
    /// Detaches the stream: it yields no further message, not even its last one. The actor drops it
    /// when it next looks for a message.
    #[doc = context_example!(
        r"let numbers = ctx.attach(futures_util::stream::iter([1, 2, 3]), Msg::Done);
numbers.abort();
ctx.pipe_to_self(async { 42 }, Msg::Done);
"
    )]
    pub fn abort(&self) {
        let waker = {
            let mut abort = self.0.lock();
            abort.is_aborted = true;
            abort.waker.take()
        };
        wake_each(waker);
    }

    /// Returns `true` if the stream must be dropped. If not, `waker` is woken when it must.
    fn poll_aborted(&self, waker: &Waker) -> bool {
        !register_waker(&self.0, waker, |abort| (!abort.is_aborted).then_some(&mut abort.waker))
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamHandle(..)")
    }
}

/// Polls a stream and turns its item into a message.
type PollMessage<M> = Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<M>> + Send>;

struct Attached<M> {
    poll: PollMessage<M>,
    handle: StreamHandle,
    /// The message to handle when the stream has ended.
    last: Guarded<Option<M>>,
    system: System,
}

/// The streams attached to one incarnation, in the order in which they are polled.
pub(crate) struct Streams<M>(VecDeque<Attached<M>>);

impl<M: Send + 'static> Streams<M> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
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
        // Each has its own guard, because its drop may panic.
        let (mut stream, mut map) = (Guarded::new(Box::pin(stream)), Guarded::new(map));
        let poll: PollMessage<M> =
            Box::new(move |cx| stream.as_mut().poll_next(cx).map(|item| item.map(&mut *map)));
        let handle = StreamHandle(Arc::new(Mutex::new(Abort { is_aborted: false, waker: None })));
        self.0.push_back(Attached { poll, handle: handle.clone(), last: Guarded::new(last), system });
        handle
    }

    /// Returns `true` if no stream is attached.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the message of the first stream that yields one. Fails with the reason if a stream
    /// panics.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<M, ExitReason>> {
        for _ in 0..self.0.len() {
            let Some(mut attached) = self.0.pop_front() else { break };
            if attached.handle.poll_aborted(cx.waker()) {
                continue;
            }
            match attached.poll(cx) {
                Ok(Poll::Pending) => self.0.push_back(attached),
                Ok(Poll::Ready(Some(message))) => {
                    self.0.push_back(attached);
                    return Poll::Ready(Ok(message));
                }
                Ok(Poll::Ready(None)) => {
                    if let Some(message) = attached.last.take() {
                        return Poll::Ready(Ok(message));
                    }
                }
                Err(reason) => return Poll::Ready(Err(reason)),
            }
        }
        Poll::Pending
    }
}

impl<M> Attached<M> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<Poll<Option<M>>, ExitReason> {
        let poll = &mut self.poll;
        // Outside tokio's budget, like timers.
        let mut item = pin!(unconstrained(poll_fn(|cx| poll(cx))));
        catch_panic(Some(&self.system), || item.as_mut().poll(cx))
    }
}
