//! The steps of a batch.

use super::tables::{JournalHead, Tables};
use super::transitions::{self, Retained};
use crate::batch::{Applied, AttemptEnd, Conflict, Leased, Op};
use crate::payload::Payload;
use crate::record::{Epoch, JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp};

/// The reason why a batch was not applied. Its transaction is to be rolled back.
#[derive(Debug)]
pub(crate) enum ApplyError<E> {
    Conflict { op: usize, conflict: Conflict },
    Store(E),
}

/// A conflict or the error of the tables.
enum Stopped<E> {
    Conflict(Conflict),
    Store(E),
}

impl<E> From<E> for Stopped<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}

/// Applies operations of a batch, in order, up to the first that fails.
pub(crate) fn apply<T: Tables>(
    tables: &mut T,
    now: Timestamp,
    ops: &[Op],
    epoch: Epoch,
) -> Result<Vec<Applied>, ApplyError<T::Error>> {
    let mut step = Step { tables, epoch, now };
    let mut applied = Vec::with_capacity(ops.len());
    for run in ops.chunk_by(can_join) {
        let mut ended = match run {
            [Op::Enqueue(_), _, ..] => {
                applied.extend(step.enqueue_all(run).map_err(ApplyError::Store)?);
                continue;
            }
            [_, _, ..] => step.complete_all(run).map_err(ApplyError::Store)?,
            _ => Vec::new(),
        };
        if ended.len() == run.len() {
            applied.extend(run.iter().map(|_| Applied::Done));
            continue;
        }
        for op in run {
            let index = applied.len();
            // A job that is named twice is stale the second time.
            if let Op::Finish { job, .. } = op
                && let Some(at) = ended.iter().position(|ended| ended == job)
            {
                ended.swap_remove(at);
                applied.push(Applied::Done);
                continue;
            }
            applied.push(step.run(op).map_err(|stopped| match stopped {
                Stopped::Conflict(conflict) => ApplyError::Conflict { op: index, conflict },
                Stopped::Store(error) => ApplyError::Store(error),
            })?);
        }
    }
    Ok(applied)
}

/// Returns `true` if two operations that follow each other can be applied at once.
fn can_join(op: &Op, next: &Op) -> bool {
    match (op, next) {
        (Op::Enqueue(job), Op::Enqueue(next)) => job.unique.is_none() && next.unique.is_none(),
        (
            Op::Finish { attempt, end: AttemptEnd::Completed(output), .. },
            Op::Finish { attempt: next_attempt, end: AttemptEnd::Completed(next_output), .. },
        ) => attempt == next_attempt && output == next_output,
        _ => false,
    }
}

struct Step<'a, T> {
    tables: &'a mut T,
    epoch: Epoch,
    now: Timestamp,
}

type Stepped<T, E> = Result<T, Stopped<E>>;

