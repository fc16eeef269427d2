//! The handle of a node.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use perennial_actors::{ExitReason, Subscription, System};
use perennial_durable::{Codec, Wire};
use perennial_registry::{Group, Name, Topic};
use perennial_supervision::{App, Child, ChildSpec, StartError, Supervisor, SupervisorHandle};

use super::gateway;
use super::node_watch::NodeWatch;
use super::state::NodeState;
use crate::engine::EngineError;
use crate::error::NodeError;
use crate::event::{NodeEvent, PeerInfo};
use crate::expose::{
    Expose, ExposeGroup, ExposedActor, ExposedGroup, Exposure, GroupExposure, TopicExposure,
};
use crate::identity::{NodeId, NodeName};
use crate::names::{Key, key};
use crate::unique::UniqueName;
use crate::wire::NAME_BYTES;

/// A process that takes part in a cluster. Its clones are the same node.
///
/// A node is a value that outlives what it does: addresses and exposures stay valid while its
/// [child](Self::child) is restarted.
#[derive(Clone)]
pub struct Node(Arc<NodeState>);

impl Node {
    pub(super) fn new(state: NodeState) -> Self {
        Self(Arc::new(state))
    }

    pub(crate) const fn state(&self) -> &Arc<NodeState> {
        &self.0
    }

    /// Returns the name and the boot of the node.
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.0.own
    }

    /// Returns the child that connects the node, for a supervisor. It is stopped with its
    /// supervisor, and the other nodes see the node go. It ends, and is not restarted, with
    /// [`NameTaken`](NodeError::NameTaken) if an older node has the name, and is there for two
    /// leases: a boot before this one that has crashed is not. It ends with
    /// [`Running`](NodeError::Running) while another child of the same node runs.
    pub fn child(&self) -> Child<Infallible> {
        let state = self.0.clone();
        let id = format!("node {}", state.own.name);
        let child = Child::task(id, move |context| gateway::run(state.clone(), context));
        child.restart_if(|reason| !is_name_taken(reason))
    }

    /// Starts the node as a tree of its own.
    ///
    /// # Errors
    ///
    /// The tree cannot be started.
    pub async fn start(&self, system: &System) -> Result<App<SupervisorHandle>, StartError> {
        Supervisor::new("cluster").child(self.child()).start(system).await
    }

    /// Lets other nodes send to the actor with this name: messages in the encoding of one codec.
    /// Nothing else of this node can be reached. The actor may be bound later, and be restarted.
    ///
    /// # Errors
    ///
    /// - [`LongName`](NodeError::LongName) if a name has too many bytes for a packet.
    /// - [`TooManyNames`](NodeError::TooManyNames) if the node exposes as many as it may.
    /// - [`ReservedName`](NodeError::ReservedName) if the name begins with a zero byte.
    pub fn expose<C: Codec, M: Wire + Send + 'static>(&self, name: Name<M>) -> Result<(), NodeError> {
        self.expose_actor::<C, M>(name.as_str().to_owned(), ExposedActor::Named(name))
    }

    /// Exposes the actor with this name, as [`expose`](Self::expose) does, and claims the name
    /// whenever the actor has it: see [`UniqueName`]. All nodes have to expose it so.
    ///
    /// # Errors
    ///
    /// Those of [`expose`](Self::expose).
    pub fn expose_unique<C: Codec, M: Wire + Send + 'static>(
        &self,
        name: UniqueName<M>,
    ) -> Result<(), NodeError> {
        self.expose_actor::<C, M>(name.name().as_str().to_owned(), ExposedActor::Unique(name))
    }

    fn expose_actor<C: Codec, M: Wire + Send + 'static>(
        &self,
        text: String,
        actor: ExposedActor<M>,
    ) -> Result<(), NodeError> {
        if Key::is_reserved(&text) {
            return Err(NodeError::ReservedName);
        }
        check_bytes(&[&text, M::TAG, C::NAME])?;
        self.expose_as(text, Arc::new(Exposure::<M, C>::new(actor)))
    }

    /// Exposes a group: its members on this node are members of the [group across
    /// nodes](Self::group), and other nodes may send to them, in the encoding of one codec.
    /// A group that is exposed already stays as it is. Groups of several message types have to have
    /// different names here.
    ///
    /// # Errors
    ///
    /// [`LongName`](NodeError::LongName) if a name has too many bytes for a packet.
    pub fn expose_group<C: Codec, M: Wire + Send + 'static>(&self, group: Group<M>) -> Result<(), NodeError> {
        let text = group.as_str().to_owned();
        check_bytes(&[&key::member(&text, u64::MAX), M::TAG, C::NAME])?;
        let exposure: Arc<dyn ExposeGroup> = Arc::new(GroupExposure::<M, C>::new(group));
        let mut groups = self.0.groups.lock();
        groups.entry(text).or_insert_with(|| ExposedGroup::new(exposure));
        drop(groups);
        self.0.exposed_more.notify_one();
        Ok(())
    }

    /// Exposes a topic: what other nodes publish on the [topic across nodes](Self::topic) reaches
    /// its subscribers on this node, in the encoding of one codec.
    ///
    /// # Errors
    ///
    /// Those of [`expose`](Self::expose).
    pub fn expose_topic<C: Codec, T: Wire + Clone + Send + 'static>(
        &self,
        topic: Topic<T>,
    ) -> Result<(), NodeError> {
        let text = key::topic(topic.as_str());
        check_bytes(&[&text, T::TAG, C::NAME])?;
        self.expose_as(text, Arc::new(TopicExposure::<T, C>::new(topic)))
    }

    pub(crate) fn expose_as(&self, text: String, exposure: Arc<dyn Expose>) -> Result<(), NodeError> {
        let mut exposed = self.0.exposed.lock();
        let max = self.0.config.max_names;
        if exposed.len() >= max && !exposed.contains_key(&text) {
            return Err(NodeError::TooManyNames(max));
        }
        let before = exposed.insert(text, exposure);
        drop(exposed);
        drop(before);
        self.0.exposed_more.notify_one();
        Ok(())
    }

    /// Sets the nodes that may take part in the network. The node itself always may.
    ///
    /// The network is opened again within a quarter of the lease, by the same boot: all connections
    /// end with [`NodeEvent::Down`], and those to members are made again. What was on the way is
    /// counted as lost.
    ///
    /// # Errors
    ///
    /// The node has no identity, or an engine that does not know members.
    pub fn set_members(&self, members: impl IntoIterator<Item = NodeName>) -> Result<(), EngineError> {
        self.0.engine.set_members(members.into_iter().collect())
    }

    /// Subscribes to what the node notices from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<NodeEvent> {
        self.0.events.subscribe()
    }

    /// Follows the nodes that come and go, from those that are connected now on.
    #[must_use]
    pub fn watch_nodes(&self) -> NodeWatch {
        NodeWatch::new(&self.0)
    }

    /// Returns the nodes that are seen, and the state of the connection to each.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.0.peers().iter().map(|peer| peer.info()).collect()
    }

    /// Returns the nodes that have a name, with that first which bound it first. Nodes that are
    /// connected with each other find the same order.
    ///
    /// While a network is divided, each part has an order of its own, without the nodes of the
    /// other parts.
    #[must_use]
    pub fn nodes_with(&self, name: &str) -> Vec<NodeName> {
        let own = self.0.names.lock().get(name).map(|bound_at| (bound_at, self.0.own.clone()));
        let theirs = self.0.peers().into_iter().filter_map(|peer| {
            peer.with(|link| link.names.get(name).map(|bound_at| (bound_at, peer.id.clone())))
        });
        let mut nodes: Vec<_> = own.into_iter().chain(theirs).collect();
        nodes.sort();
        nodes.into_iter().map(|(_, id)| id.name).collect()
    }

    /// Returns the names that are known of a node, in order.
    #[must_use]
    pub fn names_of(&self, node: &NodeName) -> Vec<String> {
        if *node == self.0.own.name {
            return names(self.0.names.lock().iter());
        }
        let Some(peer) = self.0.peer(node) else { return Vec::new() };
        peer.with(|link| names(link.names.iter()))
    }
}

