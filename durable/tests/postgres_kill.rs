//! A process that writes to a server is killed with SIGKILL at random moments: nothing acknowledged
//! is lost.
//!
//! `PERENNIAL_KILLS` is the number of kills, 25 by default.

use std::sync::Arc;

use perennial_durable::Store;
use perennial_durable::postgres::PostgresStore;

use crate::support::killed;
use crate::support::postgres::server;

fn open(url: &str) -> Arc<dyn Store> {
    Arc::new(killed::block_on(PostgresStore::connect(url)).expect("a store"))
}

#[test]
fn nothing_acknowledged_by_a_server_is_lost_when_a_process_is_killed_at_any_moment() {
    let Some(server) = server() else { return };
    killed::kill_again_and_again("postgres_kill::the_process_that_is_killed", &server.url(), 150_000, open);
}

#[test]
fn the_process_that_is_killed() {
    killed::be_killed(open);
}
