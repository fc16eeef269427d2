//! The one writer of a journal: claims it, and commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::JournalError;
use crate::batch::{Applied, Batch, Op};
use crate::error::{CommitErrorKind, StoreError};
use crate::record::Timestamp;
use crate::store::{EventFilter, Store, StoredEvent, StoredSnapshot};

/// The delay before a request is tried again of a store that fails for a while, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Which journal is written, and how long a store that fails is waited for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) store: Arc<dyn Store>,
    pub(super) journal: Arc<str>,
    pub(super) timeout: Duration,
}

/// The writer of a journal, until another one claims it.
#[derive(Debug)]
pub(super) struct Writer {
    target: Target,
    number: u64,
    /// The sequence number of the latest event.
    sequence: u64,
}

/// The waits for a store that fails for a while.
struct Patience {
    end: Option<Instant>,
    delay: Duration,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Self { end: Instant::now().checked_add(timeout), delay: RETRY.0 }
    }

    /// Waits before the next try, or returns the error if it does not pass or the time is over.
    async fn wait(&mut self, error: StoreError) -> Result<(), JournalError> {
        if error.is_transient() { self.wait_after(error).await } else { Err(JournalError::Store(error)) }
    }

    /// Does the same after any error.
    async fn wait_after(&mut self, error: StoreError) -> Result<(), JournalError> {
        if self.end.is_some_and(|end| Instant::now() >= end) {
            return Err(JournalError::Store(error));
        }
        sleep(self.delay).await;
        self.delay = self.delay.saturating_mul(2).min(RETRY.1);
        Ok(())
    }
}

impl Target {
    /// Makes this the only writer of the journal: what an earlier one commits from now on is
    /// refused.
    pub(super) async fn claim(&self) -> Result<Writer, JournalError> {
        let mut patience = Patience::new(self.timeout);
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
                CommitErrorKind::NotApplied(error) => patience.wait(error).await?,
                // If it was applied, the next claim follows it.
                CommitErrorKind::Unknown(error) => patience.wait_after(error).await?,
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

    /// Returns the number of this writer.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn journal(&self) -> &str {
        &self.target.journal
    }

    /// Returns the snapshot of the journal.
    pub(super) async fn snapshot(&self) -> Result<Option<StoredSnapshot>, JournalError> {
        let mut patience = Patience::new(self.target.timeout);
        loop {
            match self.target.store.snapshot(&self.target.journal).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Returns at most `max` events that follow the one of a number.
    pub(super) async fn events(&self, after: u64, max: usize) -> Result<Vec<StoredEvent>, JournalError> {
        let mut patience = Patience::new(self.target.timeout);
        loop {
            let filter = EventFilter { journal: Some(self.journal().to_owned()), after, max };
            match self.target.store.events(filter).await {
                Ok(events) => return Ok(events),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Commits operations that append so many events. If it is dropped, they may be committed: the
    /// next claim comes after them.
    pub(super) async fn commit(&mut self, ops: Vec<Op>, events: usize) -> Result<(), JournalError> {
        let mut patience = Patience::new(self.target.timeout);
        let mut batch = Batch { now: Timestamp::now(), ops };
        loop {
            let Err(refused) = self.target.store.commit(batch).await else {
                self.sequence += events as u64;
                return Ok(());
            };
            match refused.kind {
                CommitErrorKind::Conflict { conflict, .. } => return Err(conflict.into()),
                CommitErrorKind::Unknown(error) => return Err(JournalError::Unknown(error)),
                CommitErrorKind::NotApplied(error) => patience.wait(error).await?,
            }
            batch = refused.batch;
        }
    }
}
