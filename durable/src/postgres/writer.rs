//! The task that writes: it commits all batches that wait as one transaction.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::{AtomicBool, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::errors::store_error;
use super::plan::bytes;
use super::session::{Connector, Session};
use super::transaction::{self, Aborted, Outcome, commit};
use super::{load, process, write};
use crate::batch::Batch;
use crate::error::{CommitErrorKind, StoreError};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::record::Epoch;
use crate::request::Request;

/// The most batches of one transaction, and about how many bytes they have.
const MAX_GROUP: usize = 1024;
const MAX_BYTES: usize = 8 << 20;

/// How often a transaction that met another one is tried.
const MAX_TRIES: u32 = 5;

/// The delay before the second attempt to connect, and the longest.
const CONNECT_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The writer of a process.
pub(super) struct Writer {
    pub(super) connector: Arc<Connector>,
    pub(super) epoch: Epoch,
    /// `None` when it is lost.
    pub(super) session: Option<Session>,
    /// Nothing is read while this is `true`.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) changes: watch::Sender<u64>,
    /// Has the monitor tell other processes.
    pub(super) added: Arc<Notify>,
    pub(super) backoff: ConnectBackoff,
}

/// When a server that could not be reached is asked again.
#[derive(Debug, Default)]
pub(super) struct ConnectBackoff {
    failures: u32,
    next: Option<(Instant, StoreError)>,
}

impl ConnectBackoff {
    /// Returns the last error as long as the server is not to be asked again.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &self.next {
            Some((next, error)) if *next > Instant::now() => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Notes the end of an attempt. A server that cannot be reached can be reached later.
    pub(super) fn note<T>(&mut self, connected: Result<T, StoreError>) -> Result<T, StoreError> {
        match connected {
            Ok(connected) => {
                *self = Self::default();
                Ok(connected)
            }
            Err(error) => {
                let error =
                    if error.is_transient() { error } else { StoreError::Disconnected(error.to_string()) };
                let (first, longest) = CONNECT_BACKOFF;
                let delay = first.saturating_mul(1 << self.failures.min(10)).min(longest);
                self.failures = self.failures.saturating_add(1);
                self.next = Instant::now().checked_add(delay).map(|next| (next, error.clone()));
                Err(error)
            }
        }
    }

    /// Returns the time of the next attempt.
    pub(super) fn next(&self) -> Instant {
        self.next.as_ref().map_or_else(Instant::now, |(next, _)| *next)
    }
}

/// Begins a session that may become the one that writes.
pub(super) async fn connect(connector: &Connector) -> Result<Session, StoreError> {
    let first = [process::FIRST_OF_WRITER, transaction::FIRST, load::FIRST, write::FIRST].concat();
    connector.connect(&first, None).await
}

impl Writer {
    /// Commits what is received, until all senders are gone. Returns the session.
    pub(super) async fn run(mut self, mut requests: UnboundedReceiver<Request>) -> Option<Session> {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(request) => Some(request),
                None => requests.recv().await,
            };
            let Some(first) = first else { return self.session };
            let mut size = bytes(first.batch());
            let mut group = vec![first];
            while group.len() < MAX_GROUP {
                let Ok(request) = requests.try_recv() else { break };
                size += bytes(request.batch());
                if size > MAX_BYTES {
                    next = Some(request);
                    break;
                }
                group.push(request);
            }
            self.commit_all(group).await;
        }
    }

    async fn commit_all(&mut self, group: Vec<Request>) {
        let Some((group, error)) = self.commit_group(group).await else { return };
        if group.len() == 1 || error.is_transient() && !matches!(error, StoreError::Full(_)) {
            group.into_iter().for_each(|request| request.refuse(error.clone()));
            return;
        }
        // One of them may be what the server refuses, or too large for what is left of the disk.
        for request in group {
            if let Some((refused, error)) = self.commit_group(vec![request]).await {
                refused.into_iter().for_each(|request| request.refuse(error.clone()));
            }
        }
    }

    /// Commits a group and answers it. Returns it if nothing of it was applied.
    async fn commit_group(&mut self, group: Vec<Request>) -> Option<(Vec<Request>, StoreError)> {
        for left in (0..MAX_TRIES).rev() {
            if let Err(error) = self.connect().await {
                return Some((group, error));
            }
            let session = self.session.as_ref()?;
            let batches: Vec<&Batch> = group.iter().map(Request::batch).collect();
            #[cfg(feature = "metrics")]
            let (transaction, requests) = (metrics::Transaction::begin(), group.len());
            match commit(session, self.epoch, self.connector.is_attached, &batches).await {
                Ok(outcomes) => {
                    #[cfg(feature = "metrics")]
                    let committed = transaction.committed("postgres", requests);
                    self.answer(group, outcomes);
                    #[cfg(feature = "metrics")]
                    committed.publish();
                    return None;
                }
                Err(Aborted::Unknown(error)) => {
                    self.session = None;
                    self.is_broken.store(true, Ordering::SeqCst);
                    let unknown = || Err(CommitErrorKind::Unknown(error.clone()));
                    group.into_iter().for_each(|request| request.answer(unknown()));
                    return None;
                }
                Err(Aborted::RolledBack { error, is_lost, is_retried }) => {
                    if is_lost {
                        self.session = None;
                    }
                    if left == 0 || !(is_lost || is_retried) {
                        return Some((group, error));
                    }
                }
            }
        }
        None
    }

    fn answer(&self, group: Vec<Request>, outcomes: Vec<Outcome>) {
        let adds = |(request, outcome): (&Request, &Outcome)| outcome.is_ok() && request.batch().adds();
        let adds = group.iter().zip(&outcomes).any(adds);
        if adds {
            self.changes.send_modify(|number| *number += 1);
            // A notification within the transaction would make all that notify wait for each other.
            // If this one is lost, others look by themselves.
            self.added.notify_one();
        }
        group.into_iter().zip(outcomes).for_each(|(request, outcome)| request.answer(outcome));
    }

    /// Connects again if the session is lost.
    async fn connect(&mut self) -> Result<(), StoreError> {
        if self.session.as_ref().is_some_and(|session| !session.client.is_closed()) {
            return Ok(());
        }
        self.session = None;
        self.backoff.check()?;
        let connected = self.begin_session().await;
        self.session = Some(self.backoff.note(connected)?);
        self.is_broken.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn begin_session(&self) -> Result<Session, StoreError> {
        let session = connect(&self.connector).await?;
        process::become_writer(&session, self.epoch).await.map_err(|error| store_error(&error))?;
        Ok(session)
    }
}
