//! The links of a peer to the actors of this node.

use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::OutsideLink;

use super::deliver::send;
use super::gateway::Gateway;
use crate::peer::Peer;
use crate::wire::{Header, Outcome};

impl Gateway {
    /// Links the running incarnation of the actor with a name to one of the peer.
    pub(super) fn link(&mut self, peer: &Arc<Peer>, id: u64, name: &str) {
        let Some((handle, system)) = self.exposed_handle(name) else {
            return peer.with(|link| link.queue(down(id, &ExitReason::NoProcess)));
        };
        if self.served(peer).len() >= self.node.config.max_served {
            return peer.with(|link| link.queue(Header::Refused { id, outcome: Outcome::Busy }));
        }
        // Set before the link, so the end of the incarnation that is linked is never missed.
        let monitor = handle.monitor();
        let end = handle.pid().and_then(|pid| OutsideLink::new(&system, &handle, pid));
        let Some(end) = end.map(Arc::new) else {
            return peer.with(|link| link.queue(down(id, &ExitReason::NoProcess)));
        };
        let (to, linked) = (peer.clone(), end.clone());
        let task = async move {
            let reason = monitor.await.reason;
            // The incarnation may have been the one before that which is linked.
            linked.unlink();
            send(&to, down(id, &reason)).await;
        };
        self.served(peer).spawn_link(id, end, task);
    }
}

fn down(id: u64, reason: &ExitReason) -> Header {
    Header::Down { id, reason: reason.into() }
}
