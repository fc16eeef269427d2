//! The address of an actor on a node, by its name.

use std::fmt;
use std::sync::Arc;

use perennial_actors::host::drop_sent;
use perennial_actors::{Address, CallError, SendError};
use perennial_durable::{Bincode, Codec, Wire};
use perennial_registry::{Name, Registry};
use tokio::sync::oneshot;

use super::encode::{Encoding, keys};
use super::monitor::RemoteMonitor;
use crate::error::{RemoteError, RemoteErrorKind, RemoteTarget};
use crate::identity::NodeName;
use crate::names::{Key, key};
use crate::node::Node;
use crate::peer::{Outbound, Peer, Report};
use crate::reason::cut;
use crate::wire::{Header, NAME_BYTES, Outcome};

/// The address of the actor that has a name on a node, whichever boot of the node runs.
///
/// It is valid at any time: before the node was ever seen, while it is lost, and when it is back.
/// On the own node, messages are sent as by an [`Address`] and never encoded.
///
/// # Ordering
///
/// Messages that one task sends to actors of one node arrive in the order in which it sent them.
/// Some may be missing. A cast does not overtake a send or a call that waits for room.
///
/// # Delivery
///
/// At most once. What was lost with a connection is [counted](crate::PeerInfo::lost) once there is
/// another one, and [reported](crate::NodeEvent::Lost).
pub struct RemoteAddress<M> {
    pub(crate) node: Node,
    pub(crate) target: NodeName,
    pub(crate) name: Name<M>,
    pub(crate) encoding: Encoding<M>,
}

impl Node {
    /// Returns the address of the actor with a name on a node. Its messages are encoded with
    /// [`Bincode`].
    pub fn at<M: Wire + Send + 'static>(&self, node: &NodeName, name: Name<M>) -> RemoteAddress<M> {
        let encoding = Encoding::of::<Bincode>();
        RemoteAddress { node: self.clone(), target: node.clone(), name, encoding }
    }

    /// Returns the address of the actor with a name on the node that bound the name
    /// [first](Self::nodes_with), or `None` if no node is known to have it.
    pub fn whereis<M: Wire + Send + 'static>(&self, name: Name<M>) -> Option<RemoteAddress<M>> {
        let node = self.nodes_with(name.as_str()).into_iter().next()?;
        Some(self.at(&node, name))
    }
}

impl<M: Wire + Send + 'static> RemoteAddress<M> {
    /// Returns the same address with another codec, which has to be that of the
    /// [exposure](Node::expose).
    #[must_use]
    pub fn codec<C: Codec>(mut self) -> Self {
        self.encoding = Encoding::of::<C>();
        self
    }

    /// Returns the node.
    #[must_use]
    pub const fn node(&self) -> &NodeName {
        &self.target
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &Name<M> {
        &self.name
    }

    /// Sends a message without waiting. A message that does not fit into the mailbox there is lost,
    /// and reported by that node.
    ///
    /// # Errors
    ///
    /// - [`NoConnection`](RemoteErrorKind::NoConnection) if the node is not connected.
    /// - [`Busy`](RemoteErrorKind::Busy) if the window to the node is full, or other senders wait
    ///   for room in it.
    /// - [`TooLarge`](RemoteErrorKind::TooLarge) and [`Encode`](RemoteErrorKind::Encode).
    ///
    /// Each returns the message. On the own node, also [`NoProcess`](RemoteErrorKind::NoProcess).
    pub fn cast(&self, message: M) -> Result<(), RemoteError<M>> {
        if self.is_local() {
            return self.cast_here(message);
        }
        let posted = self.peer().and_then(|peer| {
            let outbound = self.outbound(&message, false, None)?;
            let keys = keys(&outbound);
            peer.post(outbound).map(|()| keys)
        });
        match posted {
            Ok(keys) => {
                drop_sent(message, keys);
                Ok(())
            }
            Err(kind) => Err(self.error(kind, Some(message))),
        }
    }

    /// Sends a message as soon as the window has room, and does not wait for what becomes of it, so
    /// that many messages of one sender can be on the way. On the own node, it is a send.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message was sent or not.
    ///
    /// # Errors
    ///
    /// Those of [`cast`](Self::cast) except for a full window.
    pub async fn cast_when_room(&self, message: M) -> Result<(), RemoteError<M>> {
        if self.is_local() {
            return self.send(message).await;
        }
        let mut unsent = Some(message);
        let posted = self.post_when_room(&mut unsent, false, None).await;
        posted.map(drop).map_err(|kind| self.error(kind, unsent))
    }

    /// Sends a message as soon as the window has room, and waits until it is in the mailbox there.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message was sent or not.
    ///
    /// # Errors
    ///
    /// Those of [`cast`](Self::cast) except for a full window, and:
    ///
    /// - [`NoProcess`](RemoteErrorKind::NoProcess) and [`Busy`](RemoteErrorKind::Busy) if no actor
    ///   has the name there, or its mailbox is full.
    /// - [`Decode`](RemoteErrorKind::Decode) if the message cannot be decoded there.
    /// - [`NoConnection`](RemoteErrorKind::NoConnection) without the message if the connection was
    ///   lost before the answer. The message may have been handled.
    pub async fn send(&self, message: M) -> Result<(), RemoteError<M>> {
        if self.is_local() {
            let Some(address) = self.here() else {
                return Err(self.error(RemoteErrorKind::NoProcess, Some(message)));
            };
            return address.send(message).await.map_err(|error| self.send_error(error));
        }
        let (report, outcome) = oneshot::channel();
        let mut unsent = Some(message);
        if let Err(kind) = self.post_when_room(&mut unsent, true, Some(report)).await {
            return Err(self.error(kind, unsent));
        }
        match outcome.await {
            // Of a message without a call, that says that it was accepted.
            Ok(Outcome::ReplyDropped) => Ok(()),
            Ok(outcome) => Err(self.error(outcome.into(), None)),
            Err(_) => Err(self.error(RemoteErrorKind::NoConnection, None)),
        }
    }

    /// Monitors the actor that has the name now. The monitor resolves once: with the reason when
    /// the incarnation ends, with [`NoProcess`] if there is none, and with [`NoConnection`] if the
    /// node is not connected, is lost, or serves too many calls and monitors of this node.
    ///
    /// [`NoConnection`]: perennial_actors::ExitReason::NoConnection
    /// [`NoProcess`]: perennial_actors::ExitReason::NoProcess
    pub fn monitor(&self) -> RemoteMonitor {
        if self.is_local() {
            return RemoteMonitor::here(self.target(), self.here().map(|address| address.monitor()));
        }
        if self.name.as_str().len() > NAME_BYTES {
            // Such a name cannot be exposed.
            return RemoteMonitor::here(self.target(), None);
        }
        let (report, down) = oneshot::channel();
        let peer = self.node.state().peer(&self.target);
        let name = self.name.as_str().to_owned();
        // A report that is dropped says that there is no connection.
        let monitor = peer.and_then(|peer| {
            let id = peer.watch(report, |id| Header::Monitor { id, name }).ok()?;
            Some((id, peer))
        });
        RemoteMonitor::there(self.target(), down, monitor)
    }
}

