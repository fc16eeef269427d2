//! The log lines of this crate, as plain functions.
//!
//! A subscriber is foreign code, and so is the `Display` of an error in a reason. Each line is
//! therefore written under a guard, in order, in a separate task: see [`System::log_later`]. No
//! supervisor waits for it.
//!
//! # What is written
//!
//! A crash has one line: `perennial::actors` writes it where the crash happens. The reaction of the
//! supervisors is logged at debug level. Events that only a supervisor knows have a line here.
//!
//! | target | level | line | fields |
//! |---|---|---|---|
//! | `perennial::supervision` | debug | child started | child |
//! | | info or debug | child ended | child, `reason` |
//! | | warn or debug | child did not start | child, `reason` |
//! | | debug | child is restarted | child, `reason`, `restarts_left`, `delay` |
//! | | info or debug | child was stopped and ended with another reason | child, `reason` |
//! | | warn | child is unresponsive | child, `cause` |
//! | | warn | child did not stop in time: killed | child |
//! | | debug | child did not end when it was killed: abandoned | child |
//! | | warn | a child of a ractor actor outlives it | `actor` |
//! | | error | supervisor gave up: restart intensity exceeded | as an actor, and `child` |
//! | | error | ractor did not start the supervisor | `error` |
//! | | error | no thread to watch deadlines | `error` |
//! | | info | received SIGTERM: shutting down | `signal` |
//! | | warn | second signal received: killing all actors | `signal` |
//! | | error | the closure before the stop failed: the tree stops | `reason` |
//! | | warn | the closure before the stop took too long: the tree stops | `timeout` |
//! | `perennial::pool` | warn | pool was not resized: it is tried again | `error` |
//!
//! A level "or debug" is debug after a crash. The fields of a child are `supervisor` (a pid),
//! `actor` (its path), `pid` and `incarnation`. The fields of an actor are the last three. A reason
//! is written with all its sources. Lines have no parent span.
//!
//! No other file of the crate calls tracing; `tests/architecture.rs` checks this.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::Label;
use perennial_actors::{ExitReason, Pid, System};
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The target of the lines of supervisors.
const TARGET: &str = "perennial::supervision";

/// The target of the lines of pools.
const POOL: &str = "perennial::pool";

/// Writes a line outside every span of the current thread.
macro_rules! line {
    ($level:ident, $target:expr, $($line:tt)+) => {
        tracing::event!(target: $target, parent: None, Level::$level, $($line)+)
    };
}

/// Writes a line about a child, with its fields first.
macro_rules! child_line {
    ($level:ident, $child:expr, $($line:tt)+) => {{
        let Child { supervisor, pid, .. } = $child;
        let (actor, incarnation) = ($child.path(), pid.map(Pid::incarnation));
        let (actor, pid) = (actor.as_str(), pid.map(tracing::field::display));
        line!($level, TARGET, %supervisor, actor, pid, incarnation, $($line)+);
    }};
}

/// The fields of a child in a log line.
pub(crate) struct Child {
    pub(crate) supervisor: Pid,
    /// The label of the supervisor.
    pub(crate) label: Label,
    pub(crate) id: Arc<str>,
    /// The latest incarnation.
    pub(crate) pid: Option<Pid>,
}

impl Child {
    fn path(&self) -> String {
        format!("{}/{}", self.label.to_shared(), self.id)
    }
}

/// Queues a line. Neither `child` nor `line` is called unless a subscriber may want the level.
fn of_child(
    system: &System,
    level: Level,
    child: impl FnOnce() -> Child,
    line: impl FnOnce(&Child) + Send + 'static,
) {
    if level <= LevelFilter::current() {
        let child = child();
        system.log_later(level, move || line(&child));
    }
}

/// Logs that a child has started.
pub(crate) fn child_started(system: &System, child: impl FnOnce() -> Child) {
    of_child(system, Level::DEBUG, child, |child| child_line!(DEBUG, child, "child started"));
}

/// Logs that a child ended by itself. If it crashed, the actor has logged that already.
pub(crate) fn child_ended(system: &System, child: impl FnOnce() -> Child, reason: &ExitReason) {
    let (reason, is_logged) = (reason.clone(), reason.is_crash());
    let level = if is_logged { Level::DEBUG } else { Level::INFO };
    of_child(system, level, child, move |child| {
        let reason = format!("{reason:#}");
        if is_logged {
            child_line!(DEBUG, child, %reason, "child ended");
        } else {
            child_line!(INFO, child, %reason, "child ended");
        }
    });
}

/// Logs that a start of a child failed. If an incarnation crashed, the actor has logged that
/// already.
pub(crate) fn child_did_not_start(
    system: &System,
    child: impl FnOnce() -> Child,
    reason: &ExitReason,
    is_logged: bool,
) {
    let reason = reason.clone();
    let level = if is_logged { Level::DEBUG } else { Level::WARN };
    of_child(system, level, child, move |child| {
        let reason = format!("{reason:#}");
        if is_logged {
            child_line!(DEBUG, child, %reason, "child did not start");
        } else {
            child_line!(WARN, child, %reason, "child did not start");
        }
    });
}

