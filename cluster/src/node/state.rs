//! What the gateway, the handles and the remote addresses of a node share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use perennial_actors::System;
use perennial_actors::host::Broadcast;
use perennial_actors::host::sync::{Mutex, OnceLock};
use tokio::sync::Notify;

use crate::config::NodeConfig;
use crate::engine::{Engine, EngineSession};
use crate::error::NodeError;
use crate::event::NodeEvent;
use crate::expose::{Expose, ExposedGroup};
use crate::identity::{NodeId, NodeName};
use crate::names::{HybridClock, Key, MemberOf, NameTable, ViewChange, key};
use crate::peer::Peer;
use crate::watch::Change;

/// The boots that are gone of which the epochs and the account are kept.
const MAX_GONE: usize = 256;

/// A node. It outlives the incarnations of its gateway, so addresses and exposures stay valid.
pub(crate) struct NodeState {
    pub(crate) own: NodeId,
    pub(crate) config: NodeConfig,
    pub(crate) engine: Arc<dyn Engine>,
    /// The system of the first incarnation of the gateway.
    pub(crate) system: OnceLock<System>,
    pub(crate) exposed: Mutex<HashMap<String, Arc<dyn Expose>>>,
    /// A name was exposed.
    pub(crate) exposed_more: Notify,
    pub(crate) names: Mutex<NameTable>,
    /// The times of the bindings. It may be locked under any other lock.
    pub(crate) clock: Mutex<HybridClock>,
    peers: Mutex<Peers>,
    pub(crate) groups: Mutex<HashMap<String, ExposedGroup>>,
    pub(crate) events: Broadcast<NodeEvent>,
    pub(crate) node_changes: Broadcast<Change<NodeId>>,
    pub(crate) member_changes: Broadcast<Change<MemberOf>>,
    is_running: Mutex<bool>,
}

/// The other nodes.
#[derive(Default)]
struct Peers {
    present: BTreeMap<NodeName, Arc<Peer>>,
    /// The boots that the engine does not see any more, the latest last. If one of them comes back,
    /// its epochs and its account go on.
    gone: VecDeque<Arc<Peer>>,
    /// The latest epoch of this side in the records that were dropped. Later ones begin after it,
    /// so what is left of a connection in the network never belongs to a later one.
    dropped_epoch: u64,
}

impl NodeState {
    pub(crate) fn new(own: NodeId, config: NodeConfig, engine: Arc<dyn Engine>) -> Self {
        Self {
            own,
            config,
            engine,
            system: OnceLock::new(),
            exposed: Mutex::new(HashMap::new()),
            exposed_more: Notify::new(),
            names: Mutex::new(NameTable::default()),
            clock: Mutex::new(HybridClock::default()),
            peers: Mutex::new(Peers::default()),
            groups: Mutex::new(HashMap::new()),
            events: Broadcast::new(),
            node_changes: Broadcast::new(),
            member_changes: Broadcast::new(),
            is_running: Mutex::new(false),
        }
    }

    /// Returns the node of a name, if the engine sees one.
    pub(crate) fn peer(&self, name: &NodeName) -> Option<Arc<Peer>> {
        self.peers.lock().present.get(name).cloned()
    }

    /// Returns all nodes that the engine sees.
    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().present.values().cloned().collect()
    }

    /// Adds a boot that the engine sees: one that was there before, or a new one.
    pub(super) fn add_peer(&self, id: &NodeId, session: &Arc<dyn EngineSession>) -> Arc<Peer> {
        let mut peers = self.peers.lock();
        let known = peers.gone.iter().position(|peer| peer.id == *id);
        let known = known.and_then(|at| peers.gone.remove(at));
        let peer = known.unwrap_or_else(|| {
            let epoch = peers.dropped_epoch + 1;
            Arc::new(Peer::new(id.clone(), &self.config, epoch))
        });
        peers.present.insert(id.name.clone(), peer.clone());
        drop(peers);
        peer.set_engine(Some(session.clone()));
        peer
    }

    /// Removes the boot of a node that the engine does not see any more.
    pub(super) fn remove_peer(&self, name: &NodeName) -> Option<Arc<Peer>> {
        let mut peers = self.peers.lock();
        let peer = peers.present.remove(name)?;
        peers.gone.push_back(peer.clone());
        let oldest = if peers.gone.len() > MAX_GONE { peers.gone.pop_front() } else { None };
        if let Some(oldest) = &oldest {
            let epoch = oldest.with(|link| link.session.tags(0).epoch);
            peers.dropped_epoch = peers.dropped_epoch.max(epoch);
        }
        drop(peers);
        drop(oldest);
        peer.set_engine(None);
        Some(peer)
    }

    /// Returns the members of a group that are known, those of the first node first.
    pub(crate) fn members(&self, group: &str) -> Vec<MemberOf> {
        let prefix = key::members_of(group);
        let of = |node: &NodeName, keys: Vec<String>| {
            let node = node.clone();
            keys.into_iter().map(move |key| MemberOf { node: node.clone(), key })
        };
        let own = self.names.lock().with_prefix(&prefix).cloned().collect();
        let mut members: Vec<_> = of(&self.own.name, own).collect();
        for peer in self.peers() {
            let keys = peer.with(|link| link.names.with_prefix(&prefix).cloned().collect());
            members.extend(of(&peer.id.name, keys));
        }
        members.sort();
        members
    }

    /// Publishes that a name, or a member of a group, has come or gone.
    pub(crate) fn publish_name(&self, node: &NodeName, change: ViewChange) {
        let is_added = change.added().is_some();
        let (ViewChange::Added(name) | ViewChange::Removed(name)) = change;
        let node = node.clone();
        match Key::parse(&name) {
            Key::Member(..) => self.member_changes.send(|| (MemberOf { node, key: name }, is_added)),
            Key::Topic(_) | Key::Service(_) => {}
            // The names of this node are those of its registry, which tells of them.
            Key::Name(_) if node == self.own.name => {}
            Key::Name(_) if is_added => self.publish(NodeEvent::NameAdded { node, name }),
            Key::Name(_) => self.publish(NodeEvent::NameRemoved { node, name }),
        }
    }

    /// Returns `true` while a gateway of the node runs.
    #[cfg(feature = "operations")]
    pub(crate) fn is_running(&self) -> bool {
        *self.is_running.lock()
    }

    pub(crate) fn publish(&self, event: NodeEvent) {
        match &event {
            NodeEvent::Up(id) => self.node_changes.send(|| (id.clone(), true)),
            NodeEvent::Down(id) => self.node_changes.send(|| (id.clone(), false)),
            _ => {}
        }
        self.events.send(|| event);
    }
}

/// One gateway of a node runs. Two would take each other's packets.
pub(super) struct RunGuard(Arc<NodeState>);

impl RunGuard {
    /// Begins to run, unless another gateway of the node does.
    pub(super) fn new(state: &Arc<NodeState>) -> Result<Self, NodeError> {
        if std::mem::replace(&mut *state.is_running.lock(), true) {
            return Err(NodeError::Running);
        }
        Ok(Self(state.clone()))
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        *self.0.is_running.lock() = false;
    }
}
