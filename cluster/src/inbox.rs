//! What an engine gives to its node: a bounded queue that never makes the engine wait.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::sync::Arc;

use perennial_actors::host::sync::Mutex;
use tokio::sync::Notify;

use crate::identity::NodeId;

/// The bytes that a packet takes beside its own.
const OVERHEAD: usize = 64;

/// The most bytes that a node takes at once, and one piece more.
const BATCH_BYTES: usize = 256 * 1024;

/// One boot may take this part of the inbox.
const SHARE: usize = 4;

/// The inbox of a node. Its clones are the same inbox.
#[derive(Clone)]
pub struct Inbox(Arc<InboxState>);

struct InboxState {
    queue: Mutex<Queue>,
    arrived: Notify,
    max_bytes: usize,
}

#[derive(Default)]
struct Queue {
    packets: VecDeque<(NodeId, Vec<u8>)>,
    bytes: usize,
    /// The part of each boot.
    bytes_of: BTreeMap<NodeId, usize>,
    refused: u64,
    presence: BTreeMap<NodeId, Presence>,
}

/// What the engine has said of a boot since the node has read it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Presence {
    /// It is there now.
    pub(crate) is_up: bool,
    /// It was gone in between.
    pub(crate) was_gone: bool,
}

/// What has arrived.
pub(crate) struct Arrived {
    pub(crate) presence: BTreeMap<NodeId, Presence>,
    pub(crate) packets: VecDeque<(NodeId, Vec<u8>)>,
    /// The packets that were refused because the inbox was full.
    pub(crate) refused: u64,
}

impl Inbox {
    /// Creates an inbox of at most so many bytes, of which one boot may take a quarter. Each packet
    /// counts 64 bytes more than it has. A node makes its own; this is for the tests of an engine.
    #[must_use]
    pub fn bounded(max_bytes: usize) -> Self {
        let (queue, arrived) = (Mutex::new(Queue::default()), Notify::new());
        Self(Arc::new(InboxState { queue, arrived, max_bytes }))
    }

    /// Returns the largest packet that one boot can put into an inbox of this size.
    pub(crate) const fn max_packet(max_bytes: usize) -> usize {
        (max_bytes / SHARE).saturating_sub(OVERHEAD)
    }

    /// Reports that a boot is there, with which packets can be exchanged.
    pub fn node_up(&self, node: NodeId) {
        self.set_presence(node, true);
    }

    /// Reports that a boot is gone, or has not been heard of for the lease.
    pub fn node_down(&self, node: NodeId) {
        self.set_presence(node, false);
    }

    fn set_presence(&self, node: NodeId, is_up: bool) {
        let mut queue = self.0.queue.lock();
        let presence = queue.presence.entry(node).or_insert(Presence { is_up, was_gone: false });
        presence.was_gone |= !is_up;
        presence.is_up = is_up;
        drop(queue);
        self.0.arrived.notify_one();
    }

    /// Adds a packet, without waiting. Returns `false` if the inbox, or the part of the boot, is
    /// full: the packet is dropped and counted, and the node notices the gap.
    pub fn packet(&self, from: NodeId, packet: Vec<u8>) -> bool {
        let cost = packet.len().saturating_add(OVERHEAD);
        let mut queue = self.0.queue.lock();
        let part = queue.bytes_of.get(&from).copied().unwrap_or(0);
        let is_accepted = queue.bytes.saturating_add(cost) <= self.0.max_bytes
            && part.saturating_add(cost) <= self.0.max_bytes / SHARE;
        if is_accepted {
            queue.bytes += cost;
            queue.bytes_of.insert(from.clone(), part + cost);
            queue.packets.push_back((from, packet));
        } else {
            queue.refused += 1;
        }
        drop(queue);
        self.0.arrived.notify_one();
        is_accepted
    }

    /// Waits until something has arrived, and takes it: at most so many packets, of about
    /// [`BATCH_BYTES`] at most.
    pub(crate) async fn next(&self, max_packets: usize) -> Arrived {
        loop {
            let arrived = self.take(max_packets);
            if !arrived.presence.is_empty() || !arrived.packets.is_empty() || arrived.refused > 0 {
                return arrived;
            }
            self.0.arrived.notified().await;
        }
    }

    /// Returns `true` if more packets have arrived already.
    pub(crate) fn has_more(&self) -> bool {
        !self.0.queue.lock().packets.is_empty()
    }

    fn take(&self, max_packets: usize) -> Arrived {
        let mut queue = self.0.queue.lock();
        let mut bytes = 0_usize;
        let fits = |(_, packet): &&(NodeId, Vec<u8>)| {
            let has_room = bytes < BATCH_BYTES;
            bytes += packet.len();
            has_room
        };
        let taken = queue.packets.iter().take(max_packets).take_while(fits).count();
        let packets: VecDeque<_> = queue.packets.drain(..taken).collect();
        for (from, packet) in &packets {
            let cost = packet.len().saturating_add(OVERHEAD);
            queue.bytes -= cost;
            let part = queue.bytes_of.get(from).copied().unwrap_or(0).saturating_sub(cost);
            if part == 0 {
                queue.bytes_of.remove(from);
            } else {
                queue.bytes_of.insert(from.clone(), part);
            }
        }
        let (presence, refused) = (mem::take(&mut queue.presence), mem::take(&mut queue.refused));
        Arrived { presence, packets, refused }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.0.queue.lock();
        f.debug_struct("Inbox").field("bytes", &queue.bytes).field("packets", &queue.packets.len()).finish()
    }
}
