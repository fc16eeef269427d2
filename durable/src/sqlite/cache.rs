//! What the thread that writes knows of the file without reading it.

use super::journals::Journals;
use super::recent::Recent;

/// What was read and written lately.
#[derive(Default)]
pub(super) struct Cache {
    pub(super) recent: Recent,
    pub(super) journals: Journals,
}

impl Cache {
    /// Begins a transaction.
    pub(super) const fn begin(&mut self) {
        self.journals.begin();
    }

    /// Forgets what may have been undone: a transaction, or a part of it, was rolled back.
    pub(super) fn roll_back(&mut self) {
        self.journals.forget();
    }
}
