//! The log lines of this crate, and the queue through which they go.
//!
//! A subscriber is foreign code. It may panic (one that prints to a closed pipe does), block (on a
//! full pipe), or call back. So a line is queued at once and passed to the subscriber later, in a
//! task of its own, in order, under a guard. Neither an actor nor a supervisor waits for it.
//!
//! # What is written
//!
//! `docs/OPERATIONS.md` lists all lines with their fields. All have the target `perennial::actors`
//! and no parent span. A reason is written with all sources of its error, and with the location of
//! the panic if [`PanicLocations`](crate::PanicLocations) is installed. A crash is an exit with a
//! reason for which [`is_crash`](crate::ExitReason::is_crash) holds.
//!
//! This file and `spans.rs` are the only ones of the crate that call tracing;
//! `tests/architecture.rs` checks it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::runtime::Handle;
pub(crate) use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, dispatcher};

use crate::exit::ExitReason;
use crate::foreign::{drop_each, ignore_panic};
use crate::label::Label;
use crate::pid::Pid;
use crate::sync::Mutex;

/// The number of lines that wait for a slow subscriber. Further lines are counted instead.
const CAPACITY: usize = 4096;

/// The number of lines that are written before the writer task yields.
const BATCH: usize = 64;

/// Writes one line.
type LogLine = Box<dyn FnOnce() + Send>;

/// The log lines of one system that are not written yet, in order.
#[derive(Clone)]
pub(crate) struct LogQueue(Arc<Mutex<Queued>>);

struct Queued {
    lines: VecDeque<(Dispatch, LogLine)>,
    /// The number of lines that were skipped since the last line that was queued.
    skipped: u64,
    /// `true` while a writer task runs. There is one at a time, so lines keep their order.
    is_writing: bool,
}

impl LogQueue {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Queued { lines: VecDeque::new(), skipped: 0, is_writing: false })))
    }

    /// Returns `true` if a subscriber may want lines of this level.
    pub(crate) fn wants(&self, level: Level) -> bool {
        level <= LevelFilter::current()
    }

    /// Queues a line for the subscriber of the current thread. Does nothing if no subscriber wants
    /// this level.
    pub(crate) fn push(&self, level: Level, line: impl FnOnce() + Send + 'static) {
        if !self.wants(level) {
            return;
        }
        if self.enqueue(dispatcher::get_default(Dispatch::clone), Box::new(line)) {
            let writer = Writer { queue: self.clone(), is_done: false };
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(writer.run())),
                Err(_) => drop(writer),
            }
        }
    }

    /// Adds a line. Returns `true` if a writer is to be started.
    fn enqueue(&self, dispatch: Dispatch, line: LogLine) -> bool {
        let mut queued = self.0.lock();
        if queued.lines.len() >= CAPACITY {
            queued.skipped += 1;
            drop(queued);
            drop_each([line]);
            return false;
        }
        let skipped = std::mem::take(&mut queued.skipped);
        if skipped > 0 {
            queued.lines.push_back((dispatch.clone(), Box::new(move || lines_skipped(skipped))));
        }
        queued.lines.push_back((dispatch, line));
        !std::mem::replace(&mut queued.is_writing, true)
    }

    /// Takes the next line. If there is none, the writer is done.
    fn next(&self) -> Option<(Dispatch, LogLine)> {
        let mut queued = self.0.lock();
        let next = queued.lines.pop_front();
        queued.is_writing = next.is_some();
        next
    }
}

/// Runs code of another crate, which may log with a lock held. No subscriber sees what it logs.
pub fn unlogged<T>(code: impl FnOnce() -> T) -> T {
    dispatcher::with_default(&Dispatch::none(), code)
}

/// Writes the queued lines. If the runtime drops it early, it writes the rest in its `Drop`.
struct Writer {
    queue: LogQueue,
    is_done: bool,
}

impl Writer {
    async fn run(mut self) {
        while !self.is_done {
            self.write(BATCH);
            tokio::task::yield_now().await;
        }
    }