/// Logs that a child is restarted.
pub(crate) fn child_restarts(
    system: &System,
    child: impl FnOnce() -> Child,
    reason: &ExitReason,
    restarts_left: u32,
    delay: Duration,
) {
    let reason = reason.clone();
    of_child(system, Level::DEBUG, child, move |child| {
        let reason = format!("{reason:#}");
        child_line!(DEBUG, child, %reason, restarts_left, ?delay, "child is restarted");
    });
}

/// Logs that a stopped child ended with another reason. If it crashed, the actor has logged that
/// already.
pub(crate) fn child_ended_with_another_reason(
    system: &System,
    child: impl FnOnce() -> Child,
    reason: &ExitReason,
) {
    let (reason, is_logged) = (reason.clone(), reason.is_crash());
    let level = if is_logged { Level::DEBUG } else { Level::INFO };
    of_child(system, level, child, move |child| {
        let reason = format!("{reason:#}");
        if is_logged {
            child_line!(DEBUG, child, %reason, "child was stopped and ended with another reason");
        } else {
            child_line!(INFO, child, %reason, "child was stopped and ended with another reason");
        }
    });
}

/// Logs that a child is stopped because it is unresponsive.
pub(crate) fn child_is_unresponsive(
    system: &System,
    child: impl FnOnce() -> Child,
    cause: impl fmt::Display + Send + 'static,
) {
    of_child(system, Level::WARN, child, move |child| {
        child_line!(WARN, child, %cause, "child is unresponsive");
    });
}

/// Logs that a child did not stop in time and is killed, or that a killed child is abandoned. In
/// the latter case the actor has logged that already.
pub(crate) fn child_stop_timed_out(system: &System, child: impl FnOnce() -> Child, abandoned: bool) {
    if abandoned {
        of_child(system, Level::DEBUG, child, |child| {
            child_line!(DEBUG, child, "child did not end when it was killed: abandoned");
        });
    } else {
        of_child(system, Level::WARN, child, |child| {
            child_line!(WARN, child, "child did not stop in time: killed");
        });
    }
}

/// Logs that a child of a killed supervisor was killed and is abandoned. The actor has logged that
/// already.
pub(crate) fn orphan_abandoned(system: &System, supervisor: Pid, path: &Arc<str>, pid: Pid) {
    let path = path.clone();
    system.log_later(Level::DEBUG, move || {
        let (actor, incarnation) = (&*path, pid.incarnation());
        line!(
            DEBUG, TARGET, %supervisor, actor, %pid, incarnation,
            "child did not end when it was killed: abandoned"
        );
    });
}

/// Logs that the restart intensity of a supervisor was exceeded.
pub(crate) fn supervisor_gives_up(system: &System, supervisor: Pid, path: &Arc<str>, child: &Arc<str>) {
    let (path, child) = (path.clone(), child.clone());
    system.log_later(Level::ERROR, move || {
        let (actor, incarnation, child) = (&*path, supervisor.incarnation(), &*child);
        line!(
            ERROR, TARGET, actor, pid = %supervisor, incarnation, child,
            "supervisor gave up: restart intensity exceeded"
        );
    });
}

/// Logs that ractor did not start a supervisor.
pub(crate) fn supervisor_did_not_start(system: &System, error: String) {
    system.log_later(Level::ERROR, move || {
        line!(ERROR, TARGET, error, "ractor did not start the supervisor");
    });
}

/// Logs that the watchdog thread for deadlines could not be started.
pub(crate) fn no_watchdog_thread(system: &System, error: io::Error) {
    system.log_later(Level::ERROR, move || line!(ERROR, TARGET, %error, "no thread to watch deadlines"));
}

/// Logs that a child of a ractor actor has not ended after it was killed with the actor.
pub(crate) fn ractor_child_outlives(system: &System, actor: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        line!(WARN, TARGET, %actor, "a child of a ractor actor outlives it");
    });
}

/// Logs that a pool could not be resized.
pub(crate) fn pool_not_resized(system: &System, error: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        let error = format!("{error:#}");
        line!(WARN, POOL, %error, "pool was not resized: it is tried again");
    });
}

/// Logs that the process received a stop signal.
pub(crate) fn stop_signal_received(system: &System, first: impl fmt::Display + Send + 'static) {
    system.log_later(Level::INFO, move || {
        line!(INFO, TARGET, signal = %first, "received {first}: shutting down");
    });
}

/// Logs that the process received a second stop signal.
pub(crate) fn second_signal_received(system: &System, second: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        line!(WARN, TARGET, signal = %second, "second signal received: killing all actors");
    });
}

/// Logs that the closure before a stop panicked.
pub(crate) fn stop_hook_failed(system: &System, reason: ExitReason) {
    system.log_later(
        Level::ERROR,
        move || line!(ERROR, TARGET, %reason, "the closure before the stop failed: the tree stops"),
    );
}

/// Logs that the closure before a stop exceeded its timeout.
pub(crate) fn stop_hook_timed_out(system: &System, timeout: Duration) {
    system.log_later(Level::WARN, move || {
        line!(WARN, TARGET, ?timeout, "the closure before the stop took too long: the tree stops");
    });
}
