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
//! `docs/OPERATIONS.md` lists all lines with their fields.
//!
//! Each attempt at a job runs in a span, if the subscriber wants spans of this level: `job` of
//! `perennial::pool`, level info, with the fields `pool`, `job`, `attempt` and `traceparent`. The
//! lines of the job itself are in it. The subscriber runs in the task of the job then; a panic in
//! it is ignored.
//!
//! No other file of the crate calls tracing; `tests/architecture.rs` checks this.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Guarded, catch_panic, ignore_panic};
use perennial_actors::{ExitReason, Pid, SpawnError, System};
use tracing::field::{debug, display};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

use crate::node::OpenError;
use crate::report::{ReportKind, SupervisorReport};

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

/// Logs a report. Calls `report` only if a subscriber may want the line.
pub(crate) fn report(system: &System, kind: &ReportKind, report: impl FnOnce() -> SupervisorReport) {
    let level = level_of(kind);
    if level <= LevelFilter::current() {
        let report = report();
        system.log_later(level, move || write_report(level, &report));
    }
}

/// Returns the level of the line of a report. An end that the actor itself has logged has the level
/// debug.
fn level_of(kind: &ReportKind) -> Level {
    match kind {
        ReportKind::Started | ReportKind::Restarting { .. } | ReportKind::Abandoned => Level::DEBUG,
        ReportKind::Terminated { reason } | ReportKind::ShutdownError { reason } => {
            if reason.is_crash() {
                Level::DEBUG
            } else {
                Level::INFO
            }
        }
        ReportKind::StartFailed { reason } if is_logged_by_incarnation(reason) => Level::DEBUG,
        ReportKind::StartFailed { .. }
        | ReportKind::Unresponsive { .. }
        | ReportKind::Killed
        | ReportKind::StartLimitHit { .. } => Level::WARN,
        ReportKind::GaveUp { .. } => Level::ERROR,
    }
}

/// Returns `true` if the log line of the incarnation itself reports this start failure. There is no
/// such line without an incarnation, because the child could not be opened.
fn is_logged_by_incarnation(reason: &ExitReason) -> bool {
    let Some(error) = reason.error() else { return reason.is_crash() };
    let could_not_begin =
        matches!(error.downcast_ref(), Some(SpawnError::NoRuntime | SpawnError::NotOpen(_)));
    !could_not_begin && !error.is::<OpenError>()
}

