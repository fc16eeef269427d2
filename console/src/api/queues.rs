//! Durable queues, their jobs, and the attempts of a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A store with its queues.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StoreRow {
    /// The name under which the console has it.
    pub name: String,
    /// Why its queues are not known: it failed, or did not answer in time.
    pub problem: Option<String>,
    /// The number of its queues.
    pub total: usize,
    /// The queues that have jobs or are paused, by name: 500 at most.
    pub queues: Vec<QueueRow>,
}

/// A queue of a store.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueRow {
    /// The name: the id of the durable pool, or the one that it was given.
    pub queue: String,
    /// `true` if none of its jobs starts until it is resumed.
    pub paused: bool,
    /// The number of jobs in each state.
    pub jobs: BTreeMap<DurableJobState, u64>,
}

/// The state of a durable job.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DurableJobState {
    /// It waits until it is due.
    Delayed,
    /// It is due and waits for a worker.
    Queued,
    /// A process has leased it.
    Running,
    /// It has completed.
    Completed,
    /// It failed for good, and is kept until it is retried or removed.
    Dead,
    /// It was cancelled.
    Cancelled,
    /// It had not started when it expired.
    Expired,
    /// Its process ended while it ran, and it must not start twice.
    Unknown,
}

/// A part of the jobs of a durable queue.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DurableJobPage {
    /// The queue, with the number of jobs in each state.
    pub queue: QueueRow,
    /// The number of jobs of the queue in the state that was asked for.
    pub total: u64,
    /// The jobs, in the order of their numbers.
    pub items: Vec<DurableJobRow>,
    /// The number after which the next part begins, if there is one.
    pub next: Option<u64>,
}

/// A durable job in a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DurableJobRow {
    /// The number of the job in its store.
    pub id: u64,
    /// The queue.
    pub queue: String,
    /// Its state.
    pub state: DurableJobState,
    /// The job as text: JSON and primitive values as they are, other bytes as digits.
    pub text: String,
    /// The number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// When it was submitted, in milliseconds since the start of the year 1970.
    pub submitted_at_millis: u64,
    /// It does not start before this time.
    pub due_at_millis: u64,
    /// When its latest attempt started.
    pub started_at_millis: Option<u64>,
    /// When it was over.
    pub ended_at_millis: Option<u64>,
    /// The failure of the last attempt that has ended.
    pub error: Option<String>,
}

/// A durable job with all that its store keeps of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DurableJob {
    /// The job, as in the list.
    pub job: DurableJobRow,
    /// The stable name of the type of the job.
    pub type_name: String,
    /// The version of the type.
    pub type_version: u32,
    /// Jobs of a higher priority start first.
    pub priority: u8,
    /// Jobs of one key run one after the other.
    pub key: Option<String>,
    /// The key by which it is stored only once.
    pub unique: Option<String>,
    /// `true` if it must not start twice.
    pub at_most_once: bool,
    /// The number of attempts that may fail.
    pub max_failed: u32,
    /// The number of attempts that may lose their worker or their process.
    pub max_lost: u32,
    /// It expires if it has not started by this time.
    pub expires_at_millis: Option<u64>,
    /// The W3C trace of its submission.
    pub traceparent: Option<String>,
    /// The process that runs it, as a number of the store.
    pub process: Option<u64>,
    /// How far it is.
    pub progress: Option<DurableProgress>,
    /// The output as text, if it has completed with one.
    pub output: Option<String>,
    /// The attempts that have ended, in order. If they were too many, the first stands for several.
    pub attempts: Vec<DurableAttempt>,
    /// The names of the actions that its state allows.
    pub actions: Vec<String>,
}

/// How far a durable job is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DurableProgress {
    /// The steps that are done.
    pub done: u64,
    /// All steps.
    pub total: u64,
}

/// An attempt of a durable job that has ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DurableAttempt {
    /// The number of the attempt; the first is 1.
    pub number: u32,
    /// The process that ran it, as a number of the store.
    pub process: u64,
    /// When it started, in milliseconds since the start of the year 1970.
    pub started_at_millis: u64,
    /// When its end was stored.
    pub ended_at_millis: u64,
    /// Why it failed, if it has not completed.
    pub failure: Option<String>,
    /// `true` if the failure counts no more, because the job was retried by hand since.
    pub is_forgiven: bool,
}
