//! The events of a system in their order: a bounded ring, which readers follow by number.
//!
//! The texts of a reason come from code of users, which runs under no lock. So an event is recorded
//! without them, and completed after that by the first one that needs it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use perennial_actors::ExitReason;
use perennial_actors::host::sync::{Mutex, OnceLock};

use crate::causes::Causes;
use crate::event::{Event, EventKind};
use crate::reason::Reason;
use crate::sources::Taken;

/// The last events of a system.
pub(crate) struct Journal {
    ring: VecDeque<Arc<Entry>>,
    capacity: usize,
    /// The number of the last event, recorded or lost.
    last: u64,
    causes: Causes,
    /// A moment on both clocks.
    began: (Instant, SystemTime),
}

/// An event, which may lack the texts of its reason.
pub(crate) struct Entry {
    pub(crate) event: Event,
    /// The reason, until the event is complete.
    reason: Mutex<Option<ExitReason>>,
    /// The threads that run the code of users for its texts.
    rendering: Mutex<Vec<ThreadId>>,
    complete: OnceLock<Event>,
}

/// What follows an event in a journal.
pub(crate) enum Next {
    /// The next event.
    Entry(Arc<Entry>),
    /// This number of events is not there any more.
    Missed(u64),
    /// Nothing yet.
    Nothing,
}

impl Entry {
    /// Returns the event with all texts. Runs code of users, so it is called under no lock. If that
    /// code asks for the event whose texts it returns, it gets the event without them.
    pub(crate) fn complete(&self) -> Event {
        if let Some(event) = self.complete.get() {
            return event.clone();
        }
        let thread = thread::current().id();
        if self.rendering.lock().contains(&thread) {
            return self.event.clone();
        }
        let reason = self.reason.lock().clone();
        let mut event = self.event.clone();
        if let Some(reason) = &reason {
            self.rendering.lock().push(thread);
            // Panics of the code are texts too.
            event.kind.set_reason(Reason::of(reason));
            self.rendering.lock().retain(|rendering| *rendering != thread);
        }
        // Another reader may have been faster. Its text is returned then, so that all see the same.
        let _ = self.complete.set(event.clone());
        let unneeded = self.reason.lock().take();
        drop((reason, unneeded));
        self.complete.get().cloned().unwrap_or(event)
    }
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            capacity: capacity.max(1),
            last: 0,
            causes: Causes::default(),
            began: (Instant::now(), SystemTime::now()),
        }
    }

    /// Returns the number of the last event.
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Records events. Lost ones come first. Returns what the caller drops under no lock.
    #[must_use = "reasons are users' values, to be dropped under no lock"]
    pub(crate) fn record(&mut self, taken: &Taken) -> Vec<Arc<Entry>> {
        self.last += taken.missed;
        let mut evicted = Vec::new();
        for (at, raw) in &taken.events {
            if let Some(kind) = raw.kind() {
                evicted.extend(self.push(*at, kind, raw.reason()));
            }
        }
        evicted
    }

    /// Records one event. Returns the evicted one, to be dropped under no lock.
    #[must_use = "reasons are users' values, to be dropped under no lock"]
    pub(crate) fn push(
        &mut self,
        at: Instant,
        kind: EventKind,
        reason: Option<ExitReason>,
    ) -> Option<Arc<Entry>> {
        self.last += 1;
        let (sequence, at_millis) = (self.last, self.millis(at));
        let cause = self.causes.next(sequence, &kind);
        let event = Event { sequence, at_millis, cause, kind };
        let complete = OnceLock::new();
        if reason.is_none() {
            let _ = complete.set(event.clone());
        }
        let (reason, rendering) = (Mutex::new(reason), Mutex::default());
        self.ring.push_back(Arc::new(Entry { event, reason, rendering, complete }));
        if self.ring.len() > self.capacity { self.ring.pop_front() } else { None }
    }

    fn millis(&self, at: Instant) -> u64 {
        let (instant, time) = self.began;
        let at = time + at.saturating_duration_since(instant);
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns what follows the event with this number.
    pub(crate) fn after(&self, sequence: u64) -> Next {
        let at = self.ring.partition_point(|entry| entry.event.sequence <= sequence);
        match self.ring.get(at) {
            Some(entry) if entry.event.sequence == sequence + 1 => Next::Entry(entry.clone()),
            Some(entry) => Next::Missed(entry.event.sequence - sequence - 1),
            None if self.last > sequence => Next::Missed(self.last - sequence),
            None => Next::Nothing,
        }
    }

    /// Returns the events after this number, or `None` if some of them are not there any more.
    pub(crate) fn all_after(&self, sequence: u64) -> Option<Vec<Arc<Entry>>> {
        let at = self.ring.partition_point(|entry| entry.event.sequence <= sequence);
        let entries: Vec<_> = self.ring.iter().skip(at).cloned().collect();
        let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        (sequence + count == self.last).then_some(entries)
    }

    /// Returns all events that are there.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.ring.iter().cloned().collect()
    }

    /// Returns the last events of one kind, at most `most`, the oldest first.
    pub(crate) fn last_of(&self, most: usize, is_wanted: impl Fn(&EventKind) -> bool) -> Vec<Arc<Entry>> {
        let wanted = self.ring.iter().rev().filter(|entry| is_wanted(&entry.event.kind));
        let mut entries: Vec<_> = wanted.take(most).cloned().collect();
        entries.reverse();
        entries
    }
}
