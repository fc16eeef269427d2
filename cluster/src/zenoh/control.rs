//! The thread that opens a network, opens it again when it has to, and closes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use perennial_actors::host::ignore_panic;
use perennial_actors::host::sync::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::error::NetworkError;
use super::keys::Keys;
use super::network::Network;
use super::options;
use super::settings::{Limits, NetworkConfig};
use super::watchdog::{TICKS, Watchdog};
use crate::engine::Priority;
use crate::identity::{NodeId, NodeName};
use crate::inbox::Inbox;

/// What all sessions of an engine share.
pub(super) struct Shared {
    pub(super) config: NetworkConfig,
    pub(super) limits: Limits,
    pub(super) keys: Keys,
    pub(super) members: Mutex<MemberList>,
    /// One session is open at a time.
    pub(super) turn: Mutex<()>,
}

/// The nodes that may take part.
pub(super) struct MemberList {
    pub(super) names: BTreeSet<NodeName>,
    /// It grows with each change.
    pub(super) version: u64,
}

/// What a session and its thread share.
pub(super) struct Control {
    shared: Arc<Shared>,
    own: NodeId,
    inbox: Inbox,
    /// None while there is no session of zenoh.
    network: Mutex<Option<Arc<Network>>>,
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>, own: NodeId, inbox: Inbox) -> Self {
        let (network, is_over) = (Mutex::new(None), Mutex::new(false));
        Self { shared, own, inbox, network, is_over, changed: Condvar::default() }
    }

    /// Sends a packet without waiting. What comes while there is no session is dropped.
    pub(super) fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>) {
        let network = self.network.lock().clone();
        if let Some(network) = network {
            network.send(to, priority, packet);
        }
    }

    /// Lets the thread end.
    pub(super) fn end(&self) {
        *self.is_over.lock() = true;
        self.changed.notify_one();
    }

    /// Runs the thread.
    pub(super) fn run(&self, opened: oneshot::Sender<Result<(), NetworkError>>) {
        // A node that is restarted may have the addresses once the session before has ended.
        let _turn = self.shared.turn.lock();
        if *self.is_over.lock() {
            return;
        }
        let mut members = self.shared.members.lock().version;
        let result = self.open();
        let is_open = result.is_ok();
        if opened.send(result).is_ok() && is_open {
            let mut watchdog = Watchdog::new();
            while self.wait() {
                let latest = self.shared.members.lock().version;
                if self.must_reopen(&mut watchdog) || latest != members {
                    members = latest;
                    self.close();
                    // An address may be taken for a while. Then it is tried again.
                    drop(self.open());
                }
            }
        }
        self.close();
    }

    /// Waits for a tick. Returns `false` if the session is over.
    fn wait(&self) -> bool {
        let is_over = self.is_over.lock();
        !*is_over && !*self.changed.wait_timeout(is_over, self.shared.limits.lease / TICKS)
    }

    fn must_reopen(&self, watchdog: &mut Watchdog) -> bool {
        let network = self.network.lock().clone();
        network.is_none_or(|network| network.is_closed() || watchdog.must_reopen(&network.tick()))
    }

    fn open(&self) -> Result<(), NetworkError> {
        let shared = &self.shared;
        let members = shared.members.lock().names.clone();
        let config = options::config(&shared.config, &shared.limits, &shared.keys, &self.own.name, &members)?;
        // What an earlier connection has left, and what the present one has on the way.
        let max_queued = shared.limits.window.max(shared.limits.max_packet).saturating_mul(2);
        let (keys, own, inbox) = (shared.keys.clone(), self.own.clone(), self.inbox.clone());
        let mut opened = None;
        ignore_panic(|| opened = Some(Network::open(config, keys, own, inbox, max_queued)));
        let network = opened.unwrap_or_else(|| Err(NetworkError::Zenoh("it has panicked".to_owned())))?;
        *self.network.lock() = Some(Arc::new(network));
        Ok(())
    }

    fn close(&self) {
        let network = self.network.lock().take();
        if let Some(network) = network {
            network.close();
        }
    }
}
