//! What outlives every crash: the results so far, as a disk would keep them, and how far everything is.
//!
//! The journal stands for a disk. It is the only thing that incarnations share besides messages: the collector appends to it,
//! and reads it when it starts anew; the walker notes what it has handed in.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
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
    handed_in: Mutex<HashSet<PathBuf>>,
    bytes: AtomicU64,
    complete: watch::Sender<bool>,
}

impl Journal {
    pub fn new() -> Self {
        Self {
            records: Mutex::default(),
            handed_in: Mutex::default(),
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

    /// How many files were handed to the hashers.
    pub fn found(&self) -> u64 {
        self.handed_in().len() as u64
    }

    /// Notes that the hashers have this file.
    pub fn hand_in(&self, path: PathBuf) {
        self.handed_in().insert(path);
    }

    pub fn is_handed_in(&self, path: &Path) -> bool {
        self.handed_in().contains(path)
    }

    /// All is done.
    pub fn set_complete(&self) {
        self.complete.send_replace(true);
    }

    pub fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// Waits until all is done.
    pub async fn completed(&self) {
        // The sender lives as long as this does.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
    }

    fn handed_in(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.handed_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
