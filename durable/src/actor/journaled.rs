//! A state that follows from the events of a journal: recovered from it, and changed by
//! transactions.

use std::fmt;
use std::num::NonZeroU64;

use super::error::JournalError;
use super::transaction::Staged;
use super::writer::{Target, Writer};
use crate::batch::Op;
use crate::codec::{DecodeError, EncodeError};
use crate::payload::Payload;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// What events are to a state.
pub(super) struct Events<S, E> {
    pub(super) encode: fn(&E) -> Result<Payload, EncodeError>,
    pub(super) decode: fn(&Payload) -> Result<E, DecodeError>,
    pub(super) apply: fn(&mut S, E),
}

/// After how many events a snapshot is made, and how.
pub(super) struct SnapshotRule<S> {
    pub(super) every: NonZeroU64,
    pub(super) take: fn(&S) -> Result<Payload, EncodeError>,
}

impl<S> Clone for SnapshotRule<S> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// The state of an incarnation, and its journal.
pub(super) struct Journaled<S, E> {
    state: S,
    writer: Writer,
    events: Events<S, E>,
    snapshots: Option<SnapshotRule<S>>,
    /// The sequence number of the last event that the last snapshot includes.
    snapshot: u64,
    /// The state tells of nothing that is not stored.
    is_committed: bool,
}

impl<S, E> Journaled<S, E> {
    /// Claims the journal, so that its end does not move any more, and reads it.
    pub(super) async fn recover(
        target: &Target,
        events: Events<S, E>,
        snapshots: Option<SnapshotRule<S>>,
        restore: Option<impl FnOnce(&Payload) -> Result<S, DecodeError>>,
        new: impl FnOnce() -> S,
    ) -> Result<Self, JournalError> {
        let writer = target.claim().await?;
        let stored = match restore {
            Some(restore) => writer.snapshot().await?.map(|stored| (restore, stored)),
            None => None,
        };
        let (state, snapshot) = match stored {
            Some((restore, stored)) => {
                let journal = || writer.journal().to_owned();
                let state = restore(&stored.state)
                    .map_err(|error| JournalError::State { journal: journal(), error })?;
                (state, stored.sequence)
            }
            None => (new(), 0),
        };
        let mut journaled = Self { state, writer, events, snapshots, snapshot, is_committed: true };
        journaled.replay().await?;
        Ok(journaled)
    }

    /// Applies the events that follow the snapshot.
    async fn replay(&mut self) -> Result<(), JournalError> {
        let mut read = self.snapshot;
        while read < self.writer.sequence() {
            let page = self.writer.events(read, PAGE).await?;
            let journal = || self.writer.journal().to_owned();
            if page.first().is_none_or(|event| event.sequence != read + 1) {
                return Err(JournalError::Gap { journal: journal(), sequence: read + 1 });
            }
            for event in page {
                if event.sequence != read + 1 {
                    return Err(JournalError::Gap { journal: journal(), sequence: read + 1 });
                }
                read = event.sequence;
                let event = (self.events.decode)(&event.payload).map_err(|error| JournalError::Event {
                    journal: journal(),
                    sequence: read,
                    error,
                })?;
                (self.events.apply)(&mut self.state, event);
            }
        }
        Ok(())
    }

    pub(super) const fn state(&self) -> &S {
        &self.state
    }

    pub(super) const fn is_committed(&self) -> bool {
        self.is_committed
    }

    /// Applies what a handler has asked for, commits it, and sends the replies.
    pub(super) async fn commit(&mut self, mut staged: Staged<S, E>) -> Result<(), JournalError> {
        let events = std::mem::take(&mut staged.events);
        let encoded: Vec<_> = events.iter().map(self.events.encode).collect::<Result<_, _>>()?;
        // From here on, an end before the commit leaves a state that was never stored.
        self.is_committed = false;
        for event in events {
            (self.events.apply)(&mut self.state, event);
        }
        let (count, sequence) = (encoded.len(), self.writer.sequence() + encoded.len() as u64);
        let mut ops = Vec::new();
        if count > 0 {
            ops.push(self.append(encoded));
        }
        let snapshot = self.due_snapshot(sequence, staged.wants_snapshot)?;
        let has_snapshot = snapshot.is_some();
        ops.extend(snapshot);
        ops.extend(staged.take_jobs());
        if !ops.is_empty() {
            self.writer.commit(ops, count).await?;
        }
        if has_snapshot {
            self.snapshot = sequence;
        }
        self.is_committed = true;
        staged.committed(&self.state);
        Ok(())
    }

    fn append(&self, events: Vec<Payload>) -> Op {
        let journal = self.writer.journal().to_owned();
        Op::Append { journal, writer: self.writer.number(), expected: self.writer.sequence(), events }
    }

    fn due_snapshot(&self, sequence: u64, is_wanted: bool) -> Result<Option<Op>, EncodeError> {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        if !is_wanted && sequence - self.snapshot < snapshots.every.get() {
            return Ok(None);
        }
        let (journal, writer) = (self.writer.journal().to_owned(), self.writer.number());
        let state = (snapshots.take)(&self.state)?;
        Ok(Some(Op::Snapshot { journal, writer, sequence, state }))
    }
}

impl<S, E> fmt::Debug for Journaled<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journaled").field("writer", &self.writer).finish_non_exhaustive()
    }
}