impl<M> RemoteAddress<M> {
    pub(super) fn target(&self) -> RemoteTarget {
        RemoteTarget::new(self.target.clone(), key::readable(self.name.as_str()))
    }

    pub(super) fn error(&self, kind: RemoteErrorKind, message: Option<M>) -> RemoteError<M> {
        RemoteError::new(kind, self.target(), message)
    }

    pub(crate) fn is_local(&self) -> bool {
        self.target == self.node.id().name
    }
}

impl<M: Wire + Send + 'static> RemoteAddress<M> {
    /// Returns the actor on the own node.
    pub(super) fn here(&self) -> Option<Address<M>> {
        let state = self.node.state();
        let system = state.system.get()?;
        if !Key::is_reserved(self.name.as_str()) {
            return Registry::of(system).whereis(&self.name).ok();
        }
        let member = state.exposed.lock().get(self.name.as_str()).cloned()?;
        member.handle(system)?.address()
    }

    fn cast_here(&self, message: M) -> Result<(), RemoteError<M>> {
        match self.here() {
            Some(address) => address.cast(message).map_err(|error| self.send_error(error)),
            None => Err(self.error(RemoteErrorKind::NoProcess, Some(message))),
        }
    }

    fn send_error(&self, error: SendError<M>) -> RemoteError<M> {
        let kind = match error {
            SendError::Full(_) | SendError::WouldDeadlock(_) => RemoteErrorKind::Busy,
            SendError::NoTimers(_) => RemoteErrorKind::NoTimers,
            _ => RemoteErrorKind::NoProcess,
        };
        self.error(kind, Some(error.into_inner()))
    }

    pub(super) fn call_error(&self, error: CallError<M>) -> RemoteError<M> {
        let kind = match &error {
            CallError::NoRoom(_) | CallError::WouldDeadlock(_) | CallError::Deadlock(_) => {
                RemoteErrorKind::Busy
            }
            CallError::NoTimers(_) | CallError::InAsyncContext(_) => RemoteErrorKind::NoTimers,
            CallError::TimedOut(_) => RemoteErrorKind::TimedOut,
            CallError::Ended(reason, _) => RemoteErrorKind::Ended(reason.clone()),
            CallError::Dropped(_) => RemoteErrorKind::Evicted,
            CallError::ReplyDropped(_) => RemoteErrorKind::ReplyDropped,
            _ => RemoteErrorKind::NoProcess,
        };
        self.error(kind, error.into_inner())
    }

    fn outbound(
        &self,
        message: &M,
        confirm: bool,
        report: Option<Report>,
    ) -> Result<Outbound, RemoteErrorKind> {
        let outbound = self.encoding.outbound(self.name.as_str(), message, confirm, report);
        outbound.map_err(|error| RemoteErrorKind::Encode(cut(&error)))
    }

    fn peer(&self) -> Result<Arc<Peer>, RemoteErrorKind> {
        self.node.state().peer(&self.target).ok_or(RemoteErrorKind::NoConnection)
    }

    /// Sends the message as soon as the window has room, and takes it then. Returns its number and
    /// the peer, for a caller that stops waiting.
    pub(super) async fn post_when_room(
        &self,
        message: &mut Option<M>,
        confirm: bool,
        report: Option<Report>,
    ) -> Result<(u64, Arc<Peer>), RemoteErrorKind> {
        let Some(unsent) = message.as_ref() else { return Err(RemoteErrorKind::NoConnection) };
        let peer = self.peer()?;
        let outbound = self.outbound(unsent, confirm, report)?;
        let keys = keys(&outbound);
        let id = peer.post_when_room(outbound).await?;
        drop_sent(message.take(), keys);
        Ok((id, peer))
    }
}

impl<M> Clone for RemoteAddress<M> {
    fn clone(&self) -> Self {
        let (node, target, name) = (self.node.clone(), self.target.clone(), self.name.clone());
        Self { node, target, name, encoding: self.encoding }
    }
}

impl<M> PartialEq for RemoteAddress<M> {
    /// Returns `true` if both are of one name on one node.
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && self.name == other.name
    }
}

impl<M> Eq for RemoteAddress<M> {}

impl<M> fmt::Debug for RemoteAddress<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = key::readable(self.name.as_str());
        f.debug_struct("RemoteAddress").field("node", &self.target).field("name", &name).finish()
    }
}
