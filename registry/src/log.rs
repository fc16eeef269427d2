//! The log lines of this crate, as plain functions.
//!
//! Each line is written in order in a task of its own, under a guard: see [`ActorHandle::log_later`].
//!
//! This is the one file of the crate that calls tracing; `tests/architecture.rs` keeps it so.

use perennial_actors::{ActorHandle, ExitReason};
use tracing::{Level, warn};

/// The `Clone` of a message for a member of a group panicked.
pub(crate) fn clone_panicked(group: &str, member: &ActorHandle, reason: ExitReason) {
    let (group, pid) = (group.to_owned(), member.pid());
    member.log_later(Level::WARN, move || {
        warn!(
            target: "perennial::registry", group, pid = pid.map(tracing::field::display), %reason,
            "clone of a broadcast message panicked"
        );
    });
}

/// The conversion of a message for a subscriber of a topic panicked.
pub(crate) fn conversion_panicked(topic: &str, subscriber: &ActorHandle, reason: ExitReason) {
    let (topic, pid) = (topic.to_owned(), subscriber.pid());
    subscriber.log_later(Level::WARN, move || {
        warn!(
            target: "perennial::registry", topic, pid = pid.map(tracing::field::display), %reason,
            "conversion of a published message panicked"
        );
    });
}
