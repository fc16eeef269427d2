//! The node of a name is always its oldest boot.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::identity::{Boot, NodeId, NodeName};
use crate::membership::{Change, Membership};

fn node(name: &str, started: u64) -> NodeId {
    NodeId { name: NodeName::new(name).unwrap(), boot: Boot { started, random: 0 } }
}

proptest! {
    #[test]
    fn connected_boots_are_the_oldest_that_are_present(
        steps in prop::collection::vec((0u64..3, 0u64..4, any::<bool>()), 0..80)
    ) {
        let mut membership = Membership::new(node("own", 2));
        let (mut present, mut connected) = (BTreeSet::new(), BTreeMap::new());
        for (name, started, comes) in steps {
            let node = node(&format!("n{name}"), started);
            let changes = if comes {
                present.insert(node.clone());
                membership.add(&node)
            } else {
                present.remove(&node);
                membership.remove(&node)
            };
            for change in changes {
                match change {
                    Change::Connect(id) => {
                        prop_assert!(connected.insert(id.name.clone(), id).is_none(), "connected twice");
                    }
                    Change::Disconnect(id) => prop_assert_eq!(connected.remove(&id.name), Some(id)),
                    Change::NameTaken(_) | Change::NameFree => prop_assert!(false, "{:?}", change),
                }
            }
            let mut oldest: BTreeMap<NodeName, NodeId> = BTreeMap::new();
            for id in &present {
                oldest.entry(id.name.clone()).or_insert_with(|| id.clone());
            }
            prop_assert_eq!(&connected, &oldest);
        }
    }
}

#[test]
fn older_boot_with_the_own_name_takes_it_and_a_younger_does_not() {
    let own = node("own", 2);
    let mut membership = Membership::new(own.clone());
    assert_eq!(membership.add(&own), []);
    assert_eq!(membership.add(&node("own", 3)), []);
    let older = node("own", 1);
    assert_eq!(membership.add(&older), [Change::NameTaken(older.clone())]);
    assert_eq!(membership.add(&older), []);
    let oldest = node("own", 0);
    assert_eq!(membership.add(&oldest), [], "it is taken already");
    assert_eq!(membership.remove(&oldest), []);
    assert_eq!(membership.remove(&older), [Change::NameFree]);
}

#[test]
fn restarted_node_is_connected_once_its_older_boot_is_gone() {
    let mut membership = Membership::new(node("own", 1));
    let (old, new) = (node("shop", 5), node("shop", 6));
    assert_eq!(membership.add(&old), [Change::Connect(old.clone())]);
    assert_eq!(membership.add(&new), []);
    assert_eq!(membership.remove(&old), [Change::Disconnect(old), Change::Connect(new)]);
}
