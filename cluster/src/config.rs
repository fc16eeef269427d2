//! The settings of a node.

use std::time::Duration;

use serde::Deserialize;

use crate::error::NodeError;
use crate::inbox::Inbox;
use crate::wire::HEADER_BYTES;
#[cfg(feature = "zenoh")]
use crate::zenoh::{Limits, NetworkConfig};
use perennial_durable::MAX_BYTES;

/// The settings of a node that have defaults. They can be read from a file with serde.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeConfig {
    /// How long another node may be silent before its connection is given up, in milliseconds. The
    /// default is 2,000.
    pub lease_ms: u64,
    /// The bytes that may be on the way to another node, or wait there. The default is 1 MiB.
    pub window: usize,
    /// The most bytes of a message or an answer. The default is 1 MiB.
    pub max_message: usize,
    /// The most bytes of all packets that wait to be processed. Those beyond are lost, and counted.
    /// Packets of one other node may take a quarter. The answers that wait for its credit may have
    /// as many bytes. The default is 64 MiB.
    pub max_inbox: usize,
    /// The most calls, monitors and links of one other node that are served at a time. Those
    /// beyond are refused as busy. The default is 65,536.
    pub max_served: usize,
    /// The most names, members of groups and topics that this node exposes, and that it keeps of
    /// one other node, where they have at most 256 bytes on average. The default is 262,144.
    pub max_names: usize,
    /// The network between machines. It is not used with an engine.
    #[cfg(feature = "zenoh")]
    #[cfg_attr(docsrs, doc(cfg(feature = "zenoh")))]
    pub network: NetworkConfig,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            lease_ms: 2_000,
            window: 1024 * 1024,
            max_message: 1024 * 1024,
            max_inbox: 64 * 1024 * 1024,
            max_served: 65_536,
            max_names: 262_144,
            #[cfg(feature = "zenoh")]
            network: NetworkConfig::default(),
        }
    }
}

impl NodeConfig {
    /// Checks that the settings can work together.
    pub(crate) fn check(&self) -> Result<(), NodeError> {
        let max_packet = self.max_message.saturating_add(HEADER_BYTES);
        let checks = [
            (self.lease_ms >= 10, "lease_ms", "it is at least 10"),
            (self.lease_ms <= 86_400_000, "lease_ms", "it is at most a day"),
            (self.window >= 1_024, "window", "it is at least 1,024"),
            (self.max_message >= 64, "max_message", "it is at least 64"),
            (self.max_message <= MAX_BYTES, "max_message", "no codec decodes more than 16 MiB"),
            (Inbox::max_packet(self.max_inbox) >= max_packet, "max_inbox", "a message needs a quarter of it"),
            (Inbox::max_packet(self.max_inbox) >= self.window, "max_inbox", "a window needs a quarter of it"),
            (self.max_served >= 1, "max_served", "it is at least 1"),
            (self.max_names >= 1, "max_names", "it is at least 1"),
        ];
        let failed = checks.into_iter().find(|(holds, ..)| !holds);
        failed.map_or(Ok(()), |(_, setting, problem)| Err(NodeError::Config { setting, problem }))
    }

    pub(crate) const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// Returns what the network has to fit.
    #[cfg(feature = "zenoh")]
    pub(crate) const fn limits(&self) -> Limits {
        let max_packet = self.max_message.saturating_add(HEADER_BYTES);
        Limits { lease: self.lease(), window: self.window, max_packet }
    }
}
