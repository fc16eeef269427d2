//! The settings of a network.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::address;
use super::error::NetworkError;
use super::tls::Tls;
use crate::identity::NodeName;

/// The settings of the network between machines. They can be read from a file with serde.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// The name of the cluster, in the form of the name of a node. Nodes of other clusters are not
    /// seen. The default is `perennial`.
    pub cluster: String,
    /// The addresses to listen at, such as `quic/0.0.0.0:7447`. The default is a free port of
    /// `127.0.0.1`.
    pub listen: Vec<String>,
    /// The addresses of other nodes. With [`gossip`](Self::gossip), one that is there is enough.
    pub peers: Vec<String>,
    /// The certificate of the node. With one, all connections are encrypted, and both sides of each
    /// have to show theirs.
    pub identity: Option<Tls>,
    /// The names of the nodes that may take part. An identity needs them. The node itself may
    /// always.
    pub members: BTreeSet<NodeName>,
    /// Nodes that are connected tell each other of those that they know, and these are connected to
    /// as well. Without it, a node connects to its peers only. The default is `true`.
    pub gossip: bool,
    /// Without an identity, addresses of other machines are allowed: whatever reaches the port can
    /// take part, as any node.
    pub allow_plaintext: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            cluster: "perennial".to_owned(),
            listen: Vec::new(),
            peers: Vec::new(),
            identity: None,
            members: BTreeSet::new(),
            gossip: true,
            allow_plaintext: false,
        }
    }
}

impl NetworkConfig {
    /// Returns `true` if there is a network to take part in.
    pub(crate) const fn is_set(&self) -> bool {
        !self.listen.is_empty() || !self.peers.is_empty() || self.identity.is_some()
    }

    /// Checks that the settings can work together. Returns the name of the cluster.
    pub(super) fn check(&self) -> Result<NodeName, NetworkError> {
        let cluster =
            NodeName::new(&self.cluster).map_err(|_| NetworkError::Cluster(self.cluster.clone()))?;
        match (&self.identity, self.members.is_empty()) {
            (Some(_), true) => return Err(NetworkError::NoMembers),
            (None, false) => return Err(NetworkError::NoIdentity),
            _ => {}
        }
        let is_encrypted = self.identity.is_some();
        for text in self.listen.iter().chain(&self.peers) {
            address::check(text, is_encrypted, self.allow_plaintext)?;
        }
        Ok(cluster)
    }

    /// Returns the scheme of all addresses.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.identity.is_some() { address::QUIC } else { address::TCP }
    }
}

/// The settings of a node that its network has to fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) lease: Duration,
    pub(crate) window: usize,
    pub(crate) max_packet: usize,
}
