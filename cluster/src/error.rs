//! Why a message did not reach an actor on another node, or its answer did not come back.

use std::error::Error;
use std::fmt;

use perennial_actors::ExitReason;
use perennial_actors::host::{Carried, CarriesValue};

use crate::identity::{NodeName, NodeNameError};
use crate::wire::Outcome;
#[cfg(feature = "zenoh")]
use crate::zenoh::NetworkError;

/// Why a message came to nothing, as far as it is known here, with the message if it was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemoteError<M> {
    /// The reason.
    pub kind: RemoteErrorKind,
    /// The node and the name of the actor.
    pub target: RemoteTarget,
    /// The message, if it was not sent. If it was, whether the actor has handled it follows from
    /// the kind.
    pub message: Option<M>,
}

/// The node and the name of an actor.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemoteTarget {
    /// The node.
    pub node: NodeName,
    /// The name of the actor.
    pub name: String,
}

impl RemoteTarget {
    pub(crate) const fn new(node: NodeName, name: String) -> Self {
        Self { node, name }
    }
}

impl fmt::Display for RemoteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at {}", self.name, self.node)
    }
}

/// Why a message came to nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteErrorKind {
    /// There is no connection to the node, or it was lost. If the message was sent, it may have
    /// been handled.
    #[error("there is no connection")]
    NoConnection,
    /// No actor with this name is exposed there, or none runs. It was not handled.
    #[error("there is no such actor")]
    NoProcess,
    /// The window to the node, or the mailbox of the actor, is full. It was not handled.
    #[error("the window to the node or the mailbox of the actor is full")]
    Busy,
    /// The encoded message is larger than the node accepts. It was not sent.
    #[error("the message has {bytes} bytes, more than {max}")]
    TooLarge {
        /// The bytes of the message.
        bytes: usize,
        /// The most bytes.
        max: usize,
    },
    /// The message cannot be encoded. It was not sent.
    #[error("the message cannot be encoded: {0}")]
    Encode(String),
    /// The other node cannot decode the message. It was not handled.
    #[error("the message cannot be decoded: {0}")]
    Decode(String),
    /// The answer cannot be encoded or decoded, or is too large. The message was handled.
    #[error("the answer cannot be sent or read: {0}")]
    Answer(String),
    /// No answer came before the timeout. If the message was sent, it may have been handled.
    #[error("no answer came before the timeout")]
    TimedOut,
    /// A call with a timeout needs a runtime with timers. It was not sent.
    #[error("a call with a timeout needs a tokio runtime with timers")]
    NoTimers,
    /// The message was lost with the incarnation that had it.
    #[error("the actor ended: {0}")]
    Ended(ExitReason),
    /// The message was handled, and its reply was dropped without an answer.
    #[error("the actor dropped the reply")]
    ReplyDropped,
    /// The message was evicted from the mailbox.
    #[error("the actor dropped the message to make room for newer ones")]
    Evicted,
}

impl From<Outcome> for RemoteErrorKind {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::NoProcess => Self::NoProcess,
            Outcome::Busy => Self::Busy,
            Outcome::Ended(reason) => Self::Ended(reason.into()),
            Outcome::ReplyDropped => Self::ReplyDropped,
            Outcome::Evicted => Self::Evicted,
            Outcome::Undecodable(text) => Self::Decode(text),
            Outcome::AnswerFailed(text) => Self::Answer(text),
        }
    }
}

impl<M> RemoteError<M> {
    pub(crate) const fn new(kind: RemoteErrorKind, target: RemoteTarget, message: Option<M>) -> Self {
        Self { kind, target, message }
    }

    /// Returns the message, if it was not sent.
    pub fn into_inner(self) -> Option<M> {
        self.message
    }
}

impl<M> fmt::Debug for RemoteError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteError")
            .field("kind", &self.kind)
            .field("target", &self.target)
            .field("is_unsent", &self.message.is_some())
            .finish()
    }
}

impl<M> fmt::Display for RemoteError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message to {} failed: {}", self.target, self.kind)
    }
}

impl<M: 'static> Error for RemoteError<M> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<M: 'static> CarriesValue for RemoteError<M> {
    type Bare = RemoteError<()>;

    fn into_bare(self) -> RemoteError<()> {
        RemoteError { kind: self.kind, target: self.target, message: self.message.map(drop) }
    }
}

/// Why a node cannot be made, or does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The name is not the name of a node.
    #[error(transparent)]
    Name(#[from] NodeNameError),
    /// No engine was set.
    #[error("a node needs an engine")]
    NoEngine,
    /// An older node has the name, and keeps it.
    #[error("an older node has the name {0}")]
    NameTaken(NodeName),
    /// A setting cannot work.
    #[error("the setting {setting}: {problem}")]
    Config {
        /// The setting.
        setting: &'static str,
        /// What it has to be.
        problem: &'static str,
    },
    /// The name of an actor, of the type of its messages, or of their codec has more than 4,096
    /// bytes.
    #[error("a name has {bytes} bytes, more than {max}")]
    LongName {
        /// The bytes of the longest of the names.
        bytes: usize,
        /// The most bytes.
        max: usize,
    },
    /// The name of an actor begins with a zero byte. Such names are those of members and topics.
    #[error("the name of an exposed actor begins with a zero byte")]
    ReservedName,
    /// The node exposes as many names as it may.
    #[error("a node exposes at most {0} names")]
    TooManyNames(usize),
    /// The settings of the network cannot work.
    #[cfg(feature = "zenoh")]
    #[cfg_attr(docsrs, doc(cfg(feature = "zenoh")))]
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The child of the node runs already.
    #[error("the node runs already")]
    Running,
}
