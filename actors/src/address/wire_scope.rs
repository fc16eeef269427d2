//! The replies of the message that a codec encodes or decodes on this thread.
//!
//! A reply is the right to answer one call, so its bytes say nothing alone: what matters is the
//! other end, which stays here. A reply therefore writes its index in its message, and only while
//! [`encode_replies`] collects the other ends. It is read only while [`decode_replies`] collects
//! the answers that the new replies will be given. Anywhere else, both are errors.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use erased_serde::Deserializer as ErasedDeserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::foreign::ignore_panic;
use crate::system::Slot;

/// What the codec that runs on this thread does with the replies that it meets.
enum Scope {
    Outside,
    Encoding(Vec<SentReply>),
    Decoding(Vec<ReceivedReply>),
    /// An answer is decoded for this slot; none once it has been given.
    Answering(Option<Arc<dyn AnswerSlot>>),
    /// A message is dropped whose replies were sent: the slots of these.
    Dropping(Vec<usize>),
}

thread_local! {
    /// Set only while a function of this file runs, which puts back what was there before.
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope::Outside) };
}

/// Runs `code` in a scope. Returns what the scope has collected.
fn within<R>(scope: Scope, code: impl FnOnce() -> R) -> (R, Scope) {
    /// Puts the outer scope back, also when `code` panics.
    struct Outer(Option<Scope>);
    impl Drop for Outer {
        fn drop(&mut self) {
            if let Some(outer) = self.0.take() {
                ignore_panic(|| drop(SCOPE.replace(outer)));
            }
        }
    }
    let mut outer = Outer(Some(SCOPE.replace(scope)));
    let result = code();
    let inner = outer.0.take().map_or(Scope::Outside, |outer| SCOPE.replace(outer));
    (result, inner)
}

/// Runs `encode`, and returns the other ends of the replies that it encoded, by their index.
pub fn encode_replies<R>(encode: impl FnOnce() -> R) -> (R, Vec<SentReply>) {
    match within(Scope::Encoding(Vec::new()), encode) {
        (result, Scope::Encoding(replies)) => (result, replies),
        (result, _) => (result, Vec::new()),
    }
}

/// Runs `decode`, and returns the answers of the replies that it decoded.
pub fn decode_replies<R>(decode: impl FnOnce() -> R) -> (R, Vec<ReceivedReply>) {
    match within(Scope::Decoding(Vec::new()), decode) {
        (result, Scope::Decoding(replies)) => (result, replies),
        (result, _) => (result, Vec::new()),
    }
}

/// Runs `decode`, which decodes a [`DecodedAnswer`], and gives the answer to the caller of a reply.
/// If that does not happen, the reply is unchanged.
pub fn decode_answer<R>(reply: &mut SentReply, decode: impl FnOnce() -> R) -> R {
    let (result, scope) = within(Scope::Answering(reply.slot.clone()), decode);
    if matches!(scope, Scope::Answering(None)) {
        reply.slot = None;
    }
    result
}

/// What a codec decodes from the bytes of an answer, whose type the reply knows. Only in
/// [`decode_answer`].
#[derive(Debug)]
#[non_exhaustive]
pub struct DecodedAnswer;

impl<'de> Deserialize<'de> for DecodedAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The scope is not borrowed while the answer is decoded: that may look for replies.
        let slot = SCOPE.with_borrow(|scope| match scope {
            Scope::Answering(slot) => slot.clone(),
            _ => None,
        });
        let slot = slot.ok_or_else(|| D::Error::custom("an answer is decoded only for a reply"))?;
        let mut erased = <dyn ErasedDeserializer<'_>>::erase(deserializer);
        slot.answer(&mut erased).map_err(D::Error::custom)?;
        SCOPE.with_borrow_mut(|scope| *scope = Scope::Answering(None));
        Ok(Self)
    }
}

/// Drops a message that was sent to another node, under a guard. The calls of its replies go on:
/// those with these [keys](SentReply::key).
pub fn drop_sent<M>(message: M, replies: Vec<usize>) {
    within(Scope::Dropping(replies), || ignore_panic(|| drop(message)));
}

