//! The decision: the health of a tree from what was read of it. It reads nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use perennial_supervision::pool::WorkerCounts;
use perennial_supervision::{ChildKind, ChildState, Restart};

use super::path::NodePath;
use super::types::{Health, NotLive, NotReady};
use crate::figures::TreeNode;

/// What was read of a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    /// The id of the root.
    pub(super) tree: Arc<str>,
    /// How far the tree has come.
    pub(super) phase: Phase,
    /// The nodes, parents first, in start order. Empty if there is no tree.
    pub(super) nodes: Vec<TreeNode>,
    /// The workers of the pools, by the identity of their supervisor.
    pub(super) pools: BTreeMap<u64, WorkerCounts>,
    /// The paths of the supervisors that did not answer in time.
    pub(super) unresponsive: Vec<Arc<str>>,
    /// The names of the gates that are closed.
    pub(super) closed_gates: Vec<Arc<str>>,
    /// The paths of the nodes that do not matter.
    pub(super) ignored: BTreeSet<Arc<str>>,
}

/// How far a tree has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    /// It has not come up yet.
    #[default]
    Starting,
    /// It has come up.
    Started,
    /// Its root has ended.
    Ended,
}

impl Observation {
    /// Returns the health.
    pub(super) fn decide(self) -> Health {
        let started = self.phase != Phase::Starting;
        let stopping = self.nodes.first().is_some_and(|root| root.state == ChildState::Stopping);
        let mut not_ready = self.not_ready();
        let mut not_live = Vec::new();
        if self.nodes.first().is_some_and(|root| root.gave_up) {
            not_live.push(NotLive::GaveUp { tree: self.tree.clone() });
        } else if self.phase == Phase::Ended {
            not_live.push(NotLive::Ended { tree: self.tree.clone() });
        }
        not_live.extend(self.unresponsive.into_iter().map(|supervisor| NotLive::Unresponsive { supervisor }));
        not_ready.extend(self.closed_gates.into_iter().map(|gate| NotReady::GateClosed { gate }));
        Health { started, stopping, not_live, not_ready }
    }

    /// Returns which nodes keep the tree from being ready. Nothing below a node that is down, that
    /// is a pool or that does not matter is looked at.
    fn not_ready(&self) -> Vec<NotReady> {
        if self.phase == Phase::Starting {
            return vec![NotReady::Starting { tree: self.tree.clone() }];
        }
        let mut found = Vec::new();
        let mut path = NodePath::default();
        // The level at and above which nodes are looked at again.
        let mut skipped_below: Option<usize> = None;
        for node in &self.nodes {
            let path = path.enter(node.level, &node.id);
            if skipped_below.is_some_and(|level| node.level > level) {
                continue;
            }
            skipped_below = None;
            if !matters(node) || self.ignored.contains(path) {
                skipped_below = Some(node.level);
            } else if is_down(node) {
                found.push(NotReady::Down { child: path.into(), state: node.state });
                skipped_below = Some(node.level);
            } else if let Some(workers) = self.pools.get(&node.identity) {
                if workers.ready == 0 && workers.wanted > 0 {
                    found.push(NotReady::NoReadyWorker { pool: path.into() });
                }
                skipped_below = Some(node.level);
            } else if is_dynamic(node) {
                skipped_below = Some(node.level);
            }
        }
        found
    }
}

/// Returns `true` if the tree is not ready while this child is down: it is restarted, or its end
/// ends its supervisor.
fn matters(node: &TreeNode) -> bool {
    node.restart != Restart::Temporary || node.significant
}

/// Returns `true` if the child should run and does not, or not yet. A child that is not permanent
/// and has ended for good has done its work.
fn is_down(node: &TreeNode) -> bool {
    match node.state {
        ChildState::Running => false,
        ChildState::Stopped => node.restart == Restart::Permanent,
        _ => true,
    }
}

/// Returns `true` if the children are dynamic ones: sessions and the like, which come and go.
fn is_dynamic(node: &TreeNode) -> bool {
    node.kind == ChildKind::Supervisor && node.strategy.is_none()
}