/// Returns the entries of a table that are names.
fn names<'a>(entries: impl Iterator<Item = (&'a String, &'a u64)>) -> Vec<String> {
    entries.map(|(name, _)| name).filter(|name| !Key::is_reserved(name)).cloned().collect()
}

fn check_bytes(texts: &[&str]) -> Result<(), NodeError> {
    let bytes = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    if bytes > NAME_BYTES { Err(NodeError::LongName { bytes, max: NAME_BYTES }) } else { Ok(()) }
}

fn is_name_taken(reason: &ExitReason) -> bool {
    let error = reason.error().and_then(|error| error.downcast_ref());
    matches!(error, Some(NodeError::NameTaken(_)))
}

impl From<&Node> for ChildSpec {
    fn from(node: &Node) -> Self {
        node.child().into()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.0.own).finish()
    }
}

/// A child whose actor other nodes may send to.
pub trait RemoteChild<M> {
    /// Names the actor, and [exposes](Node::expose) it under that name at a node.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
    /// use perennial_cluster::{Bincode, MemoryNetwork, Node, RemoteChild, Wire};
    /// use perennial_registry::{Group, Name, Topic};
    /// use perennial_supervision::{Child, Supervisor};
    /// use serde::{Deserialize, Serialize};
    ///
    /// const COUNTER: Name<Count> = Name::new("counter");
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Count(Reply<u64>);
    ///
    /// impl Wire for Count {
    ///     const TAG: &'static str = "shop.count";
    /// }
    ///
    /// struct Counter(u64);
    ///
    /// impl Actor for Counter {
    ///     type Msg = Count;
    ///     type Args = ();
    ///     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self(0)) }
    ///     async fn handle(&mut self, Count(reply): Count, _: &mut Context<Self>)
    ///     -> Result<(), ExitReason> {
    ///         self.0 += 1;
    ///         reply.send(self.0);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let network = MemoryNetwork::new(1);
    /// let node = Node::builder("shop-1").engine(network.engine()).build()?;
    /// let counter = Child::new::<Counter>("counter", ()).remote::<Bincode>(&node, COUNTER)?;
    /// let app = Supervisor::new("app").child(counter).child(node.child());
    /// # let app = app.start(&System::new()).await?;
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`expose`](Node::expose).
    fn remote<C: Codec>(self, node: &Node, name: Name<M>) -> Result<Self, NodeError>
    where
        Self: Sized;

    /// Names the actor, and [exposes](Node::expose_unique) it at a node under that name, which one
    /// node of the network keeps.
    ///
    /// # Errors
    ///
    /// Those of [`expose`](Node::expose).
    fn remote_unique<C: Codec>(self, node: &Node, name: UniqueName<M>) -> Result<Self, NodeError>
    where
        Self: Sized;
}

impl<M: Wire + Send + 'static> RemoteChild<M> for Child<M> {
    fn remote<C: Codec>(self, node: &Node, name: Name<M>) -> Result<Self, NodeError> {
        node.expose::<C, M>(name.clone())?;
        Ok(self.named(name))
    }

    fn remote_unique<C: Codec>(self, node: &Node, name: UniqueName<M>) -> Result<Self, NodeError> {
        let named = self.named(name.name().clone());
        node.expose_unique::<C, M>(name)?;
        Ok(named)
    }
}
