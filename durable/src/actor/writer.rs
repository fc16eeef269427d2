//! The one writer of a journal: claims it, and commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::JournalError;
use crate::batch::{Applied, Batch, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::payload::Payload;
use crate::record::Timestamp;
use crate::store::{EventFilter, Store, StoredEvent, StoredSnapshot};

/// The delay before a request is tried again of a store that fails for a while, and the longest.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Which journal is written, and how long a store that fails is waited for.
#[derive(Clone, Debug)]
pub(super) struct JournalTarget {
    pub(super) store: Arc<dyn Store>,
    pub(super) journal: Arc<str>,
    pub(super) timeout: Duration,
}

/// The writer of a journal, until another one claims it.
#[derive(Debug)]
pub(super) struct Writer {
    target: JournalTarget,
    number: u64,
    /// The sequence number of the latest event.
    sequence: u64,
}

/// The waits for a store that fails for a while.
struct RetryDelay {
    end: Option<Instant>,
    delay: Duration,
}

impl RetryDelay {
    fn new(timeout: Duration) -> Self {
        Self { end: Instant::now().checked_add(timeout), delay: RETRY.0 }
    }

    /// Waits before the next try, or returns the error if it does not pass or the time is over.
    async fn wait(&mut self, error: StoreError) -> Result<(), JournalError> {
        if error.is_transient() { self.wait_after(error).await } else { Err(JournalError::Store(error)) }
    }

    /// Waits before the next try after any error, or returns the error if the time is over.
    async fn wait_after(&mut self, error: StoreError) -> Result<(), JournalError> {
        if self.end.is_some_and(|end| Instant::now() >= end) {
            return Err(JournalError::Store(error));
        }
        sleep(self.delay).await;
        self.delay = self.delay.saturating_mul(2).min(RETRY.1);
        Ok(())
    }
}

impl JournalTarget {
    /// Returns the snapshot of the journal.
    pub(super) async fn snapshot(&self) -> Result<Option<StoredSnapshot>, JournalError> {
        let mut retry = RetryDelay::new(self.timeout);
        loop {
            match self.store.snapshot(&self.journal).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(error) => retry.wait(error).await?,
            }
        }
    }

    /// Returns at most `max` events that follow the one of a number.
    pub(super) async fn events(&self, after: u64, max: usize) -> Result<Vec<StoredEvent>, JournalError> {
        let mut retry = RetryDelay::new(self.timeout);
        loop {
            let filter = EventFilter { journal: Some(self.journal.to_string()), after, max };
            match self.store.events(filter).await {
                Ok(events) => return Ok(events),
                Err(error) => retry.wait(error).await?,
            }
        }
    }

    /// Makes this the only writer of the journal: what an earlier one commits from now on is
    /// refused.
    pub(super) async fn claim(&self) -> Result<Writer, JournalError> {
        let mut retry = RetryDelay::new(self.timeout);
        let claim = Op::Claim { journal: self.journal.to_string() };
        loop {
            let refused = match self.store.commit(Batch::of(Timestamp::now(), claim.clone())).await {
                Ok(applied) => match applied[..] {
                    [Applied::Claimed { writer: number, sequence }] => {
                        return Ok(Writer { target: self.clone(), number, sequence });
                    }
                    _ => return Err(JournalError::Store(wrong_answer())),
                },
                Err(refused) => refused.kind,
            };
            match refused {
                CommitErrorKind::Conflict { conflict, .. } => return Err(conflict.into()),
                CommitErrorKind::NotApplied(error) => retry.wait(error).await?,
                // If it was applied, the next claim follows it.
                CommitErrorKind::Unknown(error) => retry.wait_after(error).await?,
            }
        }
    }
}

fn wrong_answer() -> StoreError {
    StoreError::Failed("the answer to a claim is that of something else".to_owned())
}

impl Writer {
    /// Returns the sequence number of the latest event.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn journal(&self) -> &str {
        &self.target.journal
    }

    /// Returns the operation that appends events.
    pub(super) fn append(&self, events: Vec<Payload>) -> Op {
        let journal = self.journal().to_owned();
        Op::Append { journal, writer: self.number, expected: self.sequence, events }
    }

    /// Returns the operation that stores a snapshot.
    pub(super) fn store_snapshot(&self, sequence: u64, state: Payload) -> Op {
        Op::Snapshot { journal: self.journal().to_owned(), writer: self.number, sequence, state }
    }

    /// Commits operations that append so many events. If it is dropped, they may be committed: the
    /// next claim comes after them.
    pub(super) async fn commit(&mut self, mut ops: Vec<Op>, events: usize) -> Result<(), JournalError> {
        // Jobs do not name a writer. No event, appended by this one, fences them.
        if !ops.iter().any(|op| matches!(op, Op::Append { .. } | Op::Snapshot { .. })) {
            ops.insert(0, self.append(Vec::new()));
        }
        let mut retry = RetryDelay::new(self.target.timeout);
        let mut batch = Batch { now: Timestamp::now(), ops };
        loop {
            let Err(refused) = self.target.store.commit(batch).await else {
                self.sequence += events as u64;
                return Ok(());
            };
            match refused.kind {
                CommitErrorKind::Conflict { conflict, .. } => return Err(conflict.into()),
                CommitErrorKind::Unknown(error) => return Err(JournalError::Unknown(error)),
                CommitErrorKind::NotApplied(error) => retry.wait(error).await?,
            }
            batch = Batch { now: Timestamp::now(), ..refused.batch };
        }
    }
}
