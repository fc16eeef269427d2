//! The state of one incarnation of an event-sourced actor: recovered from its journal, and changed
//! by transactions.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::error::JournalError;
use super::event_sourced::{EventSourced, EventSourcedActor};
use super::journal::{Journal, SnapshotRule};
use super::transaction::Staged;
use super::writer::Writer;
use crate::batch::Op;
use crate::codec::EncodeError;
use crate::payload::Payload;
use crate::wire::decode;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// The state of an incarnation and its writer.
pub(super) struct Recovered<A: EventSourced> {
    state: A,
    args: Arc<A::Args>,
    writer: Writer,
    encode: fn(&A::Event) -> Result<Payload, EncodeError>,
    snapshots: Option<TakeSnapshots<A>>,
    /// The state tells of nothing that is not stored.
    is_committed: bool,
}

/// When the next snapshot is due.
struct TakeSnapshots<A> {
    every: NonZeroU64,
    take: fn(&A) -> Result<Payload, EncodeError>,
    /// The sequence number of the last event that the last snapshot includes.
    last: u64,
}

impl<A: EventSourced> Recovered<A> {
    /// Claims the journal, so that its end does not move any more, and reads it.
    pub(super) async fn load(journal: &Journal<A>) -> Result<Self, JournalError> {
        let writer = journal.target.claim().await?;
        let (state, read) = match &journal.snapshots {
            Some(rule) => restore(&writer, journal, rule).await?,
            None => (A::new(&journal.args), 0),
        };
        let snapshots = journal.snapshots.as_ref();
        let snapshots =
            snapshots.map(|rule| TakeSnapshots { every: rule.every, take: rule.take, last: read });
        let mut recovered = Self {
            state,
            args: journal.args.clone(),
            writer,
            encode: journal.encode,
            snapshots,
            is_committed: true,
        };
        recovered.replay(read).await?;
        Ok(recovered)
    }

    /// Applies the events that follow the one of a number.
    async fn replay(&mut self, mut read: u64) -> Result<(), JournalError> {
        while read < self.writer.sequence() {
            let page = self.writer.events(read, PAGE).await?;
            let journal = || self.writer.journal().to_owned();
            if page.is_empty() {
                return Err(JournalError::Gap { journal: journal(), sequence: read + 1 });
            }
            for event in page {
                if event.sequence != read + 1 {
                    return Err(JournalError::Gap { journal: journal(), sequence: read + 1 });
                }
                read = event.sequence;
                let event = decode(&event.payload).map_err(|error| JournalError::Event {
                    journal: journal(),
                    sequence: read,
                    error,
                })?;
                self.state.apply(event);
            }
        }
        Ok(())
    }

    pub(super) const fn state(&self) -> &A {
        &self.state
    }

    pub(super) fn args(&self) -> &A::Args {
        &self.args
    }

    pub(super) const fn is_committed(&self) -> bool {
        self.is_committed
    }

    /// Applies what a handler has asked for, commits it, and sends the replies.
    pub(super) async fn commit(
        &mut self,
        mut staged: Staged<EventSourcedActor<A>>,
    ) -> Result<(), JournalError> {
        let events = std::mem::take(&mut staged.events);
        let encoded: Vec<_> = events.iter().map(self.encode).collect::<Result<_, _>>()?;
        // From here on, an end before the commit leaves a state that was never stored.
        self.is_committed = false;
        for event in events {
            self.state.apply(event);
        }
        let (count, sequence) = (encoded.len(), self.writer.sequence() + encoded.len() as u64);
        let mut ops = Vec::new();
        if count > 0 {
            ops.push(self.append(encoded));
        }
        let snapshot = self.due_snapshot(sequence, staged.wants_snapshot)?;
        let has_snapshot = snapshot.is_some();
        ops.extend(snapshot);
        ops.extend(staged.jobs.drain(..).map(|job| Op::Enqueue(Box::new(job))));
        if !ops.is_empty() {
            self.writer.commit(ops, count).await?;
        }
        if let Some(snapshots) = self.snapshots.as_mut().filter(|_| has_snapshot) {
            snapshots.last = sequence;
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
        if !is_wanted && sequence - snapshots.last < snapshots.every.get() {
            return Ok(None);
        }
        let (journal, writer) = (self.writer.journal().to_owned(), self.writer.number());
        let state = (snapshots.take)(&self.state)?;
        Ok(Some(Op::Snapshot { journal, writer, sequence, state }))
    }
}

/// Returns the state of the latest snapshot, and the sequence number of the last event in it.
async fn restore<A: EventSourced>(
    writer: &Writer,
    journal: &Journal<A>,
    rule: &SnapshotRule<A>,
) -> Result<(A, u64), JournalError> {
    let Some(snapshot) = writer.snapshot().await? else { return Ok((A::new(&journal.args), 0)) };
    let state = (rule.restore)(&journal.args, &snapshot.state)
        .map_err(|error| JournalError::State { journal: writer.journal().to_owned(), error })?;
    Ok((state, snapshot.sequence))
}

impl<A: EventSourced> fmt::Debug for Recovered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovered").field("writer", &self.writer).finish_non_exhaustive()
    }
}
