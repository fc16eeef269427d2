//! A thread beside the runtime, that sees to it that the deadlines of those who watch are kept.
//!
//! One of tokio's threads at a time drives the timers, while it has nothing else to do. When something wakes it and what it runs
//! then never awaits, the timers stand still until somebody happens to wake another thread, however many have nothing to do (tokio
//! issue 4730). That is just when a supervisor has to find a child that hangs. So a supervisor that watches children leaves word
//! here of its next deadline. If that passes and it leaves no other, an empty task from outside wakes a thread of its runtime,
//! which drives the timers then.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use perennial_actors::System;
use tokio::runtime::{self, RuntimeFlavor};

use crate::log;

/// How late a supervisor may be before its runtime is woken. Tokio's timers are late by up to a millisecond.
const SLACK: Duration = Duration::from_millis(5);

/// Wakes the runtimes of supervisors that are late. One in every system; its thread lives while it has something to do.
#[derive(Default)]
pub(super) struct DeadlineWatchdog(Arc<Shared>);

/// Where words are left.
#[derive(Default)]
struct Shared {
    words: Mutex<Words>,
    changed: Condvar,
}

#[derive(Default)]
struct Words {
    of: HashMap<u64, Deadline>,
    next: u64,
    /// When the thread looks again, if there is one.
    looks: Option<Instant>,
}

/// What a supervisor has said.
struct Deadline {
    /// When it was to leave another.
    due: Instant,
    /// When its runtime is to be woken if it has not.
    at: Instant,
    runtime: runtime::Handle,
    /// Whether an empty task is on its way. If none of the threads comes to it, another would change nothing.
    waking: Arc<AtomicBool>,
}

/// A supervisor's right to leave word, until it is dropped.
pub(super) struct WatchdogGuard {
    number: u64,
    post: Arc<Shared>,
    /// None if there is no other thread to wake.
    runtime: Option<runtime::Handle>,
    /// Where it is logged if there is no thread.
    system: System,
}

impl DeadlineWatchdog {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// On a runtime with one thread nothing could help, and its time may be paused: what is left there is not looked at.
    pub(super) fn charge(&self, system: &System) -> WatchdogGuard {
        let runtime = runtime::Handle::try_current().ok();
        let runtime = runtime.filter(|it| !matches!(it.runtime_flavor(), RuntimeFlavor::CurrentThread));
        let mut words = self.0.lock();
        words.next += 1;
        WatchdogGuard { number: words.next, post: self.0.clone(), runtime, system: system.clone() }
    }
}

impl WatchdogGuard {
    /// Leaves word of the next deadline, in place of the one before.
    pub(super) fn set(&self, due: Option<Instant>) {
        let Some(runtime) = &self.runtime else { return };
        let mut words = self.post.lock();
        let Some(due) = due else {
            words.of.remove(&self.number);
            return;
        };
        let at = due.checked_add(SLACK).unwrap_or(due);
        let word = Deadline { due, at, runtime: runtime.clone(), waking: Arc::default() };
        words.of.insert(self.number, word);
        match words.looks {
            None => {
                words.looks = Some(at);
                drop(words);
                begin(&self.post, &self.system);
            }
            Some(looks) if at < looks => self.post.changed.notify_one(),
            Some(_) => {}
        }
    }
}

impl Drop for WatchdogGuard {
    /// The last one to go sends the thread home.
    fn drop(&mut self) {
        let mut words = self.post.lock();
        words.of.remove(&self.number);
        if words.of.is_empty() {
            self.post.changed.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches until nobody is left to watch.
    fn watch(&self) {
        let mut words = self.lock();
        loop {
            words.looks = words.of.values().map(|word| word.at).min();
            let Some(next) = words.looks else { return };
            let now = Instant::now();
            if next > now {
                let woken = self.changed.wait_timeout(words, next - now);
                words = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let late: Vec<_> = words.of.values_mut().filter_map(|word| word.wake(now)).collect();
            drop(words);
            for (runtime, waking) in late {
                drop(runtime.spawn(async move { waking.store(false, Ordering::Relaxed) }));
            }
            words = self.lock();
        }
    }
}

impl Deadline {
    /// The runtime to wake, if it is late; it is seen to again when it is late for twice as long.
    fn wake(&mut self, now: Instant) -> Option<(runtime::Handle, Arc<AtomicBool>)> {
        if self.at > now {
            return None;
        }
        self.at = now + (now - self.due).max(SLACK);
        let on_its_way = self.waking.swap(true, Ordering::Relaxed);
        (!on_its_way).then(|| (self.runtime.clone(), self.waking.clone()))
    }
}

fn begin(post: &Arc<Shared>, system: &System) {
    let watching = post.clone();
    let begun = thread::Builder::new().name("perennial-watchman".to_owned()).spawn(move || watching.watch());
    if let Err(error) = begun {
        log::no_watchdog_thread(system, error);
        post.lock().looks = None;
    }
}
