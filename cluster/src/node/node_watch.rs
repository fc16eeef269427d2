//! The nodes that come and go.

use std::fmt;
use std::sync::Arc;

use super::state::NodeState;
use crate::event::NodeEvent;
use crate::identity::NodeId;
use crate::watch::{Change, SetWatch};

/// The nodes that come and go, each in turn.
///
/// It has no other events, so none of these is missed for the sake of others. If changes are
/// missed, because they are read too slowly, those follow that lead to the nodes of now.
pub struct NodeWatch(SetWatch<NodeId>);

impl NodeWatch {
    pub(super) fn new(state: &Arc<NodeState>) -> Self {
        let changes = state.node_changes.subscribe();
        // The watch does not keep the node.
        let state = Arc::downgrade(state);
        let read = move || {
            let peers = state.upgrade().map(|state| state.peers()).unwrap_or_default().into_iter();
            let up = peers.filter(|peer| peer.with(|link| link.session.is_up()));
            up.map(|peer| peer.id.clone()).collect()
        };
        Self(SetWatch::new(changes, read, |_| true))
    }

    /// Returns the boots that are connected, by the changes that were read.
    #[must_use]
    pub fn up(&self) -> Vec<NodeId> {
        self.0.known().cloned().collect()
    }

    /// Waits for the next boot that comes, or goes: its connection is made, or lost. Of one boot
    /// both alternate. Returns `None` once the node is dropped.
    ///
    /// # Cancel safety
    ///
    /// No change is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        self.0.next().await.map(event_of)
    }

    /// Returns the next change if it has happened already, without waiting.
    pub fn try_next(&mut self) -> Option<NodeEvent> {
        self.0.try_next().map(event_of)
    }
}

fn event_of((id, is_up): Change<NodeId>) -> NodeEvent {
    if is_up { NodeEvent::Up(id) } else { NodeEvent::Down(id) }
}

impl fmt::Debug for NodeWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeWatch").field(&self.up()).finish()
    }
}
