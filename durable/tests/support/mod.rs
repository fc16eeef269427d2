//! What the tests of stores share.

#![allow(dead_code)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use perennial_durable::conformance::Opener;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{MemoryStore, Payload, Store};
use tempfile::TempDir;

pub(crate) fn payload(text: &str) -> Payload {
    Payload { tag: "string".to_owned(), version: 1, codec: "raw".to_owned(), bytes: text.into() }
}

/// Opens a store in memory.
pub(crate) fn memory() -> Opener {
    let last: Mutex<Option<MemoryStore>> = Mutex::default();
    Opener::new(move || {
        let mut last = last.lock().unwrap();
        let next = last.as_ref().map_or_else(MemoryStore::new, MemoryStore::restart);
        let store: Arc<dyn Store> = Arc::new(next.join());
        *last = Some(next);
        Box::pin(std::future::ready(Ok(store)))
    })
}

/// Opens a file in a folder of its own.
pub(crate) fn sqlite() -> Opener {
    let folder = TempDir::new().unwrap();
    Opener::new(move || {
        let path = folder.path().join("jobs.db");
        Box::pin(async move { open(&path) })
    })
}

fn open(path: &Path) -> Result<Arc<dyn Store>, perennial_durable::OpenError> {
    Ok(Arc::new(SqliteStore::open(path)?))
}
