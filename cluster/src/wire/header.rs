//! The headers of packets: what each says.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::reason::{WireReason, cut};

/// The most bytes of the name of an actor, of the name of a type, and of that of a codec.
pub(crate) const NAME_BYTES: usize = 4096;

/// What a packet says. The order of the variants is part of the protocol.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum Header {
    /// The sender asks for a connection, or confirms one.
    Hello(Hello),
    /// A message for an actor; the payload is the message.
    Message {
        /// The name of the actor.
        to: String,
        /// The stable name of the type of the message, and its version.
        tag: String,
        version: u32,
        /// The codec of the payload.
        codec: String,
        /// The number under which the sender wants to know what became of it; 0 if it does not.
        id: u64,
        /// The sender waits until the message is in the mailbox.
        confirm: bool,
        /// The number of replies in the message. The sender waits for what becomes of each.
        replies: u32,
    },
    /// A message is in its mailbox.
    Accepted { id: u64 },
    /// A message is not in a mailbox, and never was.
    Refused { id: u64, outcome: Outcome },
    /// The answer of a reply; the payload is the answer.
    Answer { id: u64, index: u32 },
    /// A reply was dropped without an answer.
    Dropped { id: u64, index: u32, outcome: Outcome },
    /// The sender of a message, a monitor or a link does not wait for what comes of it any more.
    Cancel { id: u64 },
    /// The sender wants to know when an actor ends.
    Monitor { id: u64, name: String },
    /// An actor has ended.
    Down { id: u64, reason: WireReason },
    /// The names of the sender have changed.
    Names(Delta),
    /// All names of the sender, or a part of them.
    Snapshot(Snapshot),
    /// Everything up to this packet was processed.
    Credit { through: u64 },
    /// A question that is answered by a pong at once. It follows the packets of the stream up to
    /// this one.
    Ping { number: u64, latest: u64 },
    /// The answer of a ping, with the credit that may have been lost.
    Pong { number: u64, through: u64 },
    /// The sender wants to link one of its actors to an actor.
    Link { id: u64, name: String },
    /// The actor of the sender that a link is to has ended.
    Exit { id: u64, reason: WireReason },
}

impl Header {
    /// Returns `true` if no name in it is too long.
    pub(super) fn has_short_names(&self) -> bool {
        let is_short = |name: &String| name.len() <= NAME_BYTES;
        match self {
            Self::Message { to, tag, codec, .. } => [to, tag, codec].into_iter().all(is_short),
            Self::Monitor { name, .. } | Self::Link { name, .. } => is_short(name),
            Self::Names(delta) => is_short(&delta.name),
            Self::Snapshot(part) => part.names.iter().all(|(name, _)| is_short(name)),
            _ => true,
        }
    }
}

/// A request for a connection, or its confirmation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The packets of the stream that the sender has received over all earlier connections.
    pub(crate) received: u64,
    /// The sender needs a hello: it is not connected yet, or has no hello of the connection.
    pub(crate) wants_answer: bool,
    /// The largest payload that the sender accepts, in bytes.
    pub(crate) max_payload: u32,
    /// The window of the sender, in bytes: credit is due before it is full.
    pub(crate) window: u32,
}

/// Why a message or a reply came to nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// No actor with the name is exposed, or none runs.
    NoProcess,
    /// The mailbox of the actor is full, or the node is.
    Busy,
    /// The incarnation that had the message has ended.
    Ended(WireReason),
    /// The actor dropped the reply.
    ReplyDropped,
    /// The message was evicted from the mailbox.
    Evicted,
    /// The payload could not be decoded.
    Undecodable(String),
    /// The answer could not be encoded or decoded, or is too large.
    AnswerFailed(String),
}

impl Outcome {
    /// Returns the outcome of a payload that cannot be decoded.
    pub(crate) fn undecodable(error: impl Display) -> Self {
        Self::Undecodable(cut(&error.to_string()))
    }

    /// Returns the outcome of an answer that cannot be sent or read.
    pub(crate) fn answer_failed(error: impl Display) -> Self {
        Self::AnswerFailed(cut(&error.to_string()))
    }
}

/// A change of the names of a node.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// The version of the table after the change. Each change adds one.
    pub(crate) version: u64,
    /// The name.
    pub(crate) name: String,
    /// When it was bound, in milliseconds since 1970 by the clock of its node; none if it was
    /// removed.
    pub(crate) bound_at: Option<u64>,
}

/// A part of all names of a node, in the order of the names.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The version of the table.
    pub(crate) version: u64,
    /// It is the first part.
    pub(crate) is_first: bool,
    /// It is the last part.
    pub(crate) is_last: bool,
    /// The names, and when each was bound.
    pub(crate) names: Vec<(String, u64)>,
}
