//! A state that follows from the events of a journal: recovered from it, and changed by
//! transactions.

use std::fmt;
use std::num::NonZeroU64;

use super::error::JournalError;
use super::transaction::Staged;
use super::writer::{JournalTarget, Writer};
use crate::batch::Conflict;
use crate::codec::{DecodeError, EncodeError};
use crate::payload::Payload;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// How events are stored, and how they change a state.
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
    /// Reads the journal, claims it, so that its end does not move any more, and reads what was
    /// appended meanwhile. A journal that cannot be read is not claimed: its writer goes on.
    pub(super) async fn recover(
        target: &JournalTarget,
        events: Events<S, E>,
        snapshots: Option<SnapshotRule<S>>,
        restore: Option<impl FnOnce(&Payload) -> Result<S, DecodeError>>,
        new: impl FnOnce() -> S,
    ) -> Result<Self, JournalError> {
        let stored = match restore {
            Some(restore) => target.snapshot().await?.map(|stored| (restore, stored)),
            None => None,
        };
        let (mut state, snapshot) = match stored {
            Some((restore, stored)) => {
                let journal = || target.journal.to_string();
                let state = restore(&stored.state)
                    .map_err(|error| JournalError::State { journal: journal(), error })?;
                (state, stored.sequence)
            }
            None => (new(), 0),
        };
        let read = replay(target, &events, &mut state, snapshot, None).await?;
        let writer = target.claim().await?;
        replay(target, &events, &mut state, read, Some(writer.sequence())).await?;
        Ok(Self { state, writer, events, snapshots, snapshot, is_committed: true })
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
            ops.push(self.writer.append(encoded));
        }
        let snapshot = self.due_snapshot(sequence, staged.wants_snapshot)?;
        let has_snapshot = snapshot.is_some();
        ops.extend(snapshot.map(|state| self.writer.store_snapshot(sequence, state)));
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

    /// Returns the state if a snapshot is due or wanted. One that is due and cannot be encoded is
    /// left out: the events say the same.
    fn due_snapshot(&self, sequence: u64, is_wanted: bool) -> Result<Option<Payload>, EncodeError> {
        let Some(snapshots) = &self.snapshots else { return Ok(None) };
        if is_wanted {
            return (snapshots.take)(&self.state).map(Some);
        }
        let is_due = sequence.saturating_sub(self.snapshot) >= snapshots.every.get();
        Ok(if is_due { (snapshots.take)(&self.state).ok() } else { None })
    }
}

/// Applies the events that follow the one of a number, up to another one or to the end of the
/// journal. Returns the number of the last one.
async fn replay<S, E>(
    target: &JournalTarget,
    events: &Events<S, E>,
    state: &mut S,
    mut read: u64,
    last: Option<u64>,
) -> Result<u64, JournalError> {
    let journal = || target.journal.to_string();
    while last.is_none_or(|last| read < last) {
        let page = target.events(read, PAGE).await?;
        let is_end = page.len() < PAGE;
        for event in page {
            if event.sequence != read + 1 {
                return Err(JournalError::Gap { journal: journal(), sequence: read + 1 });
            }
            read = event.sequence;
            let event = (events.decode)(&event.payload).map_err(|error| JournalError::Event {
                journal: journal(),
                sequence: read,
                error,
            })?;
            (events.apply)(state, event);
        }
        if is_end {
            break;
        }
        // A store in memory answers at once: others run, and a kill takes effect.
        tokio::task::yield_now().await;
    }
    match last {
        Some(expected) if expected != read => {
            Err(Conflict::WrongSequence { journal: journal(), expected, found: read }.into())
        }
        _ => Ok(read),
    }
}

impl<S, E> fmt::Debug for Journaled<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journaled").field("writer", &self.writer).finish_non_exhaustive()
    }
}
