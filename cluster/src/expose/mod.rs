//! The actors, groups and topics of this node that other nodes may send to, and what becomes of the
//! messages for them.

mod answers;
mod exposure;
mod group;
mod topic;
#[cfg(feature = "operations")]
mod trees;

pub(crate) use answers::Answers;
pub(crate) use exposure::{Delivery, Expose, ExposedActor, Exposure};
pub(crate) use group::{ExposeGroup, ExposedGroup, GroupExposure};
pub(crate) use topic::TopicExposure;
#[cfg(feature = "operations")]
pub(crate) use trees::{ReadTrees, TreesExposure};
