//! The actors that wait for each other in calls, as a graph.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::CallWatch;
use serde::{Deserialize, Serialize};

use crate::cycles::cycles;

/// The actors that wait for an answer, and those that they wait for: a wait-for graph.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitGraph {
    /// The actors, by their identities.
    pub nodes: Vec<WaitNode>,
    /// The calls that wait, in the order in which they began.
    pub edges: Vec<WaitEdge>,
    /// Circles of actors, each of which waits for the next, and the last for the first. Each actor
    /// that is on a circle is on one of these.
    pub cycles: Vec<Vec<u64>>,
}

/// An actor that waits, or that is waited for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitNode {
    /// The number of its identity.
    pub identity: u64,
    /// Its path in the tree, or its type.
    pub label: Arc<str>,
}

/// A call that waits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WaitEdge {
    /// The identity of the actor that calls.
    pub from: u64,
    /// The identity of the actor that is called.
    pub to: u64,
    /// For how many milliseconds the call has waited.
    pub waited_millis: u64,
}

impl WaitGraph {
    /// Returns the calls that have waited for at least this time: see
    /// [`CallWatch::waits`](perennial_actors::CallWatch::waits).
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_operations::WaitGraph;
    /// let calls = System::new().watch_calls();
    /// assert!(WaitGraph::of(&calls, Duration::ZERO).edges.is_empty());
    /// ```
    #[must_use]
    pub fn of(calls: &CallWatch, at_least: Duration) -> Self {
        let waits = calls.waits(at_least);
        let mut labels: BTreeMap<u64, Arc<str>> = BTreeMap::new();
        let mut edges = Vec::with_capacity(waits.len());
        for wait in &waits {
            for actor in [&wait.caller, &wait.callee] {
                labels.entry(actor.identity()).or_insert_with(|| actor.label().unwrap_or_default());
            }
            let waited_millis = u64::try_from(wait.waited.as_millis()).unwrap_or(u64::MAX);
            edges.push(WaitEdge { from: wait.caller.identity(), to: wait.callee.identity(), waited_millis });
        }
        let pairs: Vec<(u64, u64)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let nodes = labels.into_iter().map(|(identity, label)| WaitNode { identity, label });
        Self { nodes: nodes.collect(), edges, cycles: cycles(&pairs) }
    }
}
