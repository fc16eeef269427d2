//! The records of the other nodes that a node keeps.

use std::sync::Arc;

use super::state::NodeState;
use crate::config::NodeConfig;
use crate::engine::{EngineSession, Priority};
use crate::identity::{Boot, NodeId, NodeName};
use crate::memory::MemoryNetwork;

struct Silent;

impl EngineSession for Silent {
    fn send(&self, _: &NodeId, _: Priority, _: Vec<u8>) {}
}

fn node(name: &str, started: u64) -> NodeId {
    NodeId { name: NodeName::new(name).expect("a name"), boot: Boot { started, random: 0 } }
}

#[test]
fn record_that_was_dropped_begins_after_its_epochs_and_one_that_is_kept_goes_on() {
    let engine = Arc::new(MemoryNetwork::new(1).engine());
    let state = NodeState::new(node("a", 1), NodeConfig::default(), engine);
    let session: Arc<dyn EngineSession> = Arc::new(Silent);
    let epoch = |id: &NodeId| state.add_peer(id, &session).with(|link| link.session.tags(0).epoch);
    let first = node("b", 0);
    for _ in 0..5 {
        state.add_peer(&first, &session).with(|link| link.end());
        state.remove_peer(&first.name);
    }
    assert_eq!(epoch(&first), 6, "the same record");
    state.remove_peer(&first.name);
    for started in 1..400 {
        let other = node("b", started);
        assert!(epoch(&other) >= 1);
        state.remove_peer(&other.name);
    }
    assert_eq!(epoch(&first), 7, "another record, after the epochs of the one that was dropped");
}
