//! Beyond one machine: nodes, remote addresses, calls, monitors, links and names across them.
//!
//! # Problem
//!
//! An address reaches an actor in one process. Between processes messages are lost, late and
//! doubled, a peer that is silent may be dead, slow or cut off, and each program invents its own
//! answer to that.
//!
//! # Model
//!
//! A [`Node`] is a process with a name; each run of it is a [`Boot`]. Two nodes have one connection
//! with a stream in each direction, with numbers and a window of bytes. An actor is
//! [exposed](Node::expose) under its name, with the codec of its messages. A [`RemoteAddress`] is a
//! node and a name: it is valid whether or not the node is there. A [`UniqueName`] is kept by one
//! node. A [`RemoteGroup`] has the members of all nodes, a [`RemoteTopic`] their subscribers.
//!
//! Packets are carried by an [`Engine`], of which little is asked. There are two: the network
//! between machines, with the feature `zenoh`, and that [in memory](MemoryNetwork) for tests.
//!
//! # Guarantees
//!
//! - **At most once, in order**: messages of one task to one node are delivered in the order in
//!   which they were sent. Some may be missing, none is delivered twice.
//! - **Accounts**: what was lost with a connection is [counted](PeerInfo::lost) and
//!   [reported](NodeEvent::Lost) once there is another one.
//! - **One end**: each call, send, monitor and link ends once, with a typed reason. If the
//!   connection is lost, that is [`NoConnection`](RemoteErrorKind::NoConnection).
//! - **Bounds**: at most a window of messages is on the way to a node. The inbox, messages and the
//!   calls that are served for a peer have limits.
//! - **Opt-in**: nothing can be reached that is not exposed.
//! - **It heals by itself**: a connection is made again as soon as the network allows it.
//!
//! # Example
//!
//! ```
//! use perennial_actors::{Actor, Context, ExitReason, Reply, System};
//! use perennial_cluster::{Bincode, MemoryNetwork, Node, NodeEvent, RemoteChild, Wire};
//! use perennial_registry::Name;
//! use perennial_supervision::{Child, Supervisor};
//! use serde::{Deserialize, Serialize};
//!
//! const GREETER: Name<Greet> = Name::new("greeter");
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greet(String, Reply<String>);
//!
//! impl Wire for Greet {
//!     const TAG: &'static str = "docs.greet";
//! }
//!
//! struct Greeter;
//! # impl Actor for Greeter {
//! #     type Msg = Greet;
//! #     type Args = ();
//! #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
//! #     async fn handle(&mut self, Greet(name, reply): Greet, _: &mut Context<Self>)
//! #     -> Result<(), ExitReason> {
//! #         reply.send(format!("hello {name}"));
//! #         Ok(())
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = MemoryNetwork::new(1);
//! let bank = Node::builder("bank").engine(network.engine()).build()?;
//! let greeter = Child::new::<Greeter>("greeter", ()).remote::<Bincode>(&bank, GREETER)?;
//! let tree = Supervisor::new("bank").child(greeter).child(bank.child());
//! let tree = tree.start(&System::new()).await?;
//!
//! let shop = Node::builder("shop").engine(network.engine()).build()?;
//! let mut events = shop.subscribe();
//! let other_tree = shop.start(&System::new()).await?;
//! while !matches!(events.next().await, Some(NodeEvent::NameAdded { .. })) {}
//!
//! let greeter = shop.at(&bank.id().name, GREETER);
//! assert_eq!(greeter.call(|reply| Greet("shop".to_owned(), reply)).await?, "hello shop");
//! # assert!(tree.shutdown().await.is_clean());
//! # assert!(other_tree.shutdown().await.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not for
//!
//! Agreement: in a divided network, each part goes on by itself. What must be decided once belongs
//! into a store.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod engine;
mod error;
mod event;
mod expose;
mod groups;
mod identity;
mod inbox;
mod membership;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
mod names;
mod node;
mod peer;
mod pending;
mod reason;
mod remote;
mod session;
#[cfg(feature = "operations")]
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod topics;
#[cfg(feature = "operations")]
mod trees;
mod unique;
mod watch;
mod wire;
#[cfg(feature = "zenoh")]
mod zenoh;

#[cfg(feature = "zenoh")]
#[cfg_attr(docsrs, doc(cfg(feature = "zenoh")))]
pub use crate::zenoh::{NetworkConfig, NetworkError, Tls};
pub use config::NodeConfig;
pub use engine::{Engine, EngineError, EngineSession, OpenFuture, Priority};
pub use error::{NodeError, RemoteError, RemoteErrorKind, RemoteTarget};
pub use event::{NodeEvent, PeerInfo};
pub use groups::{RemoteBroadcastReport, RemoteGroup, RemoteGroupChange, RemoteGroupMonitor};
pub use identity::{Boot, NodeId, NodeName, NodeNameError};
pub use inbox::Inbox;
pub use memory::{MemoryEngine, MemoryNetwork};
pub use node::{Node, NodeBuilder, NodeWatch, RemoteChild};
pub use remote::{RemoteAddress, RemoteCall, RemoteDown, RemoteLink, RemoteMonitor};
pub use topics::{RemotePublishReport, RemoteTopic};
#[cfg(feature = "operations")]
#[cfg_attr(docsrs, doc(cfg(feature = "operations")))]
pub use trees::TreesError;
pub use unique::{NameLost, UniqueName};

pub use perennial_durable::{Bincode, Codec, DecodeError, EncodeError, Json, OldPayload, Wire};
