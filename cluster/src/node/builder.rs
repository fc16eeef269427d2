//! Making a node.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::handle::Node;
use super::state::NodeState;
use crate::config::NodeConfig;
use crate::engine::Engine;
use crate::error::NodeError;
use crate::identity::{Boot, NodeId, NodeName};
#[cfg(feature = "zenoh")]
use crate::zenoh::{NetworkError, ZenohEngine};

/// Makes a [`Node`].
#[must_use = "a builder does nothing before `build`"]
pub struct NodeBuilder {
    name: String,
    pub(super) config: NodeConfig,
    engine: Option<Arc<dyn Engine>>,
    boot: Option<Boot>,
}

impl Node {
    /// Begins to make a node.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::System;
    /// use perennial_cluster::{MemoryNetwork, Node};
    /// use perennial_supervision::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let network = MemoryNetwork::new(1);
    /// let node = Node::builder("shop-1").engine(network.engine()).build()?;
    /// let app = Supervisor::new("app").child(node.child()).start(&System::new()).await?;
    /// assert_eq!(node.id().name.as_str(), "shop-1");
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(name: &str) -> NodeBuilder {
        NodeBuilder { name: name.to_owned(), config: NodeConfig::default(), engine: None, boot: None }
    }
}

impl NodeBuilder {
    /// Sets another network than the one between machines.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.engine = Some(Arc::new(engine));
        self
    }

    /// Sets all settings that have defaults.
    pub fn config(mut self, config: NodeConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how long another node may be silent before its connection is given up. The default is
    /// 2 seconds. All nodes should have the same.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Sets the bytes that may be on the way to another node, or wait there. The default is
    /// 1 MiB.
    pub const fn window(mut self, bytes: usize) -> Self {
        self.config.window = bytes;
        self
    }

    /// Sets the most bytes of a message or an answer. The default is 1 MiB.
    pub const fn max_message(mut self, bytes: usize) -> Self {
        self.config.max_message = bytes;
        self
    }

    /// Sets the boot, for simulations that are the same each time. The default is the time by the
    /// clock of the system, and a random number.
    pub const fn boot(mut self, boot: Boot) -> Self {
        self.boot = Some(boot);
        self
    }

    /// Makes the node. It connects once its [child](Node::child) runs.
    ///
    /// # Errors
    ///
    /// The name is not the name of a node, a setting cannot work, or there is no network.
    pub fn build(self) -> Result<Node, NodeError> {
        let name = NodeName::new(&self.name)?;
        self.config.check()?;
        let engine = engine_of(self.engine, &self.config)?;
        let boot = self.boot.unwrap_or_else(now);
        Ok(Node::new(NodeState::new(NodeId { name, boot }, self.config, engine)))
    }
}

#[cfg(not(feature = "zenoh"))]
fn engine_of(engine: Option<Arc<dyn Engine>>, _: &NodeConfig) -> Result<Arc<dyn Engine>, NodeError> {
    engine.ok_or(NodeError::NoEngine)
}

#[cfg(feature = "zenoh")]
fn engine_of(engine: Option<Arc<dyn Engine>>, config: &NodeConfig) -> Result<Arc<dyn Engine>, NodeError> {
    match (engine, config.network.is_set()) {
        (Some(engine), false) => Ok(engine),
        (Some(_), true) => Err(NetworkError::EngineAndNetwork.into()),
        (None, true) => Ok(Arc::new(ZenohEngine::new(config.network.clone(), config.limits())?)),
        (None, false) => Err(NodeError::NoEngine),
    }
}

fn now() -> Boot {
    // The keys of a new hasher are random.
    Boot { started: millis(), random: RandomState::new().build_hasher().finish() }
}

/// Returns the time by the clock of the system, in milliseconds since 1970.
pub(super) fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder").field("name", &self.name).field("config", &self.config).finish()
    }
}
