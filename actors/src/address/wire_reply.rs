//! Replies as parts of messages between nodes: how one is encoded, and what a decoded one answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::reply::Reply;
use super::wire_scope::{AnyAnswer, collect_received, collect_sent};
use crate::system::{CallWaiter, Polled};

/// Waits for the answer of a [`Reply`] that [`reply_pair`] made. Resolves to `None` if the reply is
/// dropped. If this is dropped, the answer is dropped when it comes.
#[must_use = "an answer is dropped that nothing waits for"]
pub struct ReplyFuture<T> {
    waiter: CallWaiter<T>,
    has_begun: bool,
}

/// Returns a reply, and the future of its answer.
pub fn reply_pair<T: Send + 'static>() -> (Reply<T>, ReplyFuture<T>) {
    let (waiter, slot) = CallWaiter::new();
    (Reply::new(slot), ReplyFuture { waiter, has_begun: false })
}

impl<T> Future for ReplyFuture<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if !self.has_begun {
            self.has_begun = true;
            self.waiter.begin(None, cx.waker());
        }
        match self.waiter.poll(cx.waker()) {
            Polled::Answered(answer) => Poll::Ready(Some(answer)),
            Polled::Dropped { .. } => Poll::Ready(None),
            Polled::Pending { .. } => Poll::Pending,
        }
    }
}

/// No field is structurally pinned.
impl<T> Unpin for ReplyFuture<T> {}

impl<T> fmt::Debug for ReplyFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyFuture(..)")
    }
}

/// Only in a message that is sent to another node.
impl<T: DeserializeOwned + Send + 'static> Serialize for Reply<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.slot().and_then(collect_sent) {
            Some(index) => serializer.serialize_u32(index),
            None => Err(S::Error::custom("a reply is encoded only in a message to another node")),
        }
    }
}

/// Only in a message that came from another node.
impl<'de, T: Serialize + Send + 'static> Deserialize<'de> for Reply<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u32::deserialize(deserializer)?;
        let (reply, future) = reply_pair::<T>();
        let answer = async move { future.await.map(|answer| Box::new(answer) as AnyAnswer) };
        if collect_received(index, answer) {
            Ok(reply)
        } else {
            Err(D::Error::custom("a reply is decoded only in a message of another node"))
        }
    }
}
