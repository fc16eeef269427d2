//! The actors, groups and topics of this node that other nodes may send to, and what becomes of the
//! messages for them.

mod answers;
mod exposure;
mod group;
mod topic;

pub(crate) use answers::Answers;
pub(crate) use exposure::{Delivery, Expose, ExposedActor, Exposure};
pub(crate) use group::{ExposeGroup, ExposedGroup, GroupExposure};
pub(crate) use topic::TopicExposure;
