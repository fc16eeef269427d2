//! Unique names: of several nodes that have one, that with the oldest binding keeps it.
//!
//! Each node judges its own claims only, by the names that it knows of the others. All nodes order
//! bindings in the same way, so of two nodes that see each other exactly one gives up.

use std::sync::Arc;

use perennial_actors::host::{catch_panic, ignore_panic};

use super::gateway::Gateway;
use crate::event::NodeEvent;
use crate::expose::Expose;
use crate::identity::NodeId;
use crate::unique::NameLost;

impl Gateway {
    /// Gives a unique name up if a node has an older binding of it.
    pub(super) fn settle_claim(&self, name: &str) {
        let exposed = self.node.exposed.lock().get(name).filter(|exposed| exposed.is_unique()).cloned();
        let own = self.node.names.lock().get(name).map(|bound_at| (bound_at, self.node.own.clone()));
        let (Some(exposed), Some(own)) = (exposed, own) else { return };
        let oldest = self.node.peers().into_iter().filter_map(|peer| {
            peer.with(|link| link.names.get(name).map(|bound_at| (bound_at, peer.id.clone())))
        });
        if let Some((_, winner)) = oldest.min().filter(|oldest| *oldest < own) {
            self.lose_name(name, &exposed, winner);
        }
    }

    fn lose_name(&self, name: &str, exposed: &Arc<dyn Expose>, winner: NodeId) {
        let mut all = self.node.exposed.lock();
        let is_same = all.get(name).is_some_and(|now| Arc::ptr_eq(now, exposed));
        let removed = if is_same { all.remove(name) } else { None };
        drop(all);
        if removed.is_none() {
            return;
        }
        self.refresh_name(name);
        let lost = NameLost { name: name.to_owned(), node: winner.name };
        self.node.publish(NodeEvent::NameLost { name: lost.name.clone(), node: lost.node.clone() });
        if let Some(system) = self.node.system.get() {
            // It makes a message, and wakes the actor: both run foreign code.
            drop(catch_panic(Some(system), || exposed.lose(system, lost)));
        }
        ignore_panic(|| drop(removed));
    }
}
