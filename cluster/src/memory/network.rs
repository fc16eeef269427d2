//! The network as its users hold it, and the task that lets things happen in time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::state::State;
use crate::engine::{Engine, EngineSession, OpenFuture, Priority};
use crate::identity::{NodeId, NodeName};
use crate::inbox::Inbox;

/// A network in memory. Its clones are the same network.
///
/// # Examples
///
/// ```
/// use perennial_cluster::MemoryNetwork;
///
/// let network = MemoryNetwork::new(7);
/// let (shop, bank) = (network.engine(), network.engine());
/// # drop((shop, bank));
/// ```
#[derive(Clone)]
pub struct MemoryNetwork(Arc<SharedNetwork>);

struct SharedNetwork {
    state: Mutex<State>,
    changed: Notify,
}

impl MemoryNetwork {
    /// Creates a network without nodes. Its delays, and what it loses, follow from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(SharedNetwork { state: Mutex::new(State::new(seed)), changed: Notify::new() }))
    }

    /// Sets the mean delay of a packet. The default is 2 milliseconds.
    pub fn set_delay(&self, delay: Duration) {
        self.0.state.lock().delay = delay;
    }

    /// Sets how long a node is seen that is not heard. The default is 2 seconds.
    pub fn set_lease(&self, lease: Duration) {
        self.0.state.lock().lease = lease;
    }

    /// Returns an engine for a node in this network.
    #[must_use]
    pub fn engine(&self) -> MemoryEngine {
        MemoryEngine(self.clone())
    }

    /// Blocks the way from one node to another: its packets wait. Once the lease has passed, both
    /// see each other go.
    pub fn cut(&self, from: &NodeName, to: &NodeName) {
        self.change(|state, now| state.set_cut(from, to, true, now));
    }

    /// Opens the way from one node to another. Packets that have waited for longer than the lease
    /// are lost, or arrive late and in any order.
    pub fn heal(&self, from: &NodeName, to: &NodeName) {
        self.change(|state, now| state.set_cut(from, to, false, now));
    }

    /// Blocks all ways from and to a node, as if its process had been stopped.
    pub fn freeze(&self, node: &NodeName) {
        self.change(|state, now| state.set_frozen(node, true, now));
    }

    /// Opens the ways from and to a node.
    pub fn thaw(&self, node: &NodeName) {
        self.change(|state, now| state.set_frozen(node, false, now));
    }

    /// Removes all boots of a node from the network, as if its process had been killed. What they
    /// have sent and has not arrived is lost.
    pub fn kill(&self, node: &NodeName) {
        self.change(|state, now| {
            for boot in state.boots(node) {
                state.leave(&boot, now);
            }
        });
    }

    /// Removes all boots of a node from the network, as if its machine had lost its power. The
    /// other nodes see them until the lease has passed, and so does a new boot.
    pub fn crash(&self, node: &NodeName) {
        self.change(|state, now| {
            for boot in state.boots(node) {
                state.crash(&boot, now);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State, Instant)) {
        change(&mut self.0.state.lock(), Instant::now());
        self.0.changed.notify_one();
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryNetwork(..)")
    }
}

/// The engine of one node in a [`MemoryNetwork`].
#[derive(Clone, Debug)]
pub struct MemoryEngine(MemoryNetwork);

impl Engine for MemoryEngine {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            self.0.change(|state, now| state.join(&own, inbox, now));
            // Each session has a task that lets happen what is due: whichever comes first does it.
            let task = tokio::spawn(run(self.0.clone()));
            let session: Box<dyn EngineSession> =
                Box::new(MemorySession { network: self.0.clone(), own, task: task.abort_handle() });
            Ok(session)
        })
    }
}

struct MemorySession {
    network: MemoryNetwork,
    own: NodeId,
    task: tokio::task::AbortHandle,
}

impl EngineSession for MemorySession {
    fn send(&self, to: &NodeId, _: Priority, packet: Vec<u8>) {
        self.network.change(|state, now| state.send((self.own.clone(), to.clone()), packet, now));
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.network.change(|state, now| state.leave(&self.own, now));
        self.task.abort();
    }
}

async fn run(network: MemoryNetwork) {
    loop {
        let next = network.0.deliver();
        let changed = network.0.changed.notified();
        match next {
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

impl SharedNetwork {
    /// Lets happen what is due. The inboxes get it without the lock: what waits for them is woken.
    /// One task at a time does so, so it arrives in order. Returns the time of the next event.
    fn deliver(&self) -> Option<Instant> {
        let mut state = self.state.lock();
        if !state.is_delivering {
            state.is_delivering = true;
            loop {
                let due = state.take_due(Instant::now());
                if due.is_empty() {
                    break;
                }
                drop(state);
                due.into_iter().for_each(|arrival| ignore_panic(|| arrival.hand_over()));
                state = self.state.lock();
            }
            state.is_delivering = false;
        }
        state.calendar.next_at()
    }
}
