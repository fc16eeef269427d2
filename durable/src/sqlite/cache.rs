//! The parts of the file that the thread that writes knows without reading them.

use super::journals::Journals;
use super::recent::Recent;

/// New jobs and the ends of journals, as they were read and written lately.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) recent: Recent,
    pub(super) journals: Journals,
}

impl Cache {
    /// Begins a transaction.
    pub(super) fn begin(&mut self) {
        self.recent.begin();
        self.journals.begin();
    }

    /// Forgets what may have been undone: a transaction, or a part of it, was rolled back.
    pub(super) fn roll_back(&mut self) {
        self.journals.forget();
    }
}
