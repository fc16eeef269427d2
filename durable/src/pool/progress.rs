//! The progress that jobs have reported and that is not stored yet.

use std::collections::HashMap;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use perennial_supervision::pool::{JobProgress, ProgressSink};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::batch::Op;
use crate::record::{JobId, RecordedProgress};

/// The shortest time between two commits of progress.
const PERIOD: Duration = Duration::from_secs(1);

/// The latest report of each attempt. However many there are, one is stored.
#[derive(Debug, Default)]
pub(super) struct Reports {
    latest: Mutex<HashMap<JobId, (u32, RecordedProgress)>>,
    /// Notified by the first report.
    reported: Notify,
}

impl ProgressSink for Reports {
    fn report(&self, id: u64, attempt: u32, progress: JobProgress) {
        let JobProgress { done, total, .. } = progress;
        let mut latest = self.latest.lock();
        let is_first = latest.is_empty();
        latest.insert(JobId(id), (attempt, RecordedProgress { done, total }));
        drop(latest);
        if is_first {
            self.reported.notify_one();
        }
    }
}

impl Reports {
    /// Removes and returns the report of an attempt that has ended.
    pub(super) fn take(&self, job: JobId, attempt: u32) -> Option<RecordedProgress> {
        let mut latest = self.latest.lock();
        // Another attempt of this process may run already.
        let is_its = latest.get(&job).is_some_and(|report| report.0 == attempt);
        if is_its { latest.remove(&job).map(|report| report.1) } else { None }
    }

    /// Removes all reports, and returns the operations that store them. There are none before a
    /// second has passed since the last time.
    pub(super) fn take_due(&self, stored: &mut Option<Instant>) -> Vec<Op> {
        if next(*stored).is_some_and(|next| next > Instant::now()) {
            return Vec::new();
        }
        let latest = std::mem::take(&mut *self.latest.lock());
        if !latest.is_empty() {
            *stored = Some(Instant::now());
        }
        latest.into_iter().map(|(job, (attempt, progress))| Op::Progress { job, attempt, progress }).collect()
    }

    /// Waits until reports may be stored.
    pub(super) async fn due(&self, stored: Option<Instant>) {
        while self.latest.lock().is_empty() {
            self.reported.notified().await;
        }
        if let Some(next) = next(stored) {
            sleep_until(next).await;
        }
    }
}

fn next(stored: Option<Instant>) -> Option<Instant> {
    stored.and_then(|stored| stored.checked_add(PERIOD))
}
