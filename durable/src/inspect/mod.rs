//! Looking at a store from outside: selecting jobs, and payloads as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::StoreError;
use crate::codec::{Bincode, Codec, Json};
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, RecordState, Timestamp};
use crate::store::{JobFilter, QueueInfo, Store};
use crate::wire::{Wire, decode};

/// The most jobs that one read takes.
const PAGE: usize = 1_000;

/// The most bytes that are shown of a payload whose type is not known.
const SHOWN_BYTES: usize = 64;

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

/// Returns the queues that have jobs, with what [`Store::queue`] returns of each. It reads all jobs,
/// a page at a time.
///
/// # Errors
///
/// The store failed.
pub async fn queues(store: &dyn Store) -> Result<BTreeMap<String, QueueInfo>, StoreError> {
    let mut queues = BTreeMap::new();
    let mut after: Option<JobId> = None;
    loop {
        let page = store.jobs(JobFilter { after, max: PAGE, ..JobFilter::default() }).await?;
        for record in &page {
            if !queues.contains_key(&record.job.queue) {
                queues.insert(record.job.queue.clone(), store.queue(&record.job.queue).await?);
            }
        }
        after = page.last().map(|record| record.id);
        if page.len() < PAGE {
            return Ok(queues);
        }
    }
}

/// Returns a payload as text in one line: JSON as it is, values of primitive types as JSON, and
/// other bytes as hexadecimal digits. [Control characters](escape) are escaped.
#[must_use]
pub fn payload_text(payload: &Payload) -> String {
    let text = match payload.codec.as_str() {
        Json::NAME => String::from_utf8(payload.bytes.clone()).ok(),
        Bincode::NAME => primitive_text(payload),
        _ => None,
    };
    text.map_or_else(|| bytes_text(&payload.bytes), |text| escape(&text))
}

fn primitive_text(payload: &Payload) -> Option<String> {
    fn text<T: Wire>(payload: &Payload) -> Option<String> {
        (payload.tag == T::TAG)
            .then(|| decode::<T>(payload).ok())?
            .and_then(|value| serde_json::to_string(&value).ok())
    }
    text::<String>(payload)
        .or_else(|| text::<u64>(payload))
        .or_else(|| text::<i64>(payload))
        .or_else(|| text::<u32>(payload))
        .or_else(|| text::<i32>(payload))
        .or_else(|| text::<u16>(payload))
        .or_else(|| text::<i16>(payload))
        .or_else(|| text::<u8>(payload))
        .or_else(|| text::<i8>(payload))
        .or_else(|| text::<f64>(payload))
        .or_else(|| text::<bool>(payload))
        .or_else(|| text::<()>(payload))
}

fn bytes_text(bytes: &[u8]) -> String {
    let mut text = String::from("0x");
    for byte in bytes.iter().take(SHOWN_BYTES) {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    match bytes.len().saturating_sub(SHOWN_BYTES) {
        0 => text,
        more => format!("{text}... and {more} bytes more"),
    }
}

/// Returns a text without control characters, which would change a terminal: each is escaped as in
/// Rust, and so are characters that change the direction of what follows.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let is_direction =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || is_direction {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
