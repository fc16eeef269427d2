//! The clock of a supervisor and its only timer, and a thread outside the runtime that guards the
//! deadlines of supervisors with liveness checks.
//!
//! One of tokio's threads at a time drives the timers, while it has no other work. If it is then
//! woken for a task that never awaits, the timers stand still until another thread is woken,
//! however many are idle (tokio issue 4730). In exactly that case a supervisor has to detect an
//! unresponsive child. So a supervisor with liveness checks registers its next deadline here. If
//! the deadline passes and the supervisor registers no other, the watchdog spawns an empty task on
//! its runtime. That wakes a thread, which drives the timers.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use perennial_actors::System;
use perennial_actors::host::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering};
use tokio::runtime::{self, RuntimeFlavor};
use tokio::task::JoinHandle;
use tokio::time;

use super::inbox::{DriverMsg, Inbox};
use crate::engine::Time;
use crate::log;

/// The time since the start of the supervisor, and a timer that sends a [`DriverMsg::Tick`] at the
/// nearest deadline.
pub(super) struct Clock {
    began: time::Instant,
    timer: Option<(Time, JoinHandle<()>)>,
    watchdog: Option<WatchdogGuard>,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: time::Instant::now(), timer: None, watchdog: None }
    }

    pub(super) fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// Lets the watchdog guard all later deadlines against a runtime whose timers stand still.
    pub(super) fn enable_watchdog(&mut self, system: &System) {
        if self.watchdog.is_none() {
            self.watchdog = Some(DeadlineWatchdog::of(system).register(system));
            // The watchdog does not know the current deadline.
            self.disarm();
        }
    }

    /// Sets the timer to `deadline`, in place of the previous one.
    pub(super) fn set(&mut self, deadline: Option<Time>, inbox: &Arc<Inbox>) {
        if self.timer.as_ref().map(|(timer, _)| *timer) == deadline {
            return;
        }
        self.disarm();
        // A deadline that overflows never passes.
        let at = deadline.and_then(|deadline| self.began.checked_add(deadline));
        if let Some(watchdog) = &self.watchdog {
            watchdog.set(at.map(time::Instant::into_std));
        }
        let (Some(deadline), Some(at)) = (deadline, at) else { return };
        let inbox = inbox.clone();
        let timer = tokio::spawn(async move {
            time::sleep_until(at).await;
            inbox.put(DriverMsg::Tick);
        });
        self.timer = Some((deadline, timer));
    }

    /// Cancels the timer. It has to be set again after it has fired.
    pub(super) fn disarm(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            timer.abort();
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.disarm();
    }
}

/// The time after a deadline until the runtime is woken. Tokio's timers are late by up to a
/// millisecond.
const SLACK: Duration = Duration::from_millis(5);

/// Wakes the runtimes of supervisors that miss a deadline. There is one per system. Its thread runs
/// while it has any deadline.
#[derive(Default)]
pub(super) struct DeadlineWatchdog(Arc<Shared>);

/// The deadlines, shared with the thread.
#[derive(Default)]
struct Shared {
    deadlines: Mutex<Deadlines>,
    changed: Condvar,
}

#[derive(Default)]
struct Deadlines {
    by_guard: HashMap<u64, Deadline>,
    next: u64,
    /// When the thread checks next, if it runs.
    next_check: Option<Instant>,
}

/// The next deadline of one supervisor.
struct Deadline {
    /// The deadline.
    due: Instant,
    /// When the runtime is woken unless the supervisor sets another deadline first.
    at: Instant,
    runtime: runtime::Handle,
    /// Set while an empty task is queued on the runtime. If no thread runs it, another one would
    /// change nothing.
    waking: Arc<AtomicBool>,
}

/// A supervisor's registration, until it is dropped.
pub(super) struct WatchdogGuard {
    number: u64,
    shared: Arc<Shared>,
    /// `None` if the runtime has no other thread to wake.
    runtime: Option<runtime::Handle>,
    /// The system that logs a failed start of the thread.
    system: System,
}

impl DeadlineWatchdog {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Registers a supervisor. On a runtime with one thread its deadlines are ignored: waking could
    /// not help, and the time of that runtime may be paused.
    pub(super) fn register(&self, system: &System) -> WatchdogGuard {
        let runtime = runtime::Handle::try_current().ok();
        let runtime = runtime.filter(|it| !matches!(it.runtime_flavor(), RuntimeFlavor::CurrentThread));
        let mut deadlines = self.0.lock();
        deadlines.next += 1;
        WatchdogGuard { number: deadlines.next, shared: self.0.clone(), runtime, system: system.clone() }
    }
}

impl WatchdogGuard {
    /// Sets the next deadline, in place of the previous one.
    pub(super) fn set(&self, due: Option<Instant>) {
        let Some(runtime) = &self.runtime else { return };
        let mut deadlines = self.shared.lock();
        let Some(due) = due else {
            deadlines.by_guard.remove(&self.number);
            return;
        };
        let at = due.checked_add(SLACK).unwrap_or(due);
        let deadline = Deadline { due, at, runtime: runtime.clone(), waking: Arc::default() };
        deadlines.by_guard.insert(self.number, deadline);
        match deadlines.next_check {
            None => {
                deadlines.next_check = Some(at);
                drop(deadlines);
                spawn_thread(&self.shared, &self.system);
            }
            Some(next_check) if at < next_check => self.shared.changed.notify_one(),
            Some(_) => {}
        }
    }
}

impl Drop for WatchdogGuard {
    /// The drop of the last guard ends the thread.
    fn drop(&mut self) {
        let mut deadlines = self.shared.lock();
        deadlines.by_guard.remove(&self.number);
        if deadlines.by_guard.is_empty() {
            self.shared.changed.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock()
    }

    /// Wakes the runtimes of passed deadlines until there is no deadline left.
    fn watch(&self) {
        let mut deadlines = self.lock();
        loop {
            deadlines.next_check = deadlines.by_guard.values().map(|deadline| deadline.at).min();
            let Some(next) = deadlines.next_check else { return };
            let now = Instant::now();
            if next > now {
                deadlines = self.changed.wait_timeout(deadlines, next - now);
                continue;
            }
            let overdue: Vec<_> =
                deadlines.by_guard.values_mut().filter_map(|deadline| deadline.wake(now)).collect();
            drop(deadlines);
            for (runtime, waking) in overdue {
                drop(runtime.spawn(async move { waking.store(false, Ordering::Relaxed) }));
            }
            deadlines = self.lock();
        }
    }
}

impl Deadline {
    /// Returns the runtime to wake if the deadline has passed, and schedules the next check for
    /// when the deadline is overdue by twice as long.
    fn wake(&mut self, now: Instant) -> Option<(runtime::Handle, Arc<AtomicBool>)> {
        if self.at > now {
            return None;
        }
        self.at = now + (now - self.due).max(SLACK);
        let on_its_way = self.waking.swap(true, Ordering::Relaxed);
        (!on_its_way).then(|| (self.runtime.clone(), self.waking.clone()))
    }
}

fn spawn_thread(shared: &Arc<Shared>, system: &System) {
    let watched = shared.clone();
    let spawned = thread::Builder::new().name("perennial-watchdog".to_owned()).spawn(move || watched.watch());
    if let Err(error) = spawned {
        log::no_watchdog_thread(system, error);
        shared.lock().next_check = None;
    }
}
