//! Counters of the messages and jobs that a tree drops when it stops.

use perennial_actors::host::sync::{AtomicU64, Ordering};

/// The number of messages and jobs that one tree has dropped. All supervisors of the tree share it.
#[derive(Debug, Default)]
pub(crate) struct DropCounters {
    messages: AtomicU64,
    jobs: AtomicU64,
}

/// Numbers of dropped messages and jobs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Dropped {
    pub(crate) messages: u64,
    pub(crate) jobs: u64,
}

impl DropCounters {
    pub(crate) fn add_messages(&self, messages: u64) {
        if messages > 0 {
            self.messages.fetch_add(messages, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_jobs(&self, jobs: u64) {
        if jobs > 0 {
            self.jobs.fetch_add(jobs, Ordering::Relaxed);
        }
    }

    /// Returns the numbers up to now.
    pub(crate) fn total(&self) -> Dropped {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dropped { messages: load(&self.messages), jobs: load(&self.jobs) }
    }
}

impl Dropped {
    /// Returns the numbers since `before`.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(before.messages),
            jobs: self.jobs.saturating_sub(before.jobs),
        }
    }
}