impl<T: Tables> Step<'_, T> {
    fn run(&mut self, op: &Op) -> Stepped<Applied, T::Error> {
        match op {
            Op::Enqueue(job) => self.enqueue(job),
            Op::Lease { queue, max } => self.lease(queue, *max).map(Applied::Leased),
            Op::Finish { job, attempt, end } => self.finish(*job, *attempt, end),
            Op::Progress { job, attempt, progress } => self.progress(*job, *attempt, *progress),
            Op::Cancel(job) => self.cancel(*job),
            Op::Retry(job) => self.retry(*job),
            Op::Resolve { job, output } => self.resolve(*job, output.as_ref()),
            Op::Remove(job) => self.remove(*job),
            Op::Pause { queue, paused } => {
                self.tables.set_paused(queue, *paused)?;
                Ok(Applied::Done)
            }
            Op::Purge { max } => self.purge(*max),
            Op::Claim { journal } => self.claim(journal),
            Op::Append { journal, writer, expected, events } => {
                self.append(journal, *writer, *expected, events)
            }
            Op::Snapshot { journal, writer, sequence, state } => {
                self.snapshot(journal, *writer, *sequence, state)
            }
            Op::Erase { journal } => {
                let is_there = self.tables.journal(journal)?.is_some();
                if is_there {
                    self.erase(journal)?;
                }
                Ok(Applied::Changed(is_there))
            }
        }
    }

    /// Stores new jobs at once.
    fn enqueue_all(&mut self, ops: &[Op]) -> Result<Vec<Applied>, T::Error> {
        let jobs = ops.iter().filter_map(|op| match op {
            Op::Enqueue(job) => Some((&**job, self.now)),
            _ => None,
        });
        let ids = self.tables.insert(&jobs.collect::<Vec<_>>())?;
        Ok(ids.into_iter().map(Applied::Enqueued).collect())
    }

    /// Ends those jobs at once that can be, of one output. Returns them.
    fn complete_all(&mut self, ops: &[Op]) -> Result<Vec<JobId>, T::Error> {
        let Some(Op::Finish { attempt, end: AttemptEnd::Completed(output), .. }) = ops.first() else {
            return Ok(Vec::new());
        };
        let jobs = ops.iter().filter_map(|op| match op {
            Op::Finish { job, .. } => Some(*job),
            _ => None,
        });
        self.tables.complete(&jobs.collect::<Vec<_>>(), *attempt, output.as_ref(), self.now)
    }

    fn enqueue(&mut self, job: &NewJob) -> Stepped<Applied, T::Error> {
        if let Some(unique) = &job.unique {
            let since = unique.period.map_or(Timestamp(0), |period| self.now.saturating_sub(period));
            if let Some(id) = self.tables.find_unique(&job.queue, unique, since)? {
                return Ok(Applied::Existing(id));
            }
        }
        let ids = self.tables.insert(&[(job, self.now)])?;
        Ok(ids.first().map_or(Applied::Done, |id| Applied::Enqueued(*id)))
    }

    fn lease(&mut self, queue: &str, max: usize) -> Stepped<Leased, T::Error> {
        let mut leased = Leased::default();
        if self.tables.is_paused(queue)? {
            return Ok(leased);
        }
        leased.next_due = self.tables.next_due(queue)?;
        if leased.next_due.is_some_and(|due| due <= self.now) {
            self.tables.promote(queue, self.now)?;
            leased.next_due = self.tables.next_due(queue)?;
        }
        while leased.jobs.len() < max {
            let wanted = max - leased.jobs.len();
            let ready = self.tables.ready(queue, wanted)?;
            // A job that has expired makes room for the next, also of its key.
            let (found, expired_before) = (ready.len(), leased.expired.len());
            let leased_before = leased.jobs.len();
            for mut record in ready {
                if transitions::has_expired(&record, self.now) {
                    leased.expired.push(record.id);
                    let retained = transitions::expire(&mut record, self.now);
                    self.store(record, retained)?;
                } else {
                    transitions::lease(&mut record, self.epoch, self.now);
                    leased.jobs.push(record);
                }
            }
            self.tables.start(leased.jobs.get(leased_before..).unwrap_or_default())?;
            if found < wanted && leased.expired.len() == expired_before {
                break;
            }
        }
        Ok(leased)
    }

    fn finish(&mut self, job: JobId, attempt: u32, end: &AttemptEnd) -> Stepped<Applied, T::Error> {
        if let AttemptEnd::Completed(output) = end
            && self.tables.complete(&[job], attempt, output.as_ref(), self.now)? == [job]
        {
            return Ok(Applied::Done);
        }
        let mut record = self.running(job, attempt)?;
        let retained = transitions::finish(&mut record, end.clone(), self.now);
        self.store(record, retained)?;
        Ok(Applied::Done)
    }

    fn progress(
        &mut self,
        job: JobId,
        attempt: u32,
        progress: RecordedProgress,
    ) -> Stepped<Applied, T::Error> {
        let mut record = self.running(job, attempt)?;
        record.progress = Some(progress);
        self.tables.update(record)?;
        Ok(Applied::Done)
    }

    /// Returns a job whose attempt runs.
    fn running(&mut self, job: JobId, attempt: u32) -> Stepped<JobRecord, T::Error> {
        let record = self.tables.get(job)?.ok_or(Stopped::Conflict(Conflict::NoSuchJob(job)))?;
        transitions::check_attempt(&record, attempt).map_err(Stopped::Conflict)?;
        Ok(record)
    }

    fn cancel(&mut self, job: JobId) -> Stepped<Applied, T::Error> {
        let found = self.tables.get(job)?.filter(|record| !record.state.is_over());
        let Some(mut record) = found else { return Ok(Applied::Changed(false)) };
        let retained = transitions::cancel(&mut record, self.now);
        self.store(record, retained)?;
        Ok(Applied::Changed(true))
    }

    fn retry(&mut self, job: JobId) -> Stepped<Applied, T::Error> {
        let Some(mut record) = self.failed(job)? else { return Ok(Applied::Changed(false)) };
        transitions::retry(&mut record, self.now);
        self.tables.update(record)?;
        Ok(Applied::Changed(true))
    }

    fn resolve(&mut self, job: JobId, output: Option<&Payload>) -> Stepped<Applied, T::Error> {
        let Some(mut record) = self.failed(job)? else { return Ok(Applied::Changed(false)) };
        let retained = transitions::resolve(&mut record, output.cloned(), self.now);
        self.store(record, retained)?;
        Ok(Applied::Changed(true))
    }

    /// Returns a job that is over and has not completed.
    fn failed(&mut self, job: JobId) -> Stepped<Option<JobRecord>, T::Error> {
        let is_failed = |state: RecordState| state.is_over() && state != RecordState::Completed;
        Ok(self.tables.get(job)?.filter(|record| is_failed(record.state)))
    }

    fn remove(&mut self, job: JobId) -> Stepped<Applied, T::Error> {
        let found = self.tables.get(job)?.filter(|record| record.state != RecordState::Running);
        if found.is_some() {
            self.tables.remove(job)?;
        }
        Ok(Applied::Changed(found.is_some()))
    }

    fn purge(&mut self, max: usize) -> Stepped<Applied, T::Error> {
        let outlived = self.tables.outlived(self.now, max)?;
        for job in &outlived {
            self.tables.remove(*job)?;
        }
        Ok(Applied::Purged(outlived.len()))
    }

    fn store(&mut self, record: JobRecord, retained: Retained) -> Stepped<(), T::Error> {
        match retained {
            Retained::Kept => self.tables.update(record)?,
            Retained::Removed => self.tables.remove(record.id)?,
        }
        Ok(())
    }

    fn claim(&mut self, journal: &str) -> Stepped<Applied, T::Error> {
        let JournalHead { writer, sequence } = self.tables.journal(journal)?.unwrap_or_default();
        let writer = writer + 1;
        self.tables.set_journal(journal, JournalHead { writer, sequence })?;
        Ok(Applied::Claimed { writer, sequence })
    }

    /// Returns the journal of the latest writer.
    fn journal_of(&mut self, journal: &str, writer: u64) -> Stepped<JournalHead, T::Error> {
        let head = self.tables.journal(journal)?.unwrap_or_default();
        if head.writer == writer && writer > 0 {
            return Ok(head);
        }
        let (journal, latest) = (journal.to_owned(), head.writer);
        Err(Stopped::Conflict(Conflict::StaleWriter { journal, writer, latest }))
    }

    /// Removes what a journal holds. Its number of writers stays, so that no earlier writer becomes
    /// the latest again.
    fn erase(&mut self, journal: &str) -> Stepped<(), T::Error> {
        let JournalHead { writer, .. } = self.tables.journal(journal)?.unwrap_or_default();
        self.tables.erase(journal)?;
        self.tables.set_journal(journal, JournalHead { writer: writer + 1, sequence: 0 })?;
        Ok(())
    }

    fn append(
        &mut self,
        journal: &str,
        writer: u64,
        expected: u64,
        events: &[Payload],
    ) -> Stepped<Applied, T::Error> {
        let mut head = self.journal_of(journal, writer)?;
        if head.sequence != expected {
            let (journal, found) = (journal.to_owned(), head.sequence);
            return Err(Stopped::Conflict(Conflict::WrongSequence { journal, expected, found }));
        }
        for event in events {
            head.sequence += 1;
            self.tables.append(journal, head.sequence, event)?;
        }
        self.tables.set_journal(journal, head)?;
        Ok(Applied::Appended(head.sequence))
    }

    fn snapshot(
        &mut self,
        journal: &str,
        writer: u64,
        sequence: u64,
        state: &Payload,
    ) -> Stepped<Applied, T::Error> {
        let head = self.journal_of(journal, writer)?;
        if sequence > head.sequence {
            let (journal, expected, found) = (journal.to_owned(), sequence, head.sequence);
            return Err(Stopped::Conflict(Conflict::WrongSequence { journal, expected, found }));
        }
        self.tables.set_snapshot(journal, sequence, state)?;
        Ok(Applied::Done)
    }
}
