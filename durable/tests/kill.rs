//! A process that writes is killed with SIGKILL at random moments: nothing acknowledged is lost.
//!
//! `PERENNIAL_KILLS` is the number of kills, 25 by default.

use std::sync::Arc;

use perennial_durable::Store;
use perennial_durable::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::support::killed;

fn open(path: &str) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path).expect("a store"))
}

#[test]
fn nothing_acknowledged_is_lost_when_a_process_is_killed_at_any_moment() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jobs.db");
    killed::kill_again_and_again("kill::the_process_that_is_killed", path.to_str().unwrap(), 100_000, open);
}

#[test]
fn the_process_that_is_killed() {
    killed::be_killed(open);
}
