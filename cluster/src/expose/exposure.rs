//! One actor that is exposed: its name, the type of its messages, and their codec.

use std::marker::PhantomData;

use perennial_actors::host::{
    FollowedMessage, FollowedOutcome, ReceivedReply, catch_panic, decode_replies, ignore_panic,
};
use perennial_actors::{ActorHandle, Address, SendError, System, WeakAddress};
use perennial_durable::{Codec, DecodeError, Payload, Wire, decode};
use perennial_registry::{Name, Registry};

use super::answers::{Answers, OutcomeFuture};
use crate::unique::{NameLost, UniqueName};
use crate::wire::Outcome;

/// A message for an exposed actor, in bytes.
pub(crate) struct Delivery {
    pub(crate) payload: Payload,
    /// The number of replies that the sender waits for; none if it is told nothing.
    pub(crate) replies: Option<u32>,
}

/// An actor that is exposed, without the type of its messages.
pub(crate) trait Expose: Send + Sync {
    /// Decodes a message and casts it. Returns what comes of the replies that the sender waits for.
    fn deliver(&self, system: &System, delivery: Delivery) -> Result<Option<Answers>, Outcome>;

    /// Returns the actor that has the name now.
    fn handle(&self, system: &System) -> Option<ActorHandle>;

    /// Returns `true` if messages can be delivered now.
    fn is_bound(&self, system: &System) -> bool {
        self.handle(system).is_some()
    }

    /// Returns `true` if one node of the network keeps the name.
    fn is_unique(&self) -> bool {
        false
    }

    /// Tells the actor that its unique name is lost. The caller guards it.
    fn lose(&self, _system: &System, _lost: NameLost) {}
}

pub(crate) struct Exposure<M: Send + 'static, C> {
    actor: ExposedActor<M>,
    codec: PhantomData<fn(C)>,
}

/// Where the actor is found.
pub(crate) enum ExposedActor<M: Send + 'static> {
    Named(Name<M>),
    Unique(UniqueName<M>),
    Member(WeakAddress<M>),
}

impl<M: Send + 'static, C> Exposure<M, C> {
    pub(crate) const fn new(actor: ExposedActor<M>) -> Self {
        Self { actor, codec: PhantomData }
    }
}

impl<M: Send + 'static> ExposedActor<M> {
    fn address(&self, system: &System) -> Option<Address<M>> {
        let name = match self {
            Self::Named(name) => name,
            Self::Unique(unique) => unique.name(),
            Self::Member(address) => return address.upgrade(),
        };
        Registry::of(system).whereis(name).ok()
    }
}

impl<M: Wire + Send + 'static, C: Codec> Expose for Exposure<M, C> {
    fn deliver(&self, system: &System, delivery: Delivery) -> Result<Option<Answers>, Outcome> {
        let Some(address) = self.actor.address(system) else { return Err(Outcome::NoProcess) };
        let (message, replies) = decode_message::<M, C>(system, &delivery.payload)?;
        let Some(expected) = delivery.replies.filter(|expected| *expected > 0) else {
            return cast(&address, message).map(|()| None);
        };
        let outcome = follow(&address, message)?;
        Ok(Some(Answers::of::<C>(replies, expected, outcome)))
    }

    fn handle(&self, system: &System) -> Option<ActorHandle> {
        self.actor.address(system).map(|address| address.handle())
    }

    fn is_unique(&self) -> bool {
        matches!(self.actor, ExposedActor::Unique(_))
    }

    fn lose(&self, system: &System, lost: NameLost) {
        if let (ExposedActor::Unique(unique), Some(address)) = (&self.actor, self.actor.address(system)) {
            unique.lose(&address, lost);
        }
    }
}

/// Decodes a message, with the replies in it.
pub(super) fn decode_message<M: Wire, C: Codec>(
    system: &System,
    payload: &Payload,
) -> Result<(M, Vec<ReceivedReply>), Outcome> {
    if payload.codec != C::NAME {
        return Err(Outcome::undecodable(DecodeError::UnknownCodec(payload.codec.clone())));
    }
    let (decoded, replies) = decode_replies(|| catch_panic(Some(system), || decode::<M>(payload)));
    let message = decoded.map_err(Outcome::undecodable)?.map_err(Outcome::undecodable)?;
    Ok((message, replies))
}

/// Casts a message. A message that is refused is dropped here, under a guard.
fn cast<M: Send + 'static>(address: &Address<M>, message: M) -> Result<(), Outcome> {
    address.cast(message).map_err(refused)
}

fn refused<M>(error: SendError<M>) -> Outcome {
    let outcome = match error {
        SendError::Full(_) => Outcome::Busy,
        _ => Outcome::NoProcess,
    };
    ignore_panic(|| drop(error));
    outcome
}

/// Sends a message with room that is reserved for it, and returns what becomes of it.
fn follow<M: Send + 'static>(address: &Address<M>, message: M) -> Result<OutcomeFuture, Outcome> {
    let permit = match address.try_reserve() {
        Ok(permit) => permit,
        Err(error) => {
            ignore_panic(|| drop(message));
            return Err(refused(error));
        }
    };
    match FollowedMessage::send(permit, message) {
        Ok(followed) => Ok(Box::pin(async move {
            match followed.await {
                FollowedOutcome::Handled => Outcome::ReplyDropped,
                FollowedOutcome::Evicted => Outcome::Evicted,
                FollowedOutcome::Lost(reason) => Outcome::Ended((&reason).into()),
            }
        })),
        Err(error) => {
            ignore_panic(|| drop(error));
            Err(Outcome::NoProcess)
        }
    }
}
