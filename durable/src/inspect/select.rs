//! Which jobs of a store a person asks for.

use std::time::Duration;

use crate::error::StoreError;
use crate::record::{JobId, JobRecord, RecordState, Timestamp};
use crate::store::{JobFilter, Store};

/// The most jobs that one read takes.
const PAGE: usize = 1_000;

/// Which jobs a person asks for. Each condition that is set must hold.
///
/// # Examples
///
/// ```
/// use perennial_durable::inspect::Selection;
/// use perennial_durable::{MemoryStore, RecordState, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let dead = Selection { states: vec![RecordState::Dead], ..Selection::default() };
/// let found = dead.find(&MemoryStore::new(), Timestamp(0)).await?;
/// assert!(found.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// Only jobs of this queue.
    pub queue: Option<String>,
    /// Only jobs in one of these states; none is all.
    pub states: Vec<RecordState>,
    /// Only jobs that were submitted at least this long ago.
    pub older_than: Option<Duration>,
    /// At most this many jobs; 0 is no limit.
    pub limit: usize,
}

impl Selection {
    /// Returns the jobs of a store, in the order of their numbers, a page at a time.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn find(&self, store: &dyn Store, now: Timestamp) -> Result<Vec<JobRecord>, StoreError> {
        let mut found = Vec::new();
        let mut after: Option<JobId> = None;
        // The store selects one state, or all.
        let state = if let [state] = self.states[..] { Some(state) } else { None };
        loop {
            let filter = JobFilter { queue: self.queue.clone(), state, after, max: PAGE };
            let page = store.jobs(filter).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|record| record.id);
            for record in page {
                if self.selects(&record, now) {
                    found.push(record);
                }
                if self.limit > 0 && found.len() >= self.limit {
                    return Ok(found);
                }
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Returns `true` if all conditions hold for a job.
    #[must_use]
    pub fn selects(&self, record: &JobRecord, now: Timestamp) -> bool {
        self.queue.as_ref().is_none_or(|queue| *queue == record.job.queue)
            && (self.states.is_empty() || self.states.contains(&record.state))
            && self.older_than.is_none_or(|age| now.since(record.submitted) >= age)
    }
}
