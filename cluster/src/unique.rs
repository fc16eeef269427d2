//! Names of which one node of a network has each.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use perennial_actors::Address;
use perennial_actors::host::ignore_panic;
use perennial_registry::Name;

use crate::identity::NodeName;

/// What makes the message that tells an actor that its name is lost.
type OnLost<M> = Arc<dyn Fn(NameLost) -> M + Send + Sync>;

/// A name that one node of a network keeps, whichever nodes claim it.
///
/// # Guarantees
///
/// A node claims the name when an actor has it that is
/// [exposed as unique](crate::Node::expose_unique). Of nodes that are connected, the one with the
/// oldest claim keeps it: by the time of the claim, then by the name of the node, then by its boot.
/// A claim that is made while another one is known is the younger one, whatever the clocks of the
/// machines say. The other nodes stop exposing the name, report
/// [`NameLost`](crate::NodeEvent::NameLost), and tell their actors. All nodes that are connected
/// find the same one.
///
/// While a network is divided, each part may have one. A claim that was lost is not made again: not
/// when the name is free later, and not by a restart of the actor. Expose it once more for that.
///
/// # Examples
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, System};
/// use perennial_cluster::{
///     Bincode, MemoryNetwork, NameLost, Node, RemoteChild, UniqueName, Wire,
/// };
/// use perennial_registry::Name;
/// use perennial_supervision::{Child, Supervisor};
/// use serde::{Deserialize, Serialize};
///
/// const LEADER: Name<Lead> = Name::new("leader");
///
/// #[derive(Serialize, Deserialize)]
/// enum Lead {
///     Work(u64),
///     Lost(#[serde(skip)] Option<NameLost>),
/// }
///
/// impl Wire for Lead {
///     const TAG: &'static str = "shop.lead";
/// }
///
/// struct Leader;
/// # impl Actor for Leader {
/// #     type Msg = Lead;
/// #     type Args = ();
/// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
/// #     async fn handle(&mut self, _: Lead, _: &mut Context<Self>) -> Result<(), ExitReason> {
/// #         Ok(())
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = MemoryNetwork::new(1);
/// let node = Node::builder("shop-1").engine(network.engine()).build()?;
/// let name = UniqueName::new(LEADER).on_lost(|lost| Lead::Lost(Some(lost)));
/// let leader = Child::new::<Leader>("leader", ()).remote_unique::<Bincode>(&node, name)?;
/// let app = Supervisor::new("app").child(leader).child(node.child());
/// # let app = app.start(&System::new()).await?;
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct UniqueName<M> {
    name: Name<M>,
    on_lost: Option<OnLost<M>>,
}

/// A node has an older claim of a unique name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NameLost {
    /// The name.
    pub name: String,
    /// The node that keeps it.
    pub node: NodeName,
}

impl<M> UniqueName<M> {
    /// Creates it from a name.
    #[must_use]
    pub fn new(name: impl Borrow<Name<M>>) -> Self {
        Self { name: name.borrow().clone(), on_lost: None }
    }

    /// Sets what makes the message that the actor gets when its name is lost. The message is cast.
    /// By default the actor is told nothing.
    #[must_use]
    pub fn on_lost(mut self, message: impl Fn(NameLost) -> M + Send + Sync + 'static) -> Self {
        self.on_lost = Some(Arc::new(message));
        self
    }

    pub(crate) const fn name(&self) -> &Name<M> {
        &self.name
    }
}

impl<M: Send + 'static> UniqueName<M> {
    /// Tells the actor that has the name. The caller guards it.
    pub(crate) fn lose(&self, actor: &Address<M>, lost: NameLost) {
        if let Some(on_lost) = &self.on_lost {
            let refused = actor.cast(on_lost(lost));
            ignore_panic(|| drop(refused));
        }
    }
}

impl<M> Clone for UniqueName<M> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), on_lost: self.on_lost.clone() }
    }
}

impl<M> fmt::Debug for UniqueName<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UniqueName").field(&self.name).finish()
    }
}
