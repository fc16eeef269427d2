//! What a node needs of a network: packets between boots, and the news of which boots are there.
//!
//! An engine promises little, because networks do: packets of one boot to another arrive in order
//! while nothing fails, and may be lost, and arrive late, when a connection breaks. An engine may
//! join packets that wait for one boot, in their order: they say how long they are. Numbers,
//! windows, connections and accounts are made of these packets by the node. An engine never waits
//! for the node, and the node never for the engine.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::identity::{NodeId, NodeName};
use crate::inbox::Inbox;

/// A network that nodes are connected by.
pub trait Engine: Send + Sync + 'static {
    /// Announces a boot, and begins to give what arrives for it to its inbox.
    ///
    /// # Errors
    ///
    /// The network cannot be used: an address is taken, or a certificate is not valid.
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_>;

    /// Sets the nodes that may take part, while the node runs or not.
    ///
    /// # Errors
    ///
    /// The engine does not know nodes by certificates. This is the default.
    fn set_members(&self, members: BTreeSet<NodeName>) -> Result<(), EngineError> {
        drop(members);
        Err(EngineError("this engine has no members".into()))
    }
}

/// The future of [`Engine::open`].
pub type OpenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Box<dyn EngineSession>, EngineError>> + Send + 'a>>;

/// A boot that is announced. When it is dropped, the other nodes see it go.
pub trait EngineSession: Send + Sync {
    /// Sends a packet without waiting. What cannot be sent is dropped: the node notices the gap.
    fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>);
}

/// The priority of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Priority {
    /// In the order of all packets of this priority, and of the prompt ones.
    Stream,
    /// As those of the stream, of which little is on the way: a network has room for it. An engine
    /// that sends on threads of its own may send it on that of the caller, if nothing is before it.
    Prompt,
    /// Before what waits with the other priority, where the network can do that.
    Urgent,
}

impl Priority {
    /// Returns the priority of the same order for what need not be sent at once.
    pub(crate) const fn without_haste(self) -> Self {
        match self {
            Self::Prompt => Self::Stream,
            other => other,
        }
    }
}

/// Why an engine does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the network: {0}")]
pub struct EngineError(pub Box<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for dyn EngineSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineSession(..)")
    }
}
