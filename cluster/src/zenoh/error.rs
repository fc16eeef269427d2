//! Why a node cannot take part in a network.

use std::path::PathBuf;

use crate::identity::NodeName;

/// Why a node cannot take part in a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The name of the cluster does not have the form of the name of a node.
    #[error("`{0}` is not the name of a cluster: 1 to 63 lower-case letters, digits and inner hyphens")]
    Cluster(String),
    /// An address cannot be used.
    #[error("the address `{address}`: {problem}")]
    Address {
        /// The address.
        address: String,
        /// What it has to be.
        problem: &'static str,
    },
    /// The address is one of another machine, or can be reached from others, and nothing is
    /// encrypted.
    #[error("`{0}` is not on this machine: set an identity, or allow plaintext by name")]
    Plaintext(String),
    /// There is an identity, and no list of the nodes that may take part.
    #[error("a node with an identity needs the names of the members")]
    NoMembers,
    /// There are members, and no identity by which they would know each other.
    #[error("members are told apart by certificates: set an identity")]
    NoIdentity,
    /// There are settings of the network, and an engine that does not use them.
    #[error("a node has either an engine or the settings of a network")]
    EngineAndNetwork,
    /// A file of the identity cannot be used.
    #[error("{}: {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate is that of another node.
    #[error("{} is the certificate of `{common_name}`, not of {node}", certificate.display())]
    CommonName {
        /// The file.
        certificate: PathBuf,
        /// The common name in it.
        common_name: String,
        /// The node.
        node: NodeName,
    },
    /// zenoh has refused to begin: an address is taken, or a key does not fit its certificate.
    #[error("zenoh: {0}")]
    Zenoh(String),
}
