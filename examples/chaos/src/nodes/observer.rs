//! What a node notices of the others: events, and the ends of monitors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::Subscription;
use perennial::cluster::{Node, NodeEvent, NodeName, RemoteAddress};
use tokio::time::sleep;

use super::journal::{Entry, Journal};
use super::message::{HASHER, Job};

/// How many monitors a node has of each other node at a time.
pub const MONITORS: usize = 2;

/// The pause before a monitor is begun.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes the events of a node down.
pub async fn follow(mut events: Subscription<NodeEvent>, journal: Arc<Journal>) {
    while let Some(event) = events.next().await {
        let entry = match event {
            NodeEvent::Up(node) => Entry::Up(node.to_string()),
            NodeEvent::Down(node) => Entry::Down(node.to_string()),
            NodeEvent::Lost { node, packets } => Entry::Lost { to: node.to_string(), packets },
            NodeEvent::Refused { node, reason, .. } => {
                Entry::NotDelivered { from: node.to_string(), reason: reason.to_string() }
            }
            _ => continue,
        };
        journal.note(entry);
    }
}

/// Monitors the hasher of another node, again and again.
pub async fn monitor(node: Node, other: NodeName, numbers: Arc<AtomicU64>, journal: Arc<Journal>) {
    let hasher: RemoteAddress<Job> = node.at(&other, HASHER);
    loop {
        sleep(PAUSE).await;
        let Some(of) = boot(&node, &other) else { continue };
        let begun = hasher.monitor();
        // Otherwise it may be that of another boot.
        if boot(&node, &other).as_ref() != Some(&of) {
            continue;
        }
        let monitor = numbers.fetch_add(1, Ordering::Relaxed);
        journal.note(Entry::Monitoring { monitor, of });
        let reason = begun.await.reason.to_string();
        journal.note(Entry::Ended { monitor, reason });
    }
}

/// Returns the boot of a node that there is a connection to.
fn boot(node: &Node, other: &NodeName) -> Option<String> {
    let found = node.peers().into_iter().find(|peer| peer.is_up && peer.node.name == *other);
    found.map(|peer| peer.node.to_string())
}
