//! The answers to the replies of one message, as they come.

use std::collections::{BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use perennial_actors::host::{AnyAnswer, ReceivedReply, catch_panic, ignore_panic};
use perennial_durable::Codec;
use serde::{Serialize, Serializer};

use crate::wire::Outcome;

/// What becomes of a message.
pub(crate) type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// An answer whose type is not known here.
struct Answer(AnyAnswer);

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        erased_serde::serialize(&*self.0, serializer)
    }
}

/// The index of a reply, and its answer in bytes, or why there is none.
type Answered = (u32, Result<Vec<u8>, Outcome>);

/// Encodes an answer and drops it, both under a guard.
type EncodeAnswer = fn(Answer) -> Result<Vec<u8>, Outcome>;

/// The replies of one message.
pub(crate) struct Answers {
    replies: Vec<ReceivedReply>,
    /// The replies that were dropped, until the outcome is known.
    dropped: VecDeque<u32>,
    outcome: OutcomeFuture,
    known: Option<Outcome>,
    encode: EncodeAnswer,
}

fn encode_answer<C: Codec>(answer: Answer) -> Result<Vec<u8>, Outcome> {
    let encoded = catch_panic(None, || C::encode(&answer));
    ignore_panic(|| drop(answer));
    encoded.map_err(Outcome::answer_failed)?.map_err(Outcome::answer_failed)
}

impl Answers {
    /// Creates the answers of a message with these replies. The sender waits for `expected` of
    /// them. `outcome` is polled once a reply is dropped.
    pub(super) fn of<C: Codec>(replies: Vec<ReceivedReply>, expected: u32, outcome: OutcomeFuture) -> Self {
        // A reply that was sent and is not decoded, by another version of the type, is dropped.
        let decoded: BTreeSet<u32> = replies.iter().map(|reply| reply.index).collect();
        let dropped = (0..expected).filter(|index| !decoded.contains(index)).collect();
        Self { replies, dropped, outcome, known: None, encode: encode_answer::<C> }
    }

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
