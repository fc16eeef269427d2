//! The senders of a node: each hands files to the hasher of one other node.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial::cluster::{NodeName, RemoteAddress, RemoteError, RemoteErrorKind};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::journal::{Entry, Journal};
use super::message::{Job, Stamp};

/// The pause between two calls of a sender.
const PAUSE: Duration = Duration::from_millis(15);

/// The files of this node that have no checksum yet.
#[derive(Debug)]
pub struct Work {
    left: Mutex<Left>,
    /// The time from one file to the next.
    pace: Duration,
}

#[derive(Debug)]
struct Left {
    queue: VecDeque<usize>,
    /// How many files are not acknowledged.
    open: usize,
    next_at: Instant,
}

impl Work {
    /// Spreads files over a time that begins now.
    pub fn new(files: VecDeque<usize>, over: Duration, now: Instant) -> Self {
        let open = files.len();
        let pace = over.checked_div(u32::try_from(open).unwrap_or(u32::MAX)).unwrap_or_default();
        Self { left: Mutex::new(Left { queue: files, open, next_at: now }), pace }
    }

    /// Returns how many files are not acknowledged.
    pub fn open(&self) -> usize {
        self.left().open
    }

    /// Takes the next file, if it is time for it.
    pub fn next(&self, now: Instant) -> Option<usize> {
        let mut left = self.left();
        if left.next_at > now {
            return None;
        }
        let file = left.queue.pop_front()?;
        left.next_at += self.pace;
        Some(file)
    }

    /// Puts a file back that was not acknowledged, to be the next one.
    pub fn put_back(&self, file: Option<usize>) {
        let Some(file) = file else { return };
        let mut left = self.left();
        left.queue.push_front(file);
        left.next_at -= self.pace;
    }

    pub fn finish(&self, file: Option<usize>) {
        self.left().open -= usize::from(file.is_some());
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream of messages from this boot to another node.
pub struct Sender {
    pub boot: String,
    pub hasher: RemoteAddress<Job>,
    pub work: Arc<Work>,
    pub journal: Arc<Journal>,
}

impl Sender {
    /// Casts and calls in turn until the traffic rests.
    pub async fn run(self, resting: watch::Receiver<bool>) {
        let to = self.to().as_str().to_owned();
        let mut number = 0;
        while !*resting.borrow() {
            let file = self.work.next(Instant::now());
            self.announce(&to, number + 1, file);
            self.hash(&to, number + 2, file).await;
            number += 2;
            sleep(PAUSE).await;
        }
    }

    const fn to(&self) -> &NodeName {
        self.hasher.node()
    }

    fn stamp(&self, to: &str, number: u64) -> Stamp {
        self.journal.note(Entry::Sending { to: to.to_owned(), number });
        Stamp { from: self.boot.clone(), number }
    }

    fn announce(&self, to: &str, number: u64, file: Option<usize>) {
        let cast = self.hasher.cast(Job::Announce(self.stamp(to, number), file));
        if let Err(error) = cast {
            self.journal.note(failed(to.to_owned(), number, &error));
        }
    }

    async fn hash(&self, to: &str, number: u64, file: Option<usize>) {
        let stamp = self.stamp(to, number);
        let to = to.to_owned();
        match self.hasher.call(|reply| Job::Hash(stamp, file, reply)).await {
            Ok(hashed) => {
                self.journal.note(Entry::Acknowledged { to, number, file, hashed });
                self.work.finish(file);
            }
            Err(error) => {
                self.journal.note(failed(to, number, &error));
                self.work.put_back(file);
            }
        }
    }
}

/// Returns what is known of a message that has failed.
fn failed(to: String, number: u64, error: &RemoteError<Job>) -> Entry {
    let reason = error.kind.to_string();
    let was_not_handled =
        matches!(error.kind, RemoteErrorKind::NoProcess | RemoteErrorKind::Busy | RemoteErrorKind::Decode(_));
    if error.message.is_some() || was_not_handled {
        Entry::Refused { to, number, reason }
    } else {
        Entry::Unknown { to, number, reason }
    }
}
