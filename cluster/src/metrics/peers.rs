//! What is published of the peers of a node, with a bounded number of series.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalog::{LOST, NAMES, PEERS, PENDING, RECEIVED, ROUND_TRIP, SENT, WINDOW};
use super::recorder::{count, describe, set};
use crate::identity::NodeName;
use crate::peer::Peer;

/// The most peers that have series of their own. What becomes of others has the label `other`.
const MAX_PEERS: usize = 256;

/// No node has this name, because it has a space.
const OTHER: &str = "other peers";

/// The peers that have series.
#[derive(Debug)]
pub(crate) struct PeerMetrics {
    labels: BTreeMap<NodeName, Arc<str>>,
    other: Arc<str>,
}

/// The values of the gauges of one label.
#[derive(Clone, Copy, Debug, Default)]
struct Gauges {
    round_trip: f64,
    window: f64,
    pending: f64,
    names: f64,
}

impl PeerMetrics {
    /// Describes the metrics.
    pub(crate) fn new() -> Self {
        describe();
        Self { labels: BTreeMap::new(), other: OTHER.into() }
    }

    /// Publishes the state of the peers that are seen. The gauges of all others are zero.
    pub(crate) fn publish(&mut self, peers: &[Arc<Peer>]) {
        let known = self.labels.values().chain([&self.other]).cloned();
        let mut gauges: BTreeMap<Arc<str>, Gauges> = known.map(|label| (label, Gauges::default())).collect();
        let mut up = 0;
        for peer in peers {
            let (info, label) = (peer.info(), self.label(&peer.id.name));
            up += usize::from(info.is_up);
            let gauges = gauges.entry(label).or_default();
            let round_trip = info.round_trip.unwrap_or_default().as_secs_f64();
            gauges.round_trip = gauges.round_trip.max(round_trip);
            gauges.window += info.window_used as f64;
            gauges.pending += info.pending as f64;
            gauges.names += info.names as f64;
            self.count(peer);
        }
        set(PEERS, "up", up as f64);
        set(PEERS, "connecting", (peers.len() - up) as f64);
        for (label, gauges) in gauges {
            let values = [
                (ROUND_TRIP, gauges.round_trip),
                (WINDOW, gauges.window),
                (PENDING, gauges.pending),
                (NAMES, gauges.names),
            ];
            for (metric, value) in values {
                set(metric, label.clone(), value);
            }
        }
    }

    /// Counts the packets of a peer since the last time.
    pub(crate) fn count(&mut self, peer: &Peer) {
        let (label, [sent, received, lost]) = (self.label(&peer.id.name), peer.take_traffic());
        for (metric, more) in [(SENT, sent), (RECEIVED, received), (LOST, lost)] {
            count(metric, label.clone(), more);
        }
    }

    fn label(&mut self, name: &NodeName) -> Arc<str> {
        if let Some(label) = self.labels.get(name) {
            return label.clone();
        }
        if self.labels.len() >= MAX_PEERS {
            return self.other.clone();
        }
        let label: Arc<str> = name.as_str().into();
        self.labels.insert(name.clone(), label.clone());
        label
    }
}
