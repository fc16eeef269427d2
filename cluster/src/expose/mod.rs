//! The actors of this node that other nodes may send to, and what becomes of the messages for them.

mod answers;
mod exposure;

pub(crate) use answers::Answers;
pub(crate) use exposure::{Delivery, Expose, ExposedActor, Exposure};
