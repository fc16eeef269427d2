//! The journal: the results and the progress, which survive every crash.
//!
//! The journal stands for a disk. It is the only thing besides messages that incarnations share.
//! The collector appends to it, and reads it when it starts. The walker notes what it has
//! submitted.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::files::Digest;

/// The result of one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    Hashed(Digest),
    /// The file could not be read, for this reason.
    Failed(String),
}

/// A file and its result.
#[derive(Clone, Debug)]
pub struct Record {
    pub path: PathBuf,
    pub outcome: Outcome,
}

/// The results and the progress of a run.
#[derive(Debug)]
pub struct Journal {
    records: Mutex<Vec<Record>>,
    submitted: Mutex<HashSet<PathBuf>>,
    bytes: AtomicU64,
    complete: watch::Sender<bool>,
}

impl Journal {
    pub fn new() -> Self {
        Self {
            records: Mutex::default(),
            submitted: Mutex::default(),
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

    /// Returns every file that has a result.
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

    /// Returns how many files were submitted to the hashers.
    pub fn found(&self) -> u64 {
        self.submitted().len() as u64
    }

    pub fn set_submitted(&self, path: PathBuf) {
        self.submitted().insert(path);
    }

    pub fn is_submitted(&self, path: &Path) -> bool {
        self.submitted().contains(path)
    }

    /// Publishes that every file has a result.
    pub fn set_complete(&self) {
        self.complete.send_replace(true);
    }

    /// Waits until every file has a result.
    pub async fn completed(&self) {
        // The sender lives as long as `self`.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
    }

    fn submitted(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.submitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
