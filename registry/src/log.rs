//! The log lines of this crate, as plain functions.
//!
//! Each line is written in a task of its own, in order and under a guard: see
//! [`ActorHandle::log_later`]. `docs/OPERATIONS.md` lists all lines with their fields.
//!
//! No other file of the crate calls tracing; `tests/architecture.rs` checks it.

use perennial_actors::{ActorHandle, ExitReason, Pid};
use tracing::Level;
use tracing::field::display;

/// The target of every line of this crate.
const TARGET: &str = "perennial::registry";

/// Writes a line of this crate, outside every span of the current thread.
macro_rules! line {
    ($level:expr, $($line:tt)+) => {
        tracing::event!(target: TARGET, parent: None, $level, $($line)+)
    };
}

/// Logs that the `Clone` of a message for a member of a group panicked.
pub(crate) fn clone_panicked(group: &str, member: &ActorHandle, reason: ExitReason) {
    let (group, actor, pid) = (group.to_owned(), member.label(), member.pid());
    member.log_later(Level::WARN, move || {
        let (actor, incarnation) = (actor.as_deref(), pid.map(Pid::incarnation));
        let (pid, reason) = (pid.map(display), format!("{reason:#}"));
        line!(
            Level::WARN, group, actor, pid, incarnation, %reason,
            "clone of a broadcast message panicked"
        );
    });
}

/// Logs that the conversion of a message for a subscriber of a topic panicked.
pub(crate) fn conversion_panicked(topic: &str, subscriber: &ActorHandle, reason: ExitReason) {
    let (topic, actor, pid) = (topic.to_owned(), subscriber.label(), subscriber.pid());
    subscriber.log_later(Level::WARN, move || {
        let (actor, incarnation) = (actor.as_deref(), pid.map(Pid::incarnation));
        let (pid, reason) = (pid.map(display), format!("{reason:#}"));
        line!(
            Level::WARN, topic, actor, pid, incarnation, %reason,
            "conversion of a published message panicked"
        );
    });
}
