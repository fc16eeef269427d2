//! What waits to be sent to one peer: a queue with a bound, so that neither a caller nor another
//! peer waits for this one.

use std::collections::VecDeque;
use std::time::Duration;

use perennial_actors::host::sync::{Condvar, Mutex};

use crate::engine::Priority;

/// How long a thread sleeps that is not woken.
const NAP: Duration = Duration::from_secs(60);

/// The packets that wait for a peer.
pub(super) struct SendQueue {
    queues: Mutex<Queues>,
    changed: Condvar,
    max_bytes: usize,
}

#[derive(Default)]
struct Queues {
    urgent: PacketQueue,
    stream: PacketQueue,
    is_closed: bool,
}

#[derive(Default)]
struct PacketQueue {
    packets: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl SendQueue {
    /// Creates a queue of so many bytes for each priority. A packet that is larger may wait alone.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { queues: Mutex::new(Queues::default()), changed: Condvar::default(), max_bytes }
    }

    /// Adds a packet. Returns `false` if it does not fit, and is dropped.
    pub(super) fn push(&self, priority: Priority, packet: Vec<u8>) -> bool {
        let mut queues = self.queues.lock();
        let is_accepted = !queues.is_closed && queues.of(priority).push(packet, self.max_bytes);
        drop(queues);
        self.changed.notify_one();
        is_accepted
    }

    /// Waits for a packet, and takes it: an urgent one first. Returns none once it is closed.
    pub(super) fn next(&self) -> Option<(Priority, Vec<u8>)> {
        let mut queues = self.queues.lock();
        loop {
            if queues.is_closed {
                return None;
            }
            for priority in [Priority::Urgent, Priority::Stream] {
                if let Some(packet) = queues.of(priority).pop() {
                    return Some((priority, packet));
                }
            }
            queues = self.changed.wait_timeout(queues, NAP);
        }
    }

    /// Drops what waits, and refuses what comes.
    pub(super) fn close(&self) {
        let mut queues = self.queues.lock();
        *queues = Queues { is_closed: true, ..Queues::default() };
        drop(queues);
        self.changed.notify_one();
    }
}

impl Queues {
    const fn of(&mut self, priority: Priority) -> &mut PacketQueue {
        match priority {
            Priority::Urgent => &mut self.urgent,
            Priority::Stream => &mut self.stream,
        }
    }
}

impl PacketQueue {
    fn push(&mut self, packet: Vec<u8>, max_bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(packet.len());
        let has_room = self.packets.is_empty() || bytes <= max_bytes;
        if has_room {
            self.bytes = bytes;
            self.packets.push_back(packet);
        }
        has_room
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }
}
