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

/// The most bytes that are sent in one piece, unless one packet has more. Two fit into a batch of
/// zenoh.
const PIECE: usize = 31 * 1024;

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
    /// A caller may send what is given back to it.
    is_direct: bool,
    /// Something is being sent, and the next has to wait.
    is_sending: bool,
    /// The thread that sends sleeps.
    is_asleep: bool,
}

#[derive(Default)]
struct PacketQueue {
    packets: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// What becomes of a packet.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Pushed {
    /// It waits for the thread.
    Waits,
    /// There is no room for it, or the queue is closed.
    Dropped,
    /// The caller has to send it, and to report that it [has](SendQueue::sent).
    Direct(Vec<u8>),
}

impl SendQueue {
    /// Creates a queue of so many bytes for each priority. A packet that is larger may wait alone.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { queues: Mutex::new(Queues::default()), changed: Condvar::default(), max_bytes }
    }

    /// Lets callers send what is urgent or prompt, if nothing is before it.
    pub(super) fn allow_direct(&self) {
        self.queues.lock().is_direct = true;
    }

    /// Adds a packet, or gives it back to the caller to be sent.
    pub(super) fn push(&self, priority: Priority, packet: Vec<u8>) -> Pushed {
        let mut queues = self.queues.lock();
        if queues.is_closed {
            return Pushed::Dropped;
        }
        if priority != Priority::Stream && queues.is_direct && !queues.is_sending && queues.is_empty() {
            queues.is_sending = true;
            return Pushed::Direct(packet);
        }
        let is_accepted = queues.of(priority).push(packet, self.max_bytes);
        let must_wake = queues.must_wake();
        drop(queues);
        if must_wake {
            self.changed.notify_one();
        }
        if is_accepted { Pushed::Waits } else { Pushed::Dropped }
    }

    /// Waits for packets, and takes those of one priority that fit into a piece, one after the
    /// other: urgent ones first. They have to be sent, and [reported](Self::sent). Returns `None`
    /// once the queue is closed and nothing is being sent.
    pub(super) fn next(&self) -> Option<(Priority, Vec<u8>)> {
        let mut patience = PATIENCE;
        let mut queues = self.queues.lock();
        while !queues.is_closed || queues.is_sending {
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

    /// Reports that what was taken, or given back, is sent.
    pub(super) fn sent(&self) {
        let mut queues = self.queues.lock();
        queues.is_sending = false;
        let must_wake = queues.must_wake();
        drop(queues);
        if must_wake {
            self.changed.notify_one();
        }
    }

    /// Drops what waits, and refuses what comes.
    pub(super) fn close(&self) {
        let mut queues = self.queues.lock();
        let is_sending = queues.is_sending;
        *queues = Queues { is_closed: true, is_sending, ..Queues::default() };
        drop(queues);
        self.changed.notify_one();
    }
}

impl Queues {
    const fn of(&mut self, priority: Priority) -> &mut PacketQueue {
        match priority {
            Priority::Urgent => &mut self.urgent,
            Priority::Prompt | Priority::Stream => &mut self.stream,
        }
    }

    fn is_empty(&self) -> bool {
        self.urgent.packets.is_empty() && self.stream.packets.is_empty()
    }

    /// Returns `true` if nothing is urgent, and there is less than a piece.
    fn may_wait(&self) -> bool {
        self.urgent.packets.is_empty() && self.stream.bytes < PIECE
    }

    /// Returns `true` if the thread sleeps and has something to do, once: to wake it costs as much
    /// as to send a packet.
    fn must_wake(&mut self) -> bool {
        let has_work = self.is_closed || !self.is_empty();
        has_work && !self.is_sending && mem::take(&mut self.is_asleep)
    }

    fn take_piece(&mut self) -> Option<(Priority, Vec<u8>)> {
        if self.is_sending {
            return None;
        }
        let piece = [Priority::Urgent, Priority::Stream]
            .into_iter()
            .find_map(|priority| Some((priority, self.of(priority).pop_piece()?)));
        self.is_sending = piece.is_some();
        piece
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
