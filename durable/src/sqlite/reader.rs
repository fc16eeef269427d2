//! The thread that reads, and looks for what another process has written.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::watch;

/// How often the file is looked at for changes of another process.
const PERIOD: Duration = Duration::from_secs(1);

/// Something to be read.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads what is asked for, until all senders are gone. Tells once in a period if the file has
/// changed. The commits of this process count too, which wakes what waits for changes in vain.
pub(super) fn run(connection: &Connection, reads: &Receiver<Read>, changes: &watch::Sender<u64>) {
    let mut version = data_version(connection);
    let mut looked = Instant::now();
    loop {
        match reads.recv_timeout(PERIOD.saturating_sub(looked.elapsed())) {
            Ok(read) => read(connection),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if looked.elapsed() < PERIOD {
            continue;
        }
        looked = Instant::now();
        let found = data_version(connection);
        if found != version {
            version = found;
            changes.send_modify(|number| *number += 1);
        }
    }
}

/// Returns a number that is another after each commit of another connection. `None` if the file
/// cannot be read now.
fn data_version(connection: &Connection) -> Option<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0)).ok()
}
