//! The record of a boot: one lock, and what happens once it is free.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::Mutex;
use tokio::sync::Notify;

use super::link::Link;
use crate::config::NodeConfig;
use crate::engine::EngineSession;
use crate::event::PeerInfo;
use crate::identity::NodeId;

/// The packets that a thread gives to the engine as prompt ones.
const FEW: usize = 8;

/// A boot of another node. It is replaced when the node is started again.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    link: Mutex<Link>,
    /// The window has more room, or the connection was lost.
    has_room: Notify,
    /// Senders that wait for room do so in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

impl Peer {
    /// Creates the record of a boot. The epochs of this side begin with `epoch`.
    pub(crate) fn new(id: NodeId, config: &NodeConfig, epoch: u64) -> Self {
        let (has_room, turn) = (Notify::new(), tokio::sync::Mutex::new(()));
        Self { id, link: Mutex::new(Link::new(config, epoch)), has_room, turn }
    }

    /// Reads or changes the link under its lock. What follows happens once the lock is free: those
    /// that wait for room are woken, and packets are given to the engine.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Link) -> R) -> R {
        let mut link = self.link.lock();
        let result = change(&mut link);
        let has_more_room = std::mem::take(&mut link.has_more_room);
        // A thread that is sending takes what was added.
        let must_send = !link.outbox.is_empty() && !link.is_sending;
        drop(link);
        if has_more_room {
            ignore_panic(|| self.has_room.notify_waiters());
        }
        if must_send {
            self.transmit();
        }
        result
    }

    /// Gives the packets to the engine. One thread does so at a time, so they leave in order.
    fn transmit(&self) {
        let mut link = self.link.lock();
        if link.is_sending {
            return;
        }
        link.is_sending = true;
        // Neither many packets nor what others add meanwhile hold up this thread: the engine has
        // its own, which joins them.
        let mut is_first = true;
        loop {
            let packets = std::mem::take(&mut link.outbox);
            if packets.is_empty() {
                link.is_sending = false;
                return;
            }
            let engine = link.engine.clone();
            drop(link);
            let is_little = is_first && packets.len() <= FEW;
            is_first = false;
            if let Some(engine) = engine {
                for (priority, packet) in packets {
                    let priority = if is_little { priority } else { priority.without_haste() };
                    ignore_panic(|| engine.send(&self.id, priority, packet));
                }
                ignore_panic(|| drop(engine));
            }
            link = self.link.lock();
        }
    }

    /// Makes attempts to send until one does not find the window full. The sender that has waited
    /// longest goes first. `Continue` gives the input of the next attempt.
    pub(crate) async fn when_room<I, O>(
        &self,
        mut input: I,
        attempt: impl Fn(&mut Link, I) -> ControlFlow<O, I>,
    ) -> O {
        let mut waiting = None;
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                waiting = Some(Waiting::new(self));
                self.turn.lock().await
            }
        };
        loop {
            let mut room = pin!(self.has_room.notified());
            // Registered before the attempt, so credit in between is not missed.
            room.as_mut().enable();
            let is_counted = waiting.is_some();
            let attempted = self.with(|link| {
                let attempted = attempt(link, input);
                link.waiting += usize::from(attempted.is_continue() && !is_counted);
                attempted
            });
            match attempted {
                ControlFlow::Break(output) => return output,
                ControlFlow::Continue(next) => input = next,
            }
            if waiting.is_none() {
                waiting = Some(Waiting(self));
            }
            room.await;
        }
    }

    /// Sets the session of the engine that sends to the boot. A session is closed when no peer has
    /// it.
    pub(crate) fn set_engine(&self, engine: Option<Arc<dyn EngineSession>>) {
        let before = self.with(|link| std::mem::replace(&mut link.engine, engine));
        ignore_panic(|| drop(before));
    }

    /// Returns how many packets of the stream were sent, received and lost since the last call.
    #[cfg(feature = "metrics")]
    pub(crate) fn take_traffic(&self) -> [u64; 3] {
        self.with(|link| {
            let now = [link.out.sent(), link.incoming.received(), link.out.lost()];
            let before = std::mem::replace(&mut link.published, now);
            [0, 1, 2].map(|at| now[at].saturating_sub(before[at]))
        })
    }

    pub(crate) fn info(&self) -> PeerInfo {
        self.with(|link| PeerInfo {
            node: self.id.clone(),
            is_up: link.session.is_up(),
            round_trip: link.round_trip,
            window_used: link.out.bytes_on_the_way(),
            sent: link.out.sent(),
            lost: link.out.lost(),
            unconfirmed: link.out.packets_on_the_way(),
            received: link.incoming.received(),
            pending: link.pending.len(),
            names: link.names.iter().count(),
        })
    }
}

/// A sender that waits for room. A message that is sent without waiting does not overtake it.
struct Waiting<'a>(&'a Peer);

impl<'a> Waiting<'a> {
    fn new(peer: &'a Peer) -> Self {
        peer.with(|link| link.waiting += 1);
        Self(peer)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.with(|link| link.waiting -= 1);
    }
}
