//! The log lines of this crate, as plain functions.
//!
//! A subscriber is foreign code, and so is the `Display` of an error in a reason. Each line is written in order in a task of its
//! own, under a guard: see [`System::log_later`]. No supervisor waits for it.
//!
//! This is the one file of the crate that calls tracing; `tests/architecture.rs` keeps it so.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Label;
use perennial_actors::{ExitReason, Pid, System};
use tracing::level_filters::LevelFilter;
use tracing::{Level, debug, error, info, warn};

/// A child, as a log line names it.
pub(crate) struct Child {
    pub(crate) supervisor: Pid,
    /// The label of the supervisor.
    pub(crate) label: Label,
    pub(crate) id: Arc<str>,
    /// The newest incarnation.
    pub(crate) pid: Option<Pid>,
}

impl Child {
    fn path(&self) -> String {
        format!("{}/{}", self.label.to_shared(), self.id)
    }
}

/// Queues a line. Neither `child` nor the line is made unless a subscriber may want the level.
fn of_child(
    system: &System,
    level: Level,
    child: impl FnOnce() -> Child,
    line: impl FnOnce(Child) + Send + 'static,
) {
    if level <= LevelFilter::current() {
        let child = child();
        system.log_later(level, move || line(child));
    }
}

/// A child has started.
pub(crate) fn child_started(system: &System, child: impl FnOnce() -> Child) {
    of_child(system, Level::DEBUG, child, |child| {
        debug!(supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), "child started");
    });
}

/// A child ended by itself.
pub(crate) fn child_ended(system: &System, child: impl FnOnce() -> Child, reason: &ExitReason) {
    let reason = reason.clone();
    of_child(system, Level::INFO, child, move |child| {
        info!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), %reason,
            "child ended"
        );
    });
}

/// A start of a child failed.
pub(crate) fn child_did_not_start(system: &System, child: impl FnOnce() -> Child, reason: &ExitReason) {
    let reason = reason.clone();
    of_child(system, Level::WARN, child, move |child| {
        warn!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), %reason,
            "child did not start"
        );
    });
}

/// A child is restarted.
pub(crate) fn child_restarts(
    system: &System,
    child: impl FnOnce() -> Child,
    reason: &ExitReason,
    restarts_left: u32,
    delay: Duration,
) {
    let reason = reason.clone();
    of_child(system, Level::INFO, child, move |child| {
        info!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), %reason, restarts_left,
            ?delay, "supervisor restarts a child"
        );
    });
}

/// A child that was stopped ended for another reason.
pub(crate) fn child_ended_otherwise(system: &System, child: impl FnOnce() -> Child, reason: &ExitReason) {
    let reason = reason.clone();
    of_child(system, Level::WARN, child, move |child| {
        warn!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), %reason,
            "child was stopped, and ended otherwise"
        );
    });
}

/// A child is stopped because it hangs.
pub(crate) fn child_hangs(
    system: &System,
    child: impl FnOnce() -> Child,
    sign: impl fmt::Debug + Send + 'static,
) {
    of_child(system, Level::WARN, child, move |child| {
        warn!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), ?sign,
            "child does not get on"
        );
    });
}

/// A child did not stop in time.
pub(crate) fn child_is_late(system: &System, child: impl FnOnce() -> Child, abandoned: bool) {
    of_child(system, Level::WARN, child, move |child| {
        warn!(
            supervisor = %child.supervisor, path = child.path(), pid = child.pid.map(display), abandoned,
            "child did not stop in time"
        );
    });
}

/// A child of a supervisor that was killed did not end when it was killed too.
pub(crate) fn orphan_is_late(system: &System, supervisor: Pid, path: &Arc<str>, pid: Pid) {
    let path = path.clone();
    system.log_later(Level::WARN, move || {
        warn!(%supervisor, %path, %pid, abandoned = true, "child did not stop in time");
    });
}

/// A supervisor gives up.
pub(crate) fn supervisor_gives_up(system: &System, supervisor: Pid, path: &Arc<str>, child: &Arc<str>) {
    let (path, child) = (path.clone(), child.clone());
    system.log_later(Level::ERROR, move || {
        error!(%supervisor, %path, %child, "supervisor gives up: too many restarts");
    });
}

/// A supervisor could not be run.
pub(crate) fn supervisor_did_not_start(system: &System, error: String) {
    system.log_later(Level::ERROR, move || error!(%error, "ractor did not start a supervisor"));
}

/// No thread could be had that sees to deadlines.
pub(crate) fn no_watchdog(system: &System, error: io::Error) {
    system.log_later(Level::ERROR, move || error!(%error, "no thread to see that deadlines are kept"));
}

/// A ractor actor that was killed with the one above it is not gone yet.
pub(crate) fn ractor_child_outlives(system: &System, actor: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        warn!(%actor, "a child of a ractor actor outlives it");
    });
}

/// A pool could not be resized.
pub(crate) fn pool_not_resized(system: &System, error: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        warn!(%error, "pool was not resized, and will be when it is looked after again");
    });
}

/// The process got a signal.
pub(crate) fn told_to_stop(system: &System, first: impl fmt::Debug + Send + 'static) {
    system.log_later(Level::INFO, move || info!(?first, "told to stop: the tree goes down"));
}

/// The process got a second signal.
pub(crate) fn told_again(system: &System, second: impl fmt::Debug + Send + 'static) {
    system.log_later(Level::WARN, move || warn!(?second, "told again: everybody is killed"));
}
