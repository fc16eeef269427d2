//! What a store keeps of a job.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::history::RecordedProgress;
use crate::history::{AttemptFailure, AttemptRecord};
pub use crate::numbers::{Epoch, JobId, Timestamp};
use crate::payload::Payload;
use crate::run_options::RunOptions;

/// The state of a job in its store.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum RecordState {
    /// The job waits until it is due.
    Delayed,
    /// The job is due and waits for a worker.
    Queued,
    /// A process has leased the job.
    Running,
    /// The job has completed. Its output is kept as long as the job.
    Completed,
    /// The job failed permanently. It is kept until it is retried or removed.
    Dead,
    /// The job was cancelled.
    Cancelled,
    /// The job had not started when it expired.
    Expired,
    /// The process ended while the job ran, and the job must not start twice. It is kept until it
    /// is retried or removed.
    Unknown,
}

impl RecordState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Delayed,
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Dead,
        Self::Cancelled,
        Self::Expired,
        Self::Unknown,
    ];

    /// Returns `true` if the job is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        !self.is_waiting() && !matches!(self, Self::Running)
    }

    /// Returns `true` if the job waits to start.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Delayed | Self::Queued)
    }

    /// Returns the name of the state, as in a database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delayed => "delayed",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A job that is about to be stored, with the options of its submission.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// The queue: the durable name of a pool.
    pub queue: String,
    /// The job itself.
    pub payload: Payload,
    /// Jobs of a higher priority start first.
    pub priority: u8,
    /// The job does not start before this time.
    pub due: Timestamp,
    /// The job expires if it has not started by this time.
    pub expires: Option<Timestamp>,
    /// Jobs of one key in one queue run one after the other.
    pub key: Option<String>,
    /// The job is stored only if no such job is there.
    pub unique: Option<Unique>,
    /// The job must not start twice.
    pub at_most_once: bool,
    /// How long the job is kept when it has completed, was cancelled or has expired. Zero removes
    /// it at once.
    pub retention: Duration,
    /// The number of attempts that may fail; the first included.
    pub attempts: u32,
    /// The number of attempts that may lose their worker or their process.
    pub lost_attempts: u32,
    /// What the pool that runs the job needs.
    pub options: RunOptions,
}

impl NewJob {
    /// Makes a job of a queue with one attempt and no other option.
    #[must_use]
    pub fn new(queue: impl Into<String>, payload: Payload) -> Self {
        Self {
            queue: queue.into(),
            payload,
            priority: 0,
            due: Timestamp(0),
            expires: None,
            key: None,
            unique: None,
            at_most_once: false,
            retention: Duration::ZERO,
            attempts: 1,
            lost_attempts: 1,
            options: RunOptions::default(),
        }
    }

    /// Returns the state of a job that is submitted now, and when it may start.
    pub(crate) fn first_state(&self, now: Timestamp) -> (RecordState, Timestamp) {
        let due = self.due.max(now);
        (if due > now { RecordState::Delayed } else { RecordState::Queued }, due)
    }
}

/// The rule that stores a job only once: as `unique` of Oban and River.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Unique {
    /// Jobs of one queue with equal keys are the same job.
    pub key: String,
    /// A job that is over counts too, as long as it is kept.
    pub over_counts: bool,
    /// Only jobs that were submitted within this time count; `None` counts all.
    pub period: Option<Duration>,
}

/// What a store keeps of a job.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The number of the job.
    pub id: JobId,
    /// The job as it was submitted.
    pub job: NewJob,
    /// The state.
    pub state: RecordState,
    /// The number of the latest attempt; 0 before the first. It is the fencing token of the job: an
    /// outcome is accepted only from the attempt with this number, while it runs.
    pub attempt: u32,
    /// The process that runs the job.
    pub epoch: Option<Epoch>,
    /// When the job was submitted.
    pub submitted: Timestamp,
    /// The job does not start before this time.
    pub due: Timestamp,
    /// When the latest attempt started.
    pub started: Option<Timestamp>,
    /// When the job was over.
    pub ended: Option<Timestamp>,
    /// The job is removed after this time.
    pub retained_until: Option<Timestamp>,
    /// The progress of the latest attempt, as it was last stored.
    pub progress: Option<RecordedProgress>,
    /// The output of a job that has completed.
    pub output: Option<Payload>,
    /// The attempts that have ended, in order, and at most [`MAX_HISTORY`](crate::MAX_HISTORY): in
    /// place of earlier ones, the first is their [summary](AttemptFailure::Earlier).
    pub history: Vec<AttemptRecord>,
    /// How many entries of the history do not count any more, because the job was retried by hand
    /// since.
    pub forgiven: u32,
}

impl JobRecord {
    /// Makes the record of a job that is submitted now.
    #[must_use]
    pub fn new(id: JobId, job: NewJob, now: Timestamp) -> Self {
        let (state, due) = job.first_state(now);
        Self {
            id,
            job,
            state,
            attempt: 0,
            epoch: None,
            submitted: now,
            due,
            started: None,
            ended: None,
            retained_until: None,
            progress: None,
            output: None,
            history: Vec::new(),
            forgiven: 0,
        }
    }

    /// Returns the failures that count: those since the job was submitted or retried by hand.
    pub fn failures(&self) -> impl Iterator<Item = &AttemptFailure> {
        let counted = self.history.iter().skip(self.forgiven as usize);
        counted.filter_map(|attempt| attempt.failure.as_ref())
    }

    /// Returns the progress of the latest attempt that has reported one, also if it has ended.
    #[must_use]
    pub fn last_progress(&self) -> Option<RecordedProgress> {
        let ended = self.history.iter().rev().find_map(|attempt| attempt.progress);
        self.progress.or(ended)
    }
}
