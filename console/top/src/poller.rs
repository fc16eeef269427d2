//! Asks the console at intervals, on a thread of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::client::{Client, ClientError, Fetched};
use crate::state::Wanted;

/// Starts the thread. It asks for what is wanted last: at once when that changes, and after each
/// interval. It ends when one of the two channels is closed.
pub fn start<I: From<Result<Fetched, ClientError>> + Send + 'static>(
    client: Client,
    interval: Duration,
    wanted: Receiver<Wanted>,
    answers: Sender<I>,
) {
    thread::spawn(move || {
        let Ok(mut current) = wanted.recv() else { return };
        loop {
            // Only the last wish counts.
            while let Ok(later) = wanted.try_recv() {
                current = later;
            }
            if answers.send(client.fetch(&current).into()).is_err() {
                return;
            }
            match wanted.recv_timeout(interval) {
                Ok(next) => current = next,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
}
