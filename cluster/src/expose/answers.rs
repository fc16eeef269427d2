//! The answers to the replies of one message, as they come.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use perennial_actors::host::{AnyAnswer, ReceivedReply};
use serde::{Serialize, Serializer};

use crate::wire::Outcome;

/// What becomes of a message.
pub(crate) type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An answer whose type is not known here.
pub(super) struct Answer(pub(super) AnyAnswer);

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(&*self.0, serializer)
    }
}

/// The index of a reply, and its answer in bytes, or why there is none.
type Answered = (u32, Result<Vec<u8>, Outcome>);

/// Encodes an answer and drops it, both under a guard.
pub(super) type EncodeAnswer = fn(Answer) -> Result<Vec<u8>, Outcome>;

/// The replies of one message.
pub(crate) struct Answers {
    pub(super) replies: Vec<ReceivedReply>,
    /// The replies that were dropped, until the outcome is known.
    pub(super) dropped: VecDeque<u32>,
    pub(super) outcome: OutcomeFuture,
    pub(super) known: Option<Outcome>,
    pub(super) encode: EncodeAnswer,
}

impl Answers {
    /// Waits for the next reply that is answered, or dropped. Returns its index and the answer in
    /// bytes, or why there is none. Returns `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Answered> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answered>> {
        let mut at = 0;
        while let Some(reply) = self.replies.get_mut(at) {
            match Pin::new(reply).poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(answer) => {
                    let index = self.replies.swap_remove(at).index;
                    match answer {
                        Some(answer) => return Poll::Ready(Some((index, (self.encode)(Answer(answer))))),
                        None => self.dropped.push_back(index),
                    }
                }
            }
        }
        if self.dropped.is_empty() {
            return if self.replies.is_empty() { Poll::Ready(None) } else { Poll::Pending };
        }
        let outcome = match &self.known {
            Some(outcome) => outcome.clone(),
            None => match self.outcome.as_mut().poll(cx) {
                Poll::Ready(outcome) => self.known.insert(outcome).clone(),
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(self.dropped.pop_front().map(|index| (index, Err(outcome))))
    }
}
