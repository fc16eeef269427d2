//! The system itself.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::broadcast::{Broadcast, Subscription};
use super::dead_letters::DeadLetter;
use super::events::LifecycleEvent;
use super::extensions::Extensions;
use super::process_table::{ProcessTable, SlotIndex};
use super::timer_wheel::TimerWheel;
use crate::any_process::AnyProcess;
use crate::counters::MessageStats;
use crate::log::{self, Level, LogQueue};
use crate::panics::PanicLocations;

/// What belongs together: actors, their supervisors, their names. A cheap handle; clones are the same system.
#[derive(Clone)]
pub struct System(Arc<Inner>);

struct Inner {
    began: Instant,
    next_number: AtomicU64,
    events: Broadcast<LifecycleEvent>,
    dead_letters: Broadcast<DeadLetter>,
    processes: ProcessTable,
    extensions: Extensions,
    log: LogQueue,
    timeouts: Arc<TimerWheel>,
    panic_locations: Option<PanicLocations>,
}

impl System {
    /// A system with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A system with more to say about it.
    pub fn builder() -> SystemBuilder {
        SystemBuilder::default()
    }

    /// Subscribes to lifecycle events, from now on.
    #[must_use]
    pub fn events(&self) -> Subscription<LifecycleEvent> {
        self.0.events.subscribe()
    }

    /// Subscribes to dead letters, from now on.
    #[must_use]
    pub fn dead_letters(&self) -> Subscription<DeadLetter> {
        self.0.dead_letters.subscribe()
    }

    /// The accounts of all mailboxes together, those of actors that are gone included. One whose last address is being dropped
    /// at this very moment may be missing.
    #[must_use]
    pub fn counters(&self) -> MessageStats {
        self.0.processes.counters()
    }

    /// The extension of type `T`, made by `make` if this is the first time that it is asked for.
    ///
    /// ```
    /// # use perennial_actors::System;
    /// struct Motto(&'static str);
    ///
    /// let system = System::new();
    /// assert_eq!(system.extension(|| Motto("let it crash")).0, "let it crash");
    /// assert_eq!(system.extension(|| Motto("never made")).0, "let it crash");
    /// ```
    pub fn extension<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> &T {
        self.0.extensions.get_or_insert(make)
    }

    /// Tells an event to those who subscribed. For supervisors and other hosts of actors.
    pub fn publish(&self, event: impl FnOnce() -> LifecycleEvent) {
        self.0.events.send(event);
    }

    pub(crate) fn bury(&self, letter: impl FnOnce() -> DeadLetter) {
        self.0.dead_letters.send(letter);
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.0.next_number.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn register(&self, number: u64, process: Weak<dyn AnyProcess>) -> SlotIndex {
        self.0.processes.register(number, process)
    }

    pub(crate) fn unregister(&self, place: SlotIndex, last: MessageStats) {
        self.0.processes.unregister(place, last);
    }

    /// Differs from that of every other system that lives.
    pub(crate) fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn age(&self) -> Duration {
        self.0.began.elapsed()
    }

    pub(crate) fn living(&self) -> Vec<Arc<dyn AnyProcess>> {
        self.0.processes.processes()
    }

    pub(crate) fn timeouts(&self) -> &Arc<TimerWheel> {
        &self.0.timeouts
    }

    pub(crate) fn log(&self) -> &LogQueue {
        &self.0.log
    }

    /// Queues a log line, to be written in order, in a task of its own, under a guard. For supervisors and other hosts of
    /// actors: neither waits for a subscriber.
    pub fn log_later(&self, level: Level, line: impl FnOnce() + Send + 'static) {
        self.0.log.push(level, line);
    }

    /// Returns `true` if reports of panics say where they happened.
    pub(crate) fn tells_panic_locations(&self) -> bool {
        self.0.panic_locations.is_some()
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for System {
    /// Whether both are the same system.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for System {}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// Builds a [`System`].
#[derive(Debug, Default)]
#[must_use]
pub struct SystemBuilder {
    panic_locations: Option<PanicLocations>,
}

impl SystemBuilder {
    /// Reports of panics say where they happened.
    pub fn panic_locations(mut self, locations: PanicLocations) -> Self {
        self.panic_locations = Some(locations);
        self
    }

    /// The system.
    #[must_use]
    pub fn build(self) -> System {
        let log = LogQueue::new();
        if cfg!(panic = "abort") {
            log::panics_abort(&log);
        }
        System(Arc::new(Inner {
            began: Instant::now(),
            next_number: AtomicU64::new(1),
            events: Broadcast::new(),
            dead_letters: Broadcast::new(),
            processes: ProcessTable::new(),
            extensions: Extensions::default(),
            log,
            timeouts: Arc::new(TimerWheel::new()),
            panic_locations: self.panic_locations,
        }))
    }
}
