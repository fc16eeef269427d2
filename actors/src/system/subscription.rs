//! A stream of things that happened, from a ring that never makes the one who tells wait.

use std::sync::OnceLock;

use tokio::sync::broadcast::{self, error};

/// How far a subscriber may fall behind before it misses the oldest.
const RING: usize = 4096;

/// Where things are told. Costs nothing until somebody subscribes.
#[derive(Debug)]
pub struct Broadcast<T>(OnceLock<broadcast::Sender<T>>);

impl<T: Clone> Broadcast<T> {
    /// A topic without subscribers.
    #[must_use]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What is told from now on.
    pub fn subscribe(&self) -> Subscription<T> {
        let sender = self.0.get_or_init(|| broadcast::channel(RING).0);
        Subscription { receiver: sender.subscribe(), missed: 0 }
    }

    /// Whether anybody has subscribed who has not gone since.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells whoever has subscribed; never waits. `thing` is made only if there is anybody.
    pub fn tell(&self, thing: impl FnOnce() -> T) {
        if let Some(sender) = self.0.get() {
            // An error means that every subscriber is gone by now.
            let _ = sender.send(thing());
        }
    }
}

impl<T: Clone> Default for Broadcast<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A subscription to events or dead letters, from the moment it was made.
///
/// Its ring holds 4,096 things. A subscriber that falls further behind misses the oldest, and [`missed`](Self::missed)
/// says how many; it never slows down the actors.
#[derive(Debug)]
pub struct Subscription<T> {
    receiver: broadcast::Receiver<T>,
    missed: u64,
}

impl<T: Clone> Subscription<T> {
    /// Waits for the next one; `None` once the system is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        loop {
            match self.receiver.recv().await {
                Ok(thing) => return Some(thing),
                Err(error::RecvError::Lagged(missed)) => self.missed += missed,
                Err(error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next one, if it is there already.
    pub fn try_next(&mut self) -> Option<T> {
        loop {
            match self.receiver.try_recv() {
                Ok(thing) => return Some(thing),
                Err(error::TryRecvError::Lagged(missed)) => self.missed += missed,
                Err(error::TryRecvError::Empty | error::TryRecvError::Closed) => return None,
            }
        }
    }

    /// How many were missed so far for being slow.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}