/// Returns `true` if the reply with this slot was sent to another node with the message that is
/// being dropped.
pub(super) fn is_sent<T>(slot: &Arc<Slot<T>>) -> bool {
    let key = Arc::as_ptr(slot).addr();
    let is_sent = SCOPE.try_with(|scope| match &*scope.borrow() {
        Scope::Dropping(sent) => sent.contains(&key),
        _ => false,
    });
    is_sent.unwrap_or(false)
}

/// The other end of a reply that was encoded: it answers the call when the answer has come back.
///
/// The reply in the message stays usable until the message is [dropped as sent](drop_sent). If this
/// is dropped after it was [committed](Self::commit), the call fails as if the reply had been
/// dropped.
pub struct SentReply {
    slot: Option<Arc<dyn AnswerSlot>>,
    is_committed: bool,
}

/// A slot without the type of its answers, which it can decode.
trait AnswerSlot: Send + Sync {
    fn answer(&self, from: &mut dyn ErasedDeserializer<'_>) -> Result<(), erased_serde::Error>;
    fn drop_reply(&self);
    fn is_closed(&self) -> bool;
}

impl<T: DeserializeOwned + Send + 'static> AnswerSlot for Slot<T> {
    fn answer(&self, from: &mut dyn ErasedDeserializer<'_>) -> Result<(), erased_serde::Error> {
        let answer = erased_serde::deserialize::<T>(from)?;
        ignore_panic(|| drop(Self::answer(self, answer)));
        Ok(())
    }

    fn drop_reply(&self) {
        ignore_panic(|| Self::drop_reply(self));
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
}

impl SentReply {
    /// Returns the key of the reply, for [`drop_sent`].
    #[must_use]
    pub fn key(&self) -> usize {
        self.slot.as_ref().map_or(0, |slot| Arc::as_ptr(slot).addr())
    }

    /// Takes the right to answer from the reply in the message, which is dropped as sent next.
    #[must_use]
    pub fn commit(mut self) -> Self {
        self.is_committed = true;
        self
    }

    /// Returns `true` if the caller has stopped waiting.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| slot.is_closed())
    }
}

impl Drop for SentReply {
    fn drop(&mut self) {
        if let (Some(slot), true) = (&self.slot, self.is_committed) {
            slot.drop_reply();
        }
    }
}

impl fmt::Debug for SentReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentReply(..)")
    }
}

/// An answer that can be encoded.
pub type AnyAnswer = Box<dyn erased_serde::Serialize + Send>;

/// The answer to come of a reply that was decoded: `None` if the reply is dropped.
pub struct ReceivedReply {
    /// The index of the reply in its message, as it was read.
    pub index: u32,
    answer: Pin<Box<dyn Future<Output = Option<AnyAnswer>> + Send>>,
}

impl Future for ReceivedReply {
    type Output = Option<AnyAnswer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.answer.as_mut().poll(cx)
    }
}

impl fmt::Debug for ReceivedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceivedReply").field(&self.index).finish()
    }
}

/// Collects the other end of a reply, and returns its index. Returns `None` if no message is being
/// encoded for another node.
pub(super) fn collect_sent<T>(slot: &Arc<Slot<T>>) -> Option<u32>
where
    T: DeserializeOwned + Send + 'static,
{
    SCOPE.with_borrow_mut(|scope| {
        let Scope::Encoding(replies) = scope else { return None };
        let slot: Arc<dyn AnswerSlot> = slot.clone();
        replies.push(SentReply { slot: Some(slot), is_committed: false });
        u32::try_from(replies.len() - 1).ok()
    })
}

/// Collects the answer to come of a reply. Returns `false` if no message of another node is being
/// decoded.
pub(super) fn collect_received(
    index: u32,
    answer: impl Future<Output = Option<AnyAnswer>> + Send + 'static,
) -> bool {
    SCOPE.with_borrow_mut(|scope| {
        let Scope::Decoding(replies) = scope else { return false };
        replies.push(ReceivedReply { index, answer: Box::pin(answer) });
        true
    })
}
