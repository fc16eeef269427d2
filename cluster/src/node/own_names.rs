//! The names of this node, as its registry has them, and the news of them for the peers.
//!
//! Only the gateway changes the table, so the peers are told in the order of its versions.

use super::builder::millis;
use super::gateway::Gateway;
use crate::names::ViewChange;
use crate::peer::Peer;
use crate::wire::Header;

/// The bytes of the names in one packet, about.
const PART: usize = 16 * 1024;

impl Gateway {
    /// Looks up each exposed name, and tells the peers what has changed.
    pub(super) fn refresh_names(&self) {
        let names: Vec<String> = self.node.exposed.lock().keys().cloned().collect();
        names.iter().for_each(|name| self.refresh_name(name));
    }

    /// Looks up a name, and tells the peers if it was bound or unbound.
    pub(super) fn refresh_name(&self, name: &str) {
        let exposed = self.node.exposed.lock().get(name).cloned();
        let Some(system) = self.node.system.get() else { return };
        let is_bound = exposed.is_some_and(|exposed| exposed.is_bound(system));
        let mut names = self.node.names.lock();
        let delta = match (is_bound, names.get(name).is_some()) {
            (true, false) => Some(names.set(name, self.node.clock.lock().next(millis()))),
            (false, true) => names.remove(name),
            _ => None,
        };
        drop(names);
        if let Some(delta) = delta {
            for peer in self.node.peers() {
                peer.with(|link| link.queue(Header::Names(delta.clone())));
            }
            let (name, own) = (name.to_owned(), &self.node.own.name);
            let change = if is_bound { ViewChange::Added(name) } else { ViewChange::Removed(name) };
            self.node.publish_name(own, change);
        }
        if is_bound {
            self.settle_claim(name);
        }
    }

    /// Sends all names to a peer.
    pub(super) fn send_names(&self, peer: &Peer) {
        let parts = self.node.names.lock().snapshot(PART);
        peer.with(|link| parts.into_iter().for_each(|part| link.queue(Header::Snapshot(part))));
    }
}
