//! Batches: what a store does in one atomic step.

use serde::{Deserialize, Serialize};

use crate::history::AttemptFailure;
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, RecordState, RecordedProgress, Timestamp};

/// Operations that are applied together and durably, in order, or not at all.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The time of the operations. It decides which jobs are due and which have expired.
    pub now: Timestamp,
    /// The operations.
    pub ops: Vec<Op>,
}

impl Batch {
    /// Makes a batch of one operation.
    #[must_use]
    pub fn of(now: Timestamp, op: Op) -> Self {
        Self { now, ops: vec![op] }
    }

    /// Returns `true` if there may be jobs to lease, or new events, when this has been applied.
    #[must_use]
    pub fn adds(&self) -> bool {
        self.ops.iter().any(|op| match op {
            // An attempt that ends may have held back others of its key.
            Op::Enqueue(_)
            | Op::Finish { .. }
            | Op::Cancel(_)
            | Op::Retry(_)
            | Op::Resolve { .. }
            | Op::Append { .. } => true,
            Op::Pause { paused, .. } => !paused,
            Op::Lease { .. }
            | Op::Progress { .. }
            | Op::Remove(_)
            | Op::Purge { .. }
            | Op::Claim { .. }
            | Op::Snapshot { .. }
            | Op::Erase { .. } => false,
        })
    }
}

/// One operation of a [`Batch`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Stores a job, unless it is [unique](NewJob::unique) and there already.
    /// Returns [`Applied::Enqueued`] or [`Applied::Existing`].
    Enqueue(Box<NewJob>),
    /// Leases the next jobs of a queue to the process: those that are due, by priority and number,
    /// of each key the first, and no job of a key of which another job runs. Each gets the next
    /// attempt number. Jobs that have expired are over. A paused queue leases none.
    /// Returns [`Applied::Leased`].
    Lease {
        /// The queue.
        queue: String,
        /// The most jobs.
        max: usize,
    },
    /// Ends an attempt. Returns [`Applied::Done`].
    ///
    /// Conflicts: [`NoSuchJob`](Conflict::NoSuchJob) and
    /// [`StaleAttempt`](Conflict::StaleAttempt).
    Finish {
        /// The job.
        job: JobId,
        /// The number of the attempt.
        attempt: u32,
        /// Its end.
        end: AttemptEnd,
    },
    /// Stores the progress of an attempt that runs. Returns [`Applied::Done`].
    ///
    /// Conflicts: as of [`Finish`](Self::Finish).
    Progress {
        /// The job.
        job: JobId,
        /// The number of the attempt.
        attempt: u32,
        /// The progress.
        progress: RecordedProgress,
    },
    /// Cancels a job that is not over. An attempt that runs is stale from then on.
    /// Returns [`Applied::Changed`].
    Cancel(JobId),
    /// Queues a job that is over and has not completed, with all its attempts.
    /// Returns [`Applied::Changed`].
    Retry(JobId),
    /// Completes a job by hand that is over and has not completed, with an output: a person has
    /// found out what has become of it. Returns [`Applied::Changed`].
    Resolve {
        /// The job.
        job: JobId,
        /// Its output.
        output: Option<Payload>,
    },
    /// Removes a job that does not run. Returns [`Applied::Changed`].
    Remove(JobId),
    /// Pauses or resumes a queue. Returns [`Applied::Done`].
    Pause {
        /// The queue.
        queue: String,
        /// `true` pauses.
        paused: bool,
    },
    /// Removes jobs whose retention is over. Returns [`Applied::Purged`].
    Purge {
        /// The most jobs.
        max: usize,
    },
    /// Makes the sender the only writer of a journal: earlier writers are fenced from then on. A
    /// journal that does not exist is made. Returns [`Applied::Claimed`].
    Claim {
        /// The journal.
        journal: String,
    },
    /// Appends events to a journal. Returns [`Applied::Appended`].
    ///
    /// Conflicts: [`StaleWriter`](Conflict::StaleWriter) and
    /// [`WrongSequence`](Conflict::WrongSequence).
    Append {
        /// The journal.
        journal: String,
        /// The number of the writer, from [`Applied::Claimed`].
        writer: u64,
        /// The sequence number of the latest event that the writer knows; 0 if there is none.
        expected: u64,
        /// The events.
        events: Vec<Payload>,
    },
    /// Replaces the snapshot of a journal. Its events stay. Returns [`Applied::Done`].
    ///
    /// Conflicts: [`StaleWriter`](Conflict::StaleWriter), and
    /// [`WrongSequence`](Conflict::WrongSequence) if there is no event of that number.
    Snapshot {
        /// The journal.
        journal: String,
        /// The number of the writer.
        writer: u64,
        /// The sequence number of the latest event that the state includes; 0 if there is none.
        sequence: u64,
        /// The state.
        state: Payload,
    },
    /// Removes the events and the snapshot of a journal, and fences its writer. Only the name of
    /// the journal stays. Returns [`Applied::Changed`].
    Erase {
        /// The journal.
        journal: String,
    },
}

/// The end of an attempt.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum AttemptEnd {
    /// The job has completed.
    Completed(Option<Payload>),
    /// The job is tried again.
    Retry {
        /// Why the attempt failed.
        failure: AttemptFailure,
        /// The next attempt does not start before this time.
        due: Timestamp,
    },
    /// The job is dead.
    Dead(AttemptFailure),
    /// The outcome is unknown, and the job must not start twice.
    Unknown(AttemptFailure),
}

/// The effect of one operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Applied {
    /// The operation has been applied.
    Done,
    /// The job is stored under this number.
    Enqueued(JobId),
    /// The job is stored already, under this number.
    Existing(JobId),
    /// Jobs were leased.
    Leased(Leased),
    /// Whether anything was there to change.
    Changed(bool),
    /// The number of jobs that were removed.
    Purged(usize),
    /// The sender is the writer of the journal.
    Claimed {
        /// The number of the writer. It is greater than all before.
        writer: u64,
        /// The sequence number of the latest event; 0 if there is none.
        sequence: u64,
    },
    /// The sequence number of the last event that was appended.
    Appended(u64),
}

/// The jobs that a process has leased.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Leased {
    /// The jobs, first the one that is to start first.
    pub jobs: Vec<JobRecord>,
    /// The jobs that had expired.
    pub expired: Vec<JobId>,
    /// When the next job of the queue is due, if one is delayed.
    pub next_due: Option<Timestamp>,
}

/// The reason why an operation did not apply. Nothing of its batch was applied then.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// There is no such job.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// The attempt does not run any more: the job was cancelled, leased again, or is over.
    #[error("attempt {attempt} of job {job} does not run; the job is {state}, its latest attempt {latest}")]
    StaleAttempt {
        /// The job.
        job: JobId,
        /// The attempt of the operation.
        attempt: u32,
        /// The latest attempt.
        latest: u32,
        /// The state of the job.
        state: RecordState,
    },
    /// Another writer has claimed the journal.
    #[error("writer {writer} of journal {journal} was succeeded by {latest}")]
    StaleWriter {
        /// The journal.
        journal: String,
        /// The writer of the operation.
        writer: u64,
        /// The latest writer; 0 if there is no such journal.
        latest: u64,
    },
    /// The journal has other events than the writer knows.
    #[error("journal {journal} is at event {found}, not {expected}")]
    WrongSequence {
        /// The journal.
        journal: String,
        /// The sequence number of the operation.
        expected: u64,
        /// The sequence number of the latest event.
        found: u64,
    },
}
