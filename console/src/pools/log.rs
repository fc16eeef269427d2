//! What happened to the last jobs of a pool.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use perennial_actors::Subscription;
use perennial_actors::host::sync::Mutex;
use perennial_supervision::pool::JobEvent;

use crate::api::{JobState, JobStep, JobStepKind, millis};

/// The most jobs whose steps are kept.
const JOBS: usize = 1000;

/// The most steps of one job that are kept.
const STEPS: usize = 100;

/// The most events that are recorded under one lock.
const AT_ONCE: usize = 256;

/// The steps of the last jobs of a pool.
pub(crate) struct JobLog(Mutex<State>);

struct State {
    events: Subscription<JobEvent>,
    jobs: BTreeMap<u64, Vec<JobStep>>,
    /// The jobs in the order of their first steps.
    order: VecDeque<u64>,
    /// A moment on both clocks.
    began: (Instant, SystemTime),
}

impl JobLog {
    pub(crate) fn new(events: Subscription<JobEvent>) -> Self {
        let began = (Instant::now(), SystemTime::now());
        Self(Mutex::new(State { events, jobs: BTreeMap::new(), order: VecDeque::new(), began }))
    }

    /// Records events until the pool is gone.
    pub(super) async fn record(&self) {
        // Others get their turn, however many events there are.
        while poll_fn(|cx| self.poll_record(cx)).await {
            tokio::task::yield_now().await;
        }
    }

    /// Records some events. Returns `false` if there will be no more.
    fn poll_record(&self, cx: &Context<'_>) -> Poll<bool> {
        let mut state = self.0.lock();
        for _ in 0..AT_ONCE {
            match state.events.poll_next(cx) {
                Poll::Ready(Some((at, event))) => state.add(at, event),
                Poll::Ready(None) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(true)
    }

    /// Returns the steps of a job, in order.
    pub(super) fn steps(&self, job: u64) -> Vec<JobStep> {
        self.0.lock().jobs.get(&job).cloned().unwrap_or_default()
    }

    /// Returns the jobs that have ended, the newest first, each with its number of attempts.
    pub(super) fn ended(&self) -> Vec<(u64, JobState, u32)> {
        let state = self.0.lock();
        let ended = |number: &u64| {
            let steps = state.jobs.get(number)?;
            let JobStepKind::Ended { state } = steps.last()?.kind else { return None };
            let is_start = |step: &&JobStep| matches!(step.kind, JobStepKind::Started { .. });
            let attempts = u32::try_from(steps.iter().filter(is_start).count()).unwrap_or(u32::MAX);
            Some((*number, state, attempts))
        };
        state.order.iter().rev().filter_map(ended).collect()
    }
}

impl State {
    fn add(&mut self, at: Instant, event: JobEvent) {
        let Some((id, kind)) = step(event) else { return };
        let step = JobStep { at_millis: self.millis(at), kind };
        let Self { jobs, order, .. } = self;
        let steps = jobs.entry(id).or_insert_with(|| {
            order.push_back(id);
            Vec::new()
        });
        if steps.len() >= STEPS {
            // The first step says when it was submitted.
            steps.remove(1);
        }
        steps.push(step);
        if order.len() > JOBS {
            if let Some(oldest) = order.pop_front() {
                jobs.remove(&oldest);
            }
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        let (instant, time) = self.began;
        let at = time + at.saturating_duration_since(instant);
        millis(at.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// Converts an event, unless this version does not know it.
fn step(event: JobEvent) -> Option<(u64, JobStepKind)> {
    let ended = |state| JobStepKind::Ended { state };
    let (id, kind) = match event {
        JobEvent::Submitted(id) => (id, JobStepKind::Submitted),
        JobEvent::Started { id, worker } => {
            (id, JobStepKind::Started { worker: worker.identity(), incarnation: worker.incarnation() })
        }
        JobEvent::Retried { id, cause } => (id, JobStepKind::Retried { cause }),
        JobEvent::Done(id) => (id, ended(JobState::Done)),
        JobEvent::Dead(id) => (id, ended(JobState::Dead)),
        JobEvent::Expired(id) => (id, ended(JobState::Expired)),
        JobEvent::Cancelled(id) => (id, ended(JobState::Cancelled)),
        JobEvent::Dropped(id) => (id, ended(JobState::Dropped)),
        _ => return None,
    };
    Some((id.as_u64(), kind))
}
