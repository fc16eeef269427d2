//! The identity of a node: its name, and the boot that tells its runs apart.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// The longest name of a node, in bytes.
const LABEL_BYTES: usize = 63;

/// The name of a node: a label of a host name, as Kubernetes gives to the pods of a stateful set.
///
/// It has 1 to 63 lower-case letters, digits and hyphens. It neither begins nor ends with a hyphen.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// The text is not a label of a host name.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_cluster::NodeName;
    ///
    /// assert!(NodeName::new("shop-1").is_ok());
    /// assert!(NodeName::new("Shop 1").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self, NodeNameError> {
        let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_label = (1..=LABEL_BYTES).contains(&name.len())
            && name.chars().all(is_known)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if is_label { Ok(Self(name.into())) } else { Err(NodeNameError(name.to_owned())) }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

/// A text that is not the name of a node.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not the name of a node: 1 to 63 lower-case letters, digits and inner hyphens")]
pub struct NodeNameError(pub String);

/// One run of a node. An older boot is less than a younger one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Boot {
    /// When the node was started, in milliseconds since 1970 by its own clock.
    pub started: u64,
    /// A random number, which tells runs apart that were started in one millisecond.
    pub random: u64,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}", self.started, self.random)
    }
}

/// A node in one of its runs.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct NodeId {
    /// The name.
    pub name: NodeName,
    /// The run.
    pub boot: Boot,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.boot)
    }
}
