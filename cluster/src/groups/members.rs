//! A group of all nodes: its members, and the choice of one.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use perennial_actors::host::sync::{AtomicUsize, Ordering};
use perennial_durable::{Bincode, Codec, Wire};
use perennial_registry::{Group, Name};

use super::hash::weight;
use crate::identity::NodeName;
use crate::names::{Key, MemberOf};
use crate::node::Node;
use crate::remote::{Encoding, RemoteAddress};

/// A group across nodes: the members of the [`Group`] on all nodes that
/// [expose](Node::expose_group) it. Its clones are the same group.
///
/// The members are those that this node knows of now. A member of another node is known as soon as
/// the news of it has arrived, and is no member any more once its node is lost. Messages to members
/// of the own node are never encoded.
///
/// # Examples
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, System};
/// use perennial_cluster::{Bincode, MemoryNetwork, Node, Wire};
/// use perennial_registry::{Group, Registry};
/// use serde::{Deserialize, Serialize};
///
/// const CACHES: Group<Forget> = Group::new("caches");
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Forget(String);
///
/// impl Wire for Forget {
///     const TAG: &'static str = "shop.forget";
/// }
///
/// struct Cache;
///
/// impl Actor for Cache {
///     type Msg = Forget;
///     type Args = ();
///     async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Registry::of(ctx.system()).group(CACHES).join(&ctx.address())?;
///         Ok(Self)
///     }
///     async fn handle(&mut self, _: Forget, _: &mut Context<Self>) -> Result<(), ExitReason> {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (network, system) = (MemoryNetwork::new(1), System::new());
/// let node = Node::builder("shop-1").engine(network.engine()).build()?;
/// node.expose_group::<Bincode, _>(CACHES)?;
/// let app = node.start(&system).await?;
/// let caches = node.group(CACHES);
/// let mut monitor = caches.monitor();
/// system.spawn::<Cache>(()).await?;
/// assert!(monitor.next().await.is_some_and(|change| change.joined));
/// assert_eq!(caches.broadcast(&Forget("ada".to_owned())).sent, 1);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct RemoteGroup<M> {
    pub(super) node: Node,
    pub(super) group: Group<M>,
    encoding: Encoding<M>,
    /// The turn of the round robin.
    turn: Arc<AtomicUsize>,
}

impl Node {
    /// Returns a group across nodes. Messages are encoded with [`Bincode`].
    pub fn group<M: Wire + Send + 'static>(&self, group: Group<M>) -> RemoteGroup<M> {
        let encoding = Encoding::of::<Bincode>();
        RemoteGroup { node: self.clone(), group, encoding, turn: Arc::default() }
    }
}

impl<M: Wire + Send + 'static> RemoteGroup<M> {
    /// Returns the same group with another codec, which has to be that of the
    /// [exposure](Node::expose_group).
    #[must_use]
    pub fn codec<C: Codec>(mut self) -> Self {
        self.encoding = Encoding::of::<C>();
        self
    }

    /// Returns the members, those of the first node first.
    #[must_use]
    pub fn members(&self) -> Vec<RemoteAddress<M>> {
        let members = self.node.state().members(self.group.as_str());
        members.into_iter().map(|member| self.address(member)).collect()
    }

    pub(super) fn address(&self, member: MemberOf) -> RemoteAddress<M> {
        let MemberOf { node: target, key } = member;
        RemoteAddress { node: self.node.clone(), target, name: Name::from(key), encoding: self.encoding }
    }

    /// Returns any member, one of the own node if there is one, or `None` if the group is empty.
    #[must_use]
    pub fn any(&self) -> Option<RemoteAddress<M>> {
        let mut members = self.members();
        let near = members.iter().position(RemoteAddress::is_local).unwrap_or(0);
        (near < members.len()).then(|| members.swap_remove(near))
    }

    /// Returns the next member in turn. The clones of a handle share the turns, other handles and
    /// nodes have their own. While the members stay, each has as many turns as the others.
    #[must_use]
    pub fn round_robin(&self) -> Option<RemoteAddress<M>> {
        let mut members = self.members();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let at = turn.checked_rem(members.len())?;
        Some(members.swap_remove(at))
    }

    /// Returns the member that a key maps to (rendezvous hashing). All nodes that know the same
    /// members find the same one, if they are built for machines of one kind.
    ///
    /// A member that leaves loses only its own keys, and a member that joins gets some keys of
    /// every other member. No key moves between two members that stay. An actor that is restarted
    /// has its keys again once it has joined again.
    #[must_use]
    pub fn by_key(&self, key: &impl Hash) -> Option<RemoteAddress<M>> {
        self.members().into_iter().max_by_key(|member| weight(identity(&member.target, &member.name), key))
    }
}

/// Returns what a member is on all nodes.
fn identity<'a, M>(node: &'a NodeName, name: &'a Name<M>) -> (&'a str, u64) {
    let number = if let Key::Member(_, number) = Key::parse(name.as_str()) { number } else { 0 };
    (node.as_str(), number)
}

impl<M> Clone for RemoteGroup<M> {
    fn clone(&self) -> Self {
        let (node, group, turn) = (self.node.clone(), self.group.clone(), self.turn.clone());
        Self { node, group, encoding: self.encoding, turn }
    }
}

impl<M> fmt::Debug for RemoteGroup<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteGroup").field(&self.group).finish()
    }
}
