//! What outlives every crash: the results so far, as a disk would keep them, and how far everything is.
//!
//! The journal stands for a disk. It is the only thing that incarnations share besides messages: the collector appends to it,
//! and reads it when it starts anew.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::files::Digest;

/// What came of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    Hashed(Digest),
    /// It could not be read, for this reason.
    Failed(String),
    /// Nothing, but it is booked as done. Only a sabotaged dispatcher does that.
    Lost,
}

/// A file and what came of it.
#[derive(Clone, Debug)]
pub struct Record {
    pub path: PathBuf,
    pub outcome: Outcome,
}

/// Results and progress of a run.
#[derive(Debug)]
pub struct Journal {
    records: Mutex<Vec<Record>>,
    found: AtomicU64,
    bytes: AtomicU64,
    complete: watch::Sender<bool>,
}

impl Journal {
    pub fn new() -> Self {
        Self {
            records: Mutex::default(),
            found: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            complete: watch::Sender::new(false),
        }
    }

    pub fn append(&self, record: Record) {
        if let Outcome::Hashed(digest) = &record.outcome {
            self.bytes.fetch_add(digest.bytes, Ordering::Relaxed);
        }
        self.records().push(record);
    }

    /// Every file that something came of.
    pub fn paths(&self) -> HashSet<PathBuf> {
        self.records().iter().map(|record| record.path.clone()).collect()
    }

    pub fn snapshot(&self) -> Vec<Record> {
        self.records().clone()
    }

    pub fn len(&self) -> u64 {
        self.records().len() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The most files that any walk has come across so far.
    pub fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    pub fn set_found(&self, found: u64) {
        self.found.fetch_max(found, Ordering::Relaxed);
    }

    /// The dispatcher knows whether all is done, until the next one has to find out again.
    pub fn set_complete(&self, complete: bool) {
        self.complete.send_replace(complete);
    }

    pub fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// Waits until all is done.
    pub async fn completed(&self) {
        // The sender lives as long as this does.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
