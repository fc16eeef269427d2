//! What waits to be sent to one peer: a queue with a bound, so that neither a caller nor another
//! peer waits for this one.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::mem;
use std::time::Duration;

use perennial_actors::host::sync::{Condvar, Mutex};

use crate::engine::Priority;

/// How long a thread sleeps that is not woken.
const NAP: Duration = Duration::from_secs(60);

/// The most bytes that are sent in one piece, unless one packet has more.
const PIECE: usize = 32 * 1024;

/// How often the thread looks again, each after a microsecond or less, before it sends a part of a
/// piece or sleeps: the packets that come meanwhile share the cost of a piece.
const PATIENCE: u32 = 8;
const SPINS: u32 = 32;

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
    /// The thread that sends sleeps.
    is_asleep: bool,
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

    /// Adds a packet, unless there is no room for it or the queue is closed. Returns `true` if it
    /// was added.
    pub(super) fn push(&self, priority: Priority, packet: Vec<u8>) -> bool {
        let mut queues = self.queues.lock();
        let is_accepted = !queues.is_closed && queues.of(priority).push(packet, self.max_bytes);
        // To wake the thread costs as much as to send a packet.
        let must_wake = is_accepted && mem::take(&mut queues.is_asleep);
        drop(queues);
        if must_wake {
            self.changed.notify_one();
        }
        is_accepted
    }

    /// Waits for packets, and takes those of one priority that fit into a piece, one after the
    /// other: urgent ones first. Returns `None` once the queue is closed.
    pub(super) fn next(&self) -> Option<(Priority, Vec<u8>)> {
        let mut patience = PATIENCE;
        let mut queues = self.queues.lock();
        while !queues.is_closed {
            if patience > 0 && queues.may_wait() {
                drop(queues);
                patience -= 1;
                (0..SPINS).for_each(|_| spin_loop());
                queues = self.queues.lock();
                continue;
            }
            if let Some(piece) = queues.take_piece() {
                return Some(piece);
            }
            queues.is_asleep = true;
            queues = self.changed.wait_timeout(queues, NAP);
            queues.is_asleep = false;
            patience = PATIENCE;
        }
        None
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

    /// Returns `true` if nothing is urgent, and there is less than a piece.
    fn may_wait(&self) -> bool {
        self.urgent.packets.is_empty() && self.stream.bytes < PIECE
    }

    fn take_piece(&mut self) -> Option<(Priority, Vec<u8>)> {
        [Priority::Urgent, Priority::Stream]
            .into_iter()
            .find_map(|priority| Some((priority, self.of(priority).pop_piece()?)))
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

    fn pop_piece(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.packets.front()?.len();
        let mut count = 1;
        while let Some(next) = self.packets.get(count).filter(|next| bytes + next.len() <= PIECE) {
            bytes += next.len();
            count += 1;
        }
        self.bytes -= bytes;
        if count == 1 {
            return self.packets.pop_front();
        }
        let mut piece = Vec::with_capacity(bytes);
        self.packets.drain(..count).for_each(|packet| piece.extend_from_slice(&packet));
        Some(piece)
    }
}
