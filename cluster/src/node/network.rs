//! The settings of the network between machines, at the builder of a node.

use super::builder::NodeBuilder;
use crate::identity::NodeName;
use crate::zenoh::Tls;

/// With the feature `zenoh`.
impl NodeBuilder {
    /// Adds an address to listen at: `quic/host:port`, or `tcp/host:port` without an identity. The
    /// default is a free port of `127.0.0.1`, which the nodes in [`peers`](Self::peers) are told.
    ///
    /// An address that other machines can reach needs an [identity](Self::identity), or
    /// [`allow_plaintext`](Self::allow_plaintext).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use perennial_cluster::{Node, NodeName, Tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::builder("shop-1")
    ///     .listen("quic/0.0.0.0:7447")
    ///     .peers(["quic/shop-2.shop:7447", "quic/shop-3.shop:7447"])
    ///     .identity(Tls::dir("certs"))
    ///     .members([NodeName::new("shop-2")?, NodeName::new("shop-3")?])
    ///     .build()?;
    /// # drop(node);
    /// # Ok(())
    /// # }
    /// ```
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.config.network.listen.push(address.into());
        self
    }

    /// Adds addresses of other nodes, in the same form. They are connected to as soon as they are
    /// there, and the nodes that they know as well. With the addresses of all others, a node that
    /// they cannot connect to connects to them.
    pub fn peers<A: Into<String>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.config.network.peers.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// Sets the certificate of the node, whose common name is the name of the node. All connections
    /// are encrypted then, and both sides of each show their certificates. The files are read when
    /// the node starts. That fails with [`CommonName`](crate::NetworkError::CommonName) if they
    /// are those of another node.
    pub fn identity(mut self, identity: Tls) -> Self {
        self.config.network.identity = Some(identity);
        self
    }

    /// Adds nodes that may take part. Each is known by its certificate. A member can send as itself
    /// and be sent to. It cannot pose as another, nor read what others send to each other. An
    /// identity needs members. [`set_members`](crate::Node::set_members) changes them.
    pub fn members(mut self, names: impl IntoIterator<Item = NodeName>) -> Self {
        self.config.network.members.extend(names);
        self
    }

    /// Sets whether nodes tell each other of those that they know. They do so by default. Without
    /// it, a node connects to its [`peers`](Self::peers) only.
    pub const fn gossip(mut self, tells: bool) -> Self {
        self.config.network.gossip = tells;
        self
    }

    /// Sets the name of the cluster. Nodes of other clusters are not seen. The default is
    /// `perennial`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.config.network.cluster = name.into();
        self
    }

    /// Allows addresses of other machines without an identity. Whatever reaches the port can take
    /// part, as any node, and read and change all that is sent.
    pub const fn allow_plaintext(mut self) -> Self {
        self.config.network.allow_plaintext = true;
        self
    }
}
