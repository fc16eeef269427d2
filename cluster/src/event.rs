//! What can be observed of a node: events, and the state of its connections.

use std::time::Duration;

use crate::error::RemoteErrorKind;
use crate::identity::{NodeId, NodeName};

/// What a node has noticed.
///
/// # Ordering
///
/// Of one boot, [`Up`](Self::Up) and [`Down`](Self::Down) alternate. `Down` comes after the calls
/// and monitors of the connection were told that it is lost.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// There is a connection to a node.
    Up(NodeId),
    /// The connection to a node is lost.
    Down(NodeId),
    /// Packets of the stream to a node are lost: messages, answers, names and reports. They were
    /// sent before the present connection.
    Lost {
        /// The node.
        node: NodeId,
        /// How many more than was known.
        packets: u64,
    },
    /// A node has bound a name.
    NameAdded {
        /// The node.
        node: NodeName,
        /// The name.
        name: String,
    },
    /// A node has a name no more, or its names are not known any more.
    NameRemoved {
        /// The node.
        node: NodeName,
        /// The name.
        name: String,
    },
    /// A node has an older claim of a [unique name](crate::UniqueName), which this node exposes no
    /// more.
    NameLost {
        /// The name.
        name: String,
        /// The node that keeps it.
        node: NodeName,
    },
    /// A message of a node was not delivered.
    Refused {
        /// The node.
        node: NodeName,
        /// The name of the actor that it was for.
        name: String,
        /// The reason.
        reason: RemoteErrorKind,
    },
    /// A node speaks another version of the protocol, so there is no connection to it. It is told
    /// once of each boot.
    OtherProtocol {
        /// The node.
        node: NodeId,
        /// The version that it speaks.
        version: u8,
    },
    /// The inbox was full, and so many packets were dropped. The connections that they belonged to
    /// end.
    InboxFull {
        /// The packets.
        packets: u64,
    },
    /// A node has more names, or longer ones, than [`max_names`](crate::NodeConfig::max_names)
    /// allows. None of them is known until it connects again. Its actors can be reached. Of this
    /// node: it exposes as many names as it may, and members of its groups are not exposed.
    TooManyNames(NodeId),
}

/// The state of the connection to another node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The node.
    pub node: NodeId,
    /// There is a connection.
    pub is_up: bool,
    /// The time that the latest ping has taken.
    pub round_trip: Option<Duration>,
    /// The bytes that are on the way to the node, or wait there.
    pub window_used: usize,
    /// The packets of the stream that were sent to this boot: messages, answers, names, reports.
    pub sent: u64,
    /// Those of them that are known to be lost.
    pub lost: u64,
    /// Those of them that the node has not confirmed yet.
    pub unconfirmed: usize,
    /// The packets of the stream that were received from this boot.
    pub received: u64,
    /// The messages and monitors that something is waited for.
    pub pending: usize,
    /// The names that the node has, with the members of groups and the topics.
    pub names: usize,
}
