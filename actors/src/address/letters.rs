//! Dead letters that an actor keeps, and that are sent again.

use std::num::NonZeroUsize;

use super::errors::SendError;
use super::typed::Address;
use crate::target::Target;

impl<M: Send + 'static> Address<M> {
    /// Keeps copies of the last dead letters of this actor, so that they can be
    /// [sent again](Self::resend_dead_letter). The oldest is dropped when there are more than
    /// `capacity`. A second call replaces the first and drops what was kept.
    ///
    /// `copy` returns `None` for a message that is not kept. A message with a
    /// [`Reply`](crate::Reply) is one: a reply cannot be copied, and its caller is told of the loss
    /// when the message is dropped. If `copy` panics, nothing is kept. It runs where the message is
    /// dropped: in the task of the sender if the mailbox overflows, in that of the incarnation when
    /// it ends, and in a task of its own if the owner ends the actor. The letter was published
    /// before in the last two cases, so for a moment it is not kept yet.
    ///
    /// What is kept is dropped with the last address of the actor. A copy that holds an address of
    /// the actor itself keeps both.
    ///
    /// A message that was in flight is never kept: its handler owned it, and may have been crashed
    /// by it. Nor is a message that a [`Recipient`](crate::Recipient) had not made yet when
    /// [`DropNewest`](crate::OverflowPolicy::DropNewest) dropped it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::num::NonZeroUsize;
    /// # use perennial_actors::{Address, Reply};
    /// # enum Msg { Add(u64), Get(Reply<u64>) }
    /// # fn keep(counter: &Address<Msg>) {
    /// counter.keep_dead_letters(NonZeroUsize::MIN, |msg| match msg {
    ///     Msg::Add(n) => Some(Msg::Add(*n)),
    ///     Msg::Get(_) => None,
    /// });
    /// # }
    /// ```
    pub fn keep_dead_letters(
        &self,
        capacity: NonZeroUsize,
        copy: impl Fn(&M) -> Option<M> + Send + Sync + 'static,
    ) {
        self.process().keep_letters(capacity, Box::new(copy));
    }

    /// Returns `true` if the dead letter with this [number](crate::DeadLetter::number) is kept.
    #[doc = actor_example!(r"assert!(!counter.has_dead_letter(1));")]
    #[must_use]
    pub fn has_dead_letter(&self, number: u64) -> bool {
        self.process().kept_letters().is_some_and(|kept| kept.has(number))
    }

    /// Sends a kept dead letter again, as a new message to the actor, without waiting. It is not
    /// kept any more once it is accepted. If the mailbox refuses it, it is kept as before; another
    /// task may have found that it is not kept meanwhile.
    ///
    /// A mailbox that [drops the newest](crate::OverflowPolicy::DropNewest) message accepts it also
    /// when it is full, and it is a dead letter again.
    ///
    /// # Errors
    ///
    /// - [`NotKept`](ResendError::NotKept) if no message is kept under this
    ///   [number](crate::DeadLetter::number), for example because it was sent again already.
    /// - [`Full`](ResendError::Full) and [`Closed`](ResendError::Closed) if the mailbox refuses it.
    #[doc = actor_example!(r"use perennial_actors::ResendError;

assert_eq!(counter.resend_dead_letter(1), Err(ResendError::NotKept));")]
    pub fn resend_dead_letter(&self, number: u64) -> Result<(), ResendError> {
        let kept = self.process().kept_letters().ok_or(ResendError::NotKept)?;
        let message = kept.take(number).ok_or(ResendError::NotKept)?;
        self.cast(message).map_err(|refused| {
            let target = refused.target().clone();
            let is_full = matches!(refused, SendError::Full(_));
            kept.put_back(number, refused.into_inner());
            if is_full { ResendError::Full(target) } else { ResendError::Closed(target) }
        })
    }
}

/// Why a dead letter was not sent again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResendError {
    /// The message is not kept: it was sent again already, newer ones have taken its place, or it
    /// is none that the actor keeps.
    #[error("the message is not kept, or was sent again already")]
    NotKept,
    /// The mailbox is full. The message is still kept.
    #[error("the mailbox of {0} is full")]
    Full(Target),
    /// No incarnation is running and none is pending. The message is still kept.
    #[error("{0} is not running")]
    Closed(Target),
}
