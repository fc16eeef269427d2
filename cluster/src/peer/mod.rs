//! Another node, as this one knows it: the state of the connection, and what is sent over it.

mod answer;
mod link;
mod post;
mod record;

pub(crate) use answer::WaitingAnswer;
pub(crate) use link::{Link, Lost, Report, SentParts, Unsent};
pub(crate) use post::{MAX_REPLIES, Outbound};
pub(crate) use record::Peer;
