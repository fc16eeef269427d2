//! Links to actors on other nodes.

use std::fmt;
use std::sync::Arc;

use perennial_actors::host::OutsideLink;
use perennial_actors::{Actor, ActorHandle, Context, ExitReason, Monitor, Pid};
use perennial_durable::Wire;
use tokio::sync::oneshot;

use super::address::RemoteAddress;
use super::monitor::reason_of;
use crate::error::RemoteTarget;
use crate::peer::Peer;
use crate::wire::{Header, NAME_BYTES, Outcome};

/// A link between an incarnation of this node and one of another node. Dropping this value does
/// not remove the link.
#[must_use = "a link is recognised by its pid, and removed with this value"]
pub struct RemoteLink {
    target: RemoteTarget,
    other: Other,
}

/// The other end of a link.
enum Other {
    /// An actor of this node.
    Here(ActorHandle, Option<Pid>),
    /// An incarnation elsewhere, or what was found instead of it.
    There(Arc<OutsideLink>, Option<(u64, Arc<Peer>)>),
    /// The incarnation that wanted the link has no mailbox any more.
    Nothing,
}

impl<M: Wire + Send + 'static> RemoteAddress<M> {
    /// Links this incarnation and the running incarnation of the actor that has the name: when
    /// either ends, the other receives an exit signal with the reason. Both treat it as that of
    /// [`Context::link`].
    ///
    /// The signal comes once. It also comes, with [`NoProcess`] if no incarnation runs there, and
    /// with [`NoConnection`], at both ends, if the node is not connected, is lost, or serves too
    /// many calls, monitors and links of this node. Each link is separate, also several to one
    /// actor, except on the own node.
    ///
    /// [`NoConnection`]: ExitReason::NoConnection
    /// [`NoProcess`]: ExitReason::NoProcess
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, Signal};
    /// # use perennial_cluster::{Node, RemoteAddress, Wire};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Order;
    /// # impl Wire for Order { const TAG: &'static str = "docs.order"; }
    /// struct Seller;
    ///
    /// impl Actor for Seller {
    ///     type Msg = Order;
    ///     type Args = RemoteAddress<Order>;
    ///
    ///     async fn init(stock: &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         ctx.trap_exits(true);
    ///         let _link = stock.link(ctx);
    ///         Ok(Self)
    ///     }
    ///
    ///     async fn signal(&mut self, signal: Signal, _: &mut Context<Self>)
    ///     -> Result<(), ExitReason> {
    ///         match signal {
    ///             Signal::Exit { reason: ExitReason::NoConnection, .. } => Ok(()),
    ///             Signal::Exit { reason, .. } => Err(reason),
    ///             _ => Ok(()),
    ///         }
    ///     }
    /// #   async fn handle(&mut self, _: Order, _: &mut Context<Self>) -> Result<(), ExitReason> {
    /// #       Ok(())
    /// #   }
    /// }
    /// ```
    pub fn link<A: Actor>(&self, ctx: &mut Context<A>) -> RemoteLink {
        let other = if self.is_local() { self.link_here(ctx) } else { self.link_there(ctx) };
        RemoteLink { target: self.target(), other }
    }

    fn link_here<A: Actor>(&self, ctx: &mut Context<A>) -> Other {
        let running = self.here().map(|address| (address.handle(), address.pid()));
        match running {
            Some((handle, pid @ Some(_))) if ctx.link(&handle).is_ok() => Other::Here(handle, pid),
            _ => refused(ctx, &ExitReason::NoProcess),
        }
    }

    fn link_there<A: Actor>(&self, ctx: &Context<A>) -> Other {
        if self.name.as_str().len() > NAME_BYTES {
            // Such a name cannot be exposed.
            return refused(ctx, &ExitReason::NoProcess);
        }
        let Some(peer) = self.node.state().peer(&self.target) else {
            return refused(ctx, &ExitReason::NoConnection);
        };
        let Some(end) = outside_link(ctx) else { return Other::Nothing };
        let own_end = ctx.address().monitor();
        let (report, down) = oneshot::channel();
        let name = self.name.as_str().to_owned();
        let Ok(id) = peer.watch(report, |id| Header::Link { id, name }) else {
            end.exit(&ExitReason::NoConnection);
            return Other::There(end, None);
        };
        tokio::spawn(hold(end.clone(), own_end, down, (id, peer.clone())));
        Other::There(end, Some((id, peer)))
    }
}

fn outside_link<A: Actor>(ctx: &Context<A>) -> Option<Arc<OutsideLink>> {
    OutsideLink::new(ctx.system(), &ctx.address().handle(), ctx.pid()).map(Arc::new)
}

/// Returns a link whose other end is not there, after its exit signal.
fn refused<A: Actor>(ctx: &Context<A>, reason: &ExitReason) -> Other {
    let Some(end) = outside_link(ctx) else { return Other::Nothing };
    end.exit(reason);
    Other::There(end, None)
}

/// Waits until one end of a link ends, and tells the other.
async fn hold(
    end: Arc<OutsideLink>,
    own_end: Monitor,
    down: oneshot::Receiver<Outcome>,
    (id, peer): (u64, Arc<Peer>),
) {
    tokio::select! {
        biased;
        outcome = down => end.exit(&reason_of(outcome.ok())),
        ended = own_end => peer.end_link(id, (&ended.reason).into()),
    }
}

impl RemoteLink {
    /// Returns the node and the name of the actor.
    #[must_use]
    pub const fn target(&self) -> &RemoteTarget {
        &self.target
    }

    /// Returns the pid that the exit signal of the other end comes from, or `None` if none will
    /// come. Of an actor on another node, it is one that no actor has.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        match &self.other {
            Other::Here(_, pid) => *pid,
            Other::There(end, _) => Some(end.pid()),
            Other::Nothing => None,
        }
    }

    /// Removes the link at both ends. After this returns it causes no exit signal here, and none
    /// there once the node has heard of it. An exit signal that has already arrived stays.
    pub fn unlink<A: Actor>(self, ctx: &mut Context<A>) {
        match self.other {
            Other::Here(handle, _) => ctx.unlink(&handle),
            Other::There(end, there) => {
                if let (true, Some((id, peer))) = (end.unlink(), there) {
                    peer.cancel(id);
                }
            }
            Other::Nothing => {}
        }
    }
}

impl fmt::Debug for RemoteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteLink").field("target", &self.target).field("pid", &self.pid()).finish()
    }
}
