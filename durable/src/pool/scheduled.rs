//! The task that submits the jobs of a schedule, each slot once, in whichever process.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::{Foreign, add_time, catch_panic};
use perennial_supervision::pool::Work;
use tokio::time::{Instant, sleep, sleep_until};

use super::due::{Due, due};
use super::event::DurableEvent;
use super::handle::DurableHandle;
use super::schedule::Schedule;
use super::shared::Shared;
use super::submission::DurableSubmission;
use crate::batch::{Applied, Conflict, Op};
use crate::codec::Json;
use crate::error::{CommitErrorKind, StoreError};
use crate::record::{Timestamp, Unique};
use crate::wire::{decode, encode};

/// The most slots of one commit.
const MAX_SLOTS: usize = 100;

/// The delay before the store is asked again, and the longest before a schedule that another
/// process works on is looked at again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
const RACE_PAUSE: Duration = Duration::from_millis(200);

/// Makes the job of a slot.
type MakeJob<W> = Foreign<Box<dyn Fn(Timestamp, &DurableHandle<W>) -> DurableSubmission<W> + Send + Sync>>;

/// A schedule of a pool.
pub(super) struct Scheduled<W: Work + 'static> {
    pub(super) name: Arc<str>,
    pub(super) schedule: Schedule,
    pub(super) make: MakeJob<W>,
}

/// What has come of a commit.
enum Submitted {
    Done,
    /// Another process is at it.
    Raced,
}

/// Submits the jobs of a schedule for ever.
pub(super) async fn keep<W>(shared: Arc<Shared<W>>, scheduled: Arc<Scheduled<W>>) -> Result<(), ExitReason>
where
    W: Work + 'static,
{
    let keeper = Keeper { journal: journal(&shared.queue, &scheduled.name), shared, scheduled };
    loop {
        match keeper.step().await {
            Ok(Some(next)) => keeper.wait(next).await,
            Ok(None) => std::future::pending::<()>().await,
            Err(Failed::Store(error)) if error.is_transient() => sleep(STORE_PAUSE).await,
            Err(Failed::Store(error)) => return Err(error.into()),
            Err(Failed::Job(reason)) => return Err(reason),
        }
    }
}

/// Returns the name of the journal whose snapshot is the position of a schedule.
fn journal(queue: &str, name: &str) -> String {
    format!("schedule of {queue}: {name}")
}

enum Failed {
    Store(StoreError),
    /// The job of a slot cannot be made.
    Job(ExitReason),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Keeper<W: Work + 'static> {
    journal: String,
    shared: Arc<Shared<W>>,
    scheduled: Arc<Scheduled<W>>,
}

impl<W: Work + 'static> Keeper<W> {
    /// Submits what is due. Returns when there is something to do next.
    async fn step(&self) -> Result<Option<Timestamp>, Failed> {
        let found = self.due().await?;
        if let Some(Due { slots, next, .. }) = &found
            && slots.is_empty()
        {
            return Ok(*next);
        }
        let claim = Op::Claim { journal: self.journal.clone() };
        let writer = match self.shared.commit_alone(claim).await?.pop() {
            Some(Applied::Claimed { writer, .. }) => writer,
            other => return Err(StoreError::Failed(format!("the effect of a claim is {other:?}")).into()),
        };
        // Another process may have been faster before the claim. After it, its commit is refused.
        let now = self.shared.now();
        let due = match self.due().await? {
            Some(due) if due.slots.is_empty() => return Ok(due.next),
            Some(due) => due,
            // A new schedule begins now.
            None => Due { slots: Vec::new(), position: now, next: self.scheduled.schedule.next_after(now) },
        };
        match self.submit(writer, &due).await? {
            Submitted::Done => Ok(due.next),
            Submitted::Raced => {
                sleep(RACE_PAUSE.mul_f64(self.shared.draw())).await;
                Ok(Some(now))
            }
        }
    }

    /// Returns what is due, or `None` if the schedule is new.
    async fn due(&self) -> Result<Option<Due>, StoreError> {
        let Some(snapshot) = self.shared.store.snapshot(&self.journal).await? else { return Ok(None) };
        let position = decode(&snapshot.state).map(Timestamp).map_err(|error| {
            StoreError::Corrupt(format!("the position of schedule {}: {error}", self.scheduled.name))
        })?;
        Ok(Some(due(&self.scheduled.schedule, position, self.shared.now(), MAX_SLOTS)))
    }

    /// Commits the jobs of the slots that are due, and the position after them.
    async fn submit(&self, writer: u64, due: &Due) -> Result<Submitted, Failed> {
        let mut ops = Vec::with_capacity(due.slots.len() + 1);
        for slot in &due.slots {
            ops.push(self.job_of(*slot)?);
        }
        let state =
            encode::<u64, Json>(&due.position.0).map_err(|error| StoreError::Failed(error.to_string()))?;
        ops.push(Op::Snapshot { journal: self.journal.clone(), writer, sequence: 0, state });
        match self.shared.commit_all(ops).await.map_err(|error| error.kind) {
            Ok(applied) => {
                for effect in applied {
                    if let Applied::Enqueued(id) = effect {
                        self.shared.publish(DurableEvent::Submitted(id));
                    }
                }
                Ok(Submitted::Done)
            }
            Err(CommitErrorKind::Conflict { conflict: Conflict::StaleWriter { .. }, .. }) => {
                Ok(Submitted::Raced)
            }
            Err(CommitErrorKind::Conflict { conflict, .. }) => {
                Err(StoreError::Failed(conflict.to_string()).into())
            }
            // The position tells whether it was applied.
            Err(CommitErrorKind::NotApplied(error) | CommitErrorKind::Unknown(error)) => Err(error.into()),
        }
    }

    fn job_of(&self, slot: Timestamp) -> Result<Op, Failed> {
        let handle = DurableHandle::new(self.shared.clone());
        let made = catch_panic(None, || (self.scheduled.make)(slot, &handle)).map_err(Failed::Job)?;
        let mut new =
            made.prepare().map_err(|error| Failed::Job(StoreError::Failed(error.to_string()).into()))?;
        let key = format!("{} {}", self.journal, slot.0);
        new.unique = Some(Unique { key, over_counts: true, period: None });
        Ok(Op::Enqueue(Box::new(new)))
    }

    async fn wait(&self, until: Timestamp) {
        // What is too late for tokio is never.
        let far = || add_time(Instant::now(), Duration::from_secs(1 << 30));
        sleep_until(self.shared.clock.instant(until).unwrap_or_else(far)).await;
    }
}
