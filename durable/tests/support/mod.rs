//! What the tests of stores share.

pub(crate) mod account;
pub(crate) mod killed;
#[path = "postgres.rs"]
pub(crate) mod postgres;
pub(crate) mod proxy;
pub(crate) mod recorded;
pub(crate) mod steps;

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use perennial_durable::conformance::Opener;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{MemoryStore, Payload, Store};
use perennial_supervision::pool::Pool;
use tempfile::TempDir;
use tokio::sync::Notify;

/// The workers of most tests: a function of a number.
pub(crate) type Numbers = fn(u64) -> Result<u64, String>;

/// A pool whose jobs are done at once.
pub(crate) fn squares() -> Pool<Numbers> {
    Pool::from_fn("squares", 2, |n: &u64| std::future::ready(Ok(n * n)))
}

/// A pool whose jobs wait until they are told to end, and have another output then.
pub(crate) fn hold() -> (Pool<Numbers>, Arc<Notify>) {
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let pool = Pool::from_fn("squares", 2, move |_: &u64| {
        let release = released.clone();
        async move {
            release.notified().await;
            Ok(0)
        }
    });
    (pool, release)
}

pub(crate) fn payload(text: &str) -> Payload {
    Payload { tag: "string".to_owned(), version: 1, codec: "raw".to_owned(), bytes: text.into() }
}

/// Opens a store in memory.
pub(crate) fn memory() -> Opener {
    let last: Mutex<Option<MemoryStore>> = Mutex::default();
    Opener::new(move || {
        let mut last = last.lock().expect("no panic under the lock");
        let next = last.as_ref().map_or_else(MemoryStore::new, MemoryStore::restart);
        let store: Arc<dyn Store> = Arc::new(next.join());
        *last = Some(next);
        Box::pin(std::future::ready(Ok(store)))
    })
}

/// Opens a file in a folder of its own.
pub(crate) fn sqlite() -> Opener {
    let folder = TempDir::new().expect("a folder");
    Opener::new(move || {
        let path = folder.path().join("jobs.db");
        Box::pin(async move { open(&path) })
    })
}

fn open(path: &Path) -> Result<Arc<dyn Store>, perennial_durable::OpenError> {
    Ok(Arc::new(SqliteStore::open(path)?))
}

/// A pool whose jobs take a while.
pub(crate) fn slow_squares() -> Pool<Numbers> {
    Pool::from_fn("squares", 2, |n: &u64| {
        let n = *n;
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            Ok(n * n)
        }
    })
}

/// Returns a command that runs this program with one test alone, as another process.
pub(crate) fn this_program(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a path"));
    command.args(["--exact", test, "--nocapture"]);
    command
}
