//! The handle with which a system is observed.

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use perennial_actors::System;
use perennial_actors::host::sync::Mutex;
use tokio::sync::Notify;
use tokio::time;

use crate::age::Ages;
use crate::event::EventKind;
use crate::journal::Journal;
use crate::sources::Sources;

/// The number of events that are kept unless another is set.
const EVENTS: usize = 10_000;

/// The most rounds in which events that come while others are taken are taken too.
const MAX_ROUNDS: usize = 16;

/// Observes a system: the source of its snapshots, events and crash reports.
///
/// Recording begins with the first value for a system and ends when the last one is dropped. Clones
/// observe with the same journal.
///
/// The streams of the system hold 4,096 events each until they are read, here or by any reader of
/// [`Events`](crate::Events). If nothing reads for longer, the next reader is told how many were
/// lost.
#[derive(Clone)]
pub struct Operations(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) system: System,
    state: Mutex<State>,
    pub(crate) ages: Mutex<Ages>,
    wakeup: Arc<Wakeup>,
    began: time::Instant,
}

struct State {
    sources: Sources,
    journal: Journal,
}

/// Wakes the readers of the events.
struct Wakeup(Notify);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }
}

/// The journal of one system, while it is observed.
#[derive(Default)]
struct Slot(Mutex<Weak<Shared>>);

impl Operations {
    /// Observes a system. Keeps its last 10,000 events, unless it is observed already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// let operations = Operations::of(&System::new());
    /// assert!(operations.snapshot().model.processes.is_empty());
    /// ```
    #[must_use]
    pub fn of(system: &System) -> Self {
        Self::with_capacity(system, EVENTS)
    }

    /// Observes a system. Keeps this number of its last events, at least one, unless it is observed
    /// already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_operations::Operations;
    /// let operations = Operations::with_capacity(&System::new(), 100);
    /// assert!(operations.history().is_empty());
    /// ```
    #[must_use]
    pub fn with_capacity(system: &System, events: usize) -> Self {
        let slot = system.extension(Slot::default);
        let mut known = slot.0.lock();
        if let Some(shared) = known.upgrade() {
            return Self(shared);
        }
        let state = State { sources: Sources::of(system), journal: Journal::new(events) };
        let shared = Arc::new(Shared {
            system: system.clone(),
            state: Mutex::new(state),
            ages: Mutex::new(Ages::default()),
            wakeup: Arc::new(Wakeup(Notify::new())),
            began: time::Instant::now(),
        });
        *known = Arc::downgrade(&shared);
        Self(shared)
    }

    /// Returns the system.
    #[must_use]
    pub fn system(&self) -> &System {
        &self.0.system
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Shared {
    /// Takes the events of all streams into the journal. All events that were recorded before this
    /// call are in it when this returns.
    pub(crate) fn take_events(&self) {
        let waker = Waker::from(self.wakeup.clone());
        let mut holds_more = true;
        for _ in 0..MAX_ROUNDS {
            let mut state = self.state.lock();
            let State { sources, journal } = &mut *state;
            let taken = sources.take(&waker);
            let evicted = journal.record(&taken);
            drop(state);
            holds_more = taken.holds_more;
            let is_new = !taken.events.is_empty() || taken.missed > 0;
            drop((taken, evicted));
            if is_new {
                self.wakeup.0.notify_waiters();
            }
            if !holds_more {
                break;
            }
        }
        if holds_more {
            self.wakeup.0.notify_waiters();
        }
    }

    /// Records an event that happens now.
    pub(crate) fn record(&self, kind: EventKind) {
        self.take_events();
        let evicted = self.state.lock().journal.push(Instant::now(), kind, None);
        drop(evicted);
        self.wakeup.0.notify_waiters();
    }

    /// Reads the journal. No event is dropped under its lock.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Journal) -> R) -> R {
        let state = self.state.lock();
        read(&state.journal)
    }

    /// Returns the future that resolves at the next event.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.wakeup.0.notified()
    }

    /// Returns the time since the start of the observation.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.read(Journal::last);
        f.debug_struct("Operations").field("last_event", &last).finish_non_exhaustive()
    }
}