/// Writes the line of a report. A field that the report does not have is `None` and is left out.
fn write_report(level: Level, report: &SupervisorReport) {
    let (message, reason) = match &report.kind {
        ReportKind::Started => ("child started", None),
        ReportKind::Terminated { reason } => ("child ended", Some(reason)),
        ReportKind::StartFailed { reason } => ("child did not start", Some(reason)),
        ReportKind::Restarting { reason, .. } => ("child is restarted", Some(reason)),
        ReportKind::ShutdownError { reason } => {
            ("child was stopped and ended with another reason", Some(reason))
        }
        ReportKind::Unresponsive { .. } => ("child is unresponsive", None),
        ReportKind::Killed => ("child did not stop in time: killed", None),
        ReportKind::Abandoned => ("child did not end when it was killed: abandoned", None),
        ReportKind::StartLimitHit { reason } => ("child hit its start limit: failed", Some(reason)),
        ReportKind::GaveUp { .. } => ("supervisor gave up: restart intensity exceeded", None),
    };
    let reason = reason.map(|reason| display(format!("{reason:#}")));
    let (mut restarts_left, mut delay, mut cause, mut child) = (None, None, None, None);
    match &report.kind {
        ReportKind::Restarting { restarts_left: left, delay: time, .. } => {
            (restarts_left, delay) = (Some(*left), Some(debug(time)));
        }
        ReportKind::Unresponsive { sign } => cause = Some(display(sign)),
        ReportKind::GaveUp { child: id } => child = Some(&**id),
        _ => {}
    }
    let supervisor = child.is_none().then(|| display(report.supervisor));
    let (actor, incarnation) = (&*report.path, report.pid.map(Pid::incarnation));
    let pid = report.pid.map(display);
    macro_rules! at {
        ($level:ident) => {
            line!(
                $level,
                TARGET,
                supervisor,
                actor,
                pid,
                incarnation,
                reason,
                restarts_left,
                delay,
                cause,
                child,
                "{message}"
            )
        };
    }
    match level {
        Level::ERROR => at!(ERROR),
        Level::WARN => at!(WARN),
        Level::INFO => at!(INFO),
        _ => at!(DEBUG),
    }
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

/// Logs that the condition that decides about the restart of a child panicked.
pub(crate) fn condition_panicked(
    system: &System,
    actor: impl fmt::Display + Send + 'static,
    reason: ExitReason,
) {
    system.log_later(Level::WARN, move || {
        line!(WARN, TARGET, %actor, %reason, "the restart condition of a child panicked: restarted");
    });
}

/// Logs that a pool could not be resized.
pub(crate) fn pool_not_resized(system: &System, pool: Arc<str>, error: impl fmt::Display + Send + 'static) {
    system.log_later(Level::WARN, move || {
        let error = format!("{error:#}");
        line!(WARN, POOL, %pool, %error, "pool was not resized: it is tried again");
    });
}

/// Logs that the closure that decides on the retry of a job panicked.
pub(crate) fn retry_closure_failed(system: &System, pool: &str, reason: ExitReason) {
    let pool = pool.to_owned();
    system.log_later(Level::ERROR, move || {
        line!(ERROR, POOL, %pool, reason = %format_args!("{reason:#}"), "the closure of `retry_if` failed: the job is not retried");
    });
}

/// Logs the jobs of a stopped pool whose calls still run.
pub(crate) fn calls_outlive_stop<I: fmt::Display + Send + 'static>(
    system: &System,
    pool: Arc<str>,
    jobs: Vec<I>,
) {
    system.log_later(Level::WARN, move || {
        let jobs: Vec<String> = jobs.iter().map(I::to_string).collect();
        let jobs = jobs.join(", ");
        line!(WARN, POOL, %pool, %jobs, "calls of blocking jobs still run after the stop of their pool");
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

/// The span of an attempt at a job. It is entered, left and dropped under a guard.
pub(crate) struct JobSpan(Guarded<Span>);

/// Returns the span of an attempt, or `None` if no subscriber wants it.
#[inline]
pub(crate) fn job_span<'a>(
    pool: &str,
    job: impl fmt::Display,
    attempt: u32,
    traceparent: impl FnOnce() -> Option<&'a str>,
) -> Option<JobSpan> {
    if Level::INFO <= LevelFilter::current() {
        make_job_span(pool, job, attempt, traceparent())
    } else {
        None
    }
}

#[cold]
fn make_job_span(
    pool: &str,
    job: impl fmt::Display,
    attempt: u32,
    traceparent: Option<&str>,
) -> Option<JobSpan> {
    let make = || tracing::info_span!(target: POOL, parent: None, "job", pool, %job, attempt, traceparent);
    let span = Guarded::new(catch_panic(None, make).ok()?);
    (!span.is_disabled()).then_some(JobSpan(span))
}

/// Returns the span that the caller runs in, if it runs in one.
pub(crate) fn current_span() -> Option<JobSpan> {
    if Level::INFO > LevelFilter::current() {
        return None;
    }
    let span = Guarded::new(catch_panic(None, Span::current).ok()?);
    (!span.is_disabled()).then_some(JobSpan(span))
}

/// Runs `code` in a span, if there is one.
#[inline]
pub(crate) fn in_span<T>(span: Option<&JobSpan>, code: impl FnOnce() -> T) -> T {
    let _entered = span.map(EnteredSpan::enter);
    code()
}

/// A span that is left when this is dropped.
struct EnteredSpan<'a>(&'a JobSpan);

impl<'a> EnteredSpan<'a> {
    #[cold]
    fn enter(span: &'a JobSpan) -> Self {
        ignore_panic(|| {
            let _ = span.0.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        });
        Self(span)
    }
}

impl Drop for EnteredSpan<'_> {
    fn drop(&mut self) {
        ignore_panic(|| {
            let _ = self.0.0.with_subscriber(|(id, subscriber)| subscriber.exit(id));
        });
    }
}