    /// Writes up to `limit` lines.
    fn write(&mut self, limit: usize) {
        for _ in 0..limit {
            let Some((dispatch, line)) = self.queue.next() else {
                self.is_done = true;
                return;
            };
            ignore_panic(|| dispatcher::with_default(&dispatch, line));
            // This may be the last handle of a replaced subscriber, whose `Drop` runs here.
            ignore_panic(|| drop(dispatch));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        while !self.is_done {
            self.write(BATCH);
        }
    }
}

/// The target of every line of this crate.
const TARGET: &str = "perennial::actors";

/// Writes a line of this crate, outside every span of the current thread.
macro_rules! line {
    ($level:expr, $($line:tt)+) => {
        tracing::event!(target: TARGET, parent: None, $level, $($line)+)
    };
}

/// Writes a line at a level that is known when it is written. The level of an event is a constant.
macro_rules! warn_or_debug {
    ($level:expr, $($line:tt)+) => {
        if $level == Level::WARN { line!(Level::WARN, $($line)+) } else { line!(Level::DEBUG, $($line)+) }
    };
}

/// The kind of an incarnation's exit, which decides its log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EndKind {
    /// The incarnation had started.
    Started,
    /// Its start failed.
    StartFailed,
    /// Its host, a supervisor, logs the exit itself.
    LoggedByHost,
    /// The runtime dropped it.
    RuntimeGone,
}

/// Logs the exit of an incarnation. `message_type` is the type of the message that it was handling.
pub(crate) fn actor_ended(
    log: &LogQueue,
    pid: Pid,
    label: &Label,
    reason: &ExitReason,
    kind: EndKind,
    message_type: Option<&'static str>,
) {
    let is_crash = reason.is_crash() && matches!(kind, EndKind::Started | EndKind::StartFailed);
    let level = if is_crash { Level::WARN } else { Level::DEBUG };
    if !log.wants(level) {
        return;
    }
    let (label, reason) = (label.clone(), reason.clone());
    log.push(level, move || {
        let (actor, incarnation) = (&*label.to_shared(), pid.incarnation());
        let reason = format!("{reason:#}");
        match kind {
            EndKind::Started if is_crash => {
                line!(Level::WARN, actor, %pid, incarnation, %reason, message_type, "actor crashed");
            }
            EndKind::StartFailed if is_crash => {
                line!(Level::WARN, actor, %pid, incarnation, %reason, "actor did not start");
            }
            _ => line!(Level::DEBUG, actor, %pid, incarnation, %reason, message_type, "actor stopped"),
        }
    });
}

/// Logs that the mailbox was detached from an incarnation that did not end when it was killed.
pub(crate) fn actor_abandoned(log: &LogQueue, pid: Pid, label: Label) {
    log.push(Level::ERROR, move || {
        let (actor, incarnation) = (&*label.to_shared(), pid.incarnation());
        line!(
            Level::ERROR,
            actor,
            %pid,
            incarnation,
            "actor did not end when it was killed, because its code does not await: abandoned"
        );
    });
}

/// Logs that a runtime was shut down while actors of this system ran. Called once for a system.
pub(crate) fn runtime_gone(log: &LogQueue) {
    log.push(Level::INFO, || line!(Level::INFO, "the runtime was shut down while actors were running"));
}

/// Logs that the program was built so that no panic can be caught.
pub(crate) fn panics_abort(log: &LogQueue) {
    log.push(Level::ERROR, || {
        line!(
            Level::ERROR,
            "built with panic = \"abort\": the first panic of any actor ends the whole process"
        );
    });
}

/// Logs a dead letter.
pub(crate) fn dead_letter(
    log: &LogQueue,
    level: Level,
    target: (Pid, Arc<str>, &'static str),
    cause: &'static str,
    reason: Option<ExitReason>,
) {
    log.push(level, move || {
        let (pid, actor, message_type) = target;
        let (actor, incarnation) = (&*actor, pid.incarnation());
        let reason = reason.as_ref().map(|reason| format!("{reason:#}"));
        let reason = reason.as_deref();
        warn_or_debug!(
            level, actor, %pid, incarnation, message_type, cause, reason,
            "dead letter: the message was not handled"
        );
    });
}

/// Logs the number of dead letters that have no line of their own.
pub(crate) fn dead_letters_counted(log: &LogQueue, level: Level, count: u64) {
    log.push(level, move || {
        warn_or_debug!(level, count, "more dead letters: too many to log each");
    });
}

fn lines_skipped(skipped: u64) {
    line!(Level::WARN, skipped, "log lines were skipped: the subscriber is too slow");
}
