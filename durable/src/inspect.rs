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
mod tests {
    use super::*;
    use crate::record::NewJob;
    use crate::wire::encode;

    fn raw(codec: &str, bytes: &[u8]) -> Payload {
        Payload { tag: "t".into(), version: 1, codec: codec.into(), bytes: bytes.to_owned() }
    }

    #[test]
    fn a_payload_is_one_line_of_text_whatever_its_bytes_are() {
        let rows = [
            (raw("json", br#"{"to":"ann"}"#), r#"{"to":"ann"}"#.to_owned()),
            (raw("json", b"\x1b[2J\n"), r"\u{1b}[2J\n".to_owned()),
            (raw("json", b"\xff"), "0xff".to_owned()),
            (raw("bincode2", b"\x01\x02"), "0x0102".to_owned()),
            (raw("other", &[0; 70]), format!("0x{}... and 6 bytes more", "0".repeat(128))),
        ];
        for (payload, expected) in rows {
            assert_eq!(payload_text(&payload), expected);
        }
        let encoded = |payload: Result<Payload, _>| payload_text(&payload.expect("it can be encoded"));
        assert_eq!(encoded(encode::<_, Bincode>(&7_u64)), "7");
        assert_eq!(encoded(encode::<_, Bincode>(&"a\nb".to_owned())), r#""a\nb""#);
        assert_eq!(encoded(encode::<_, Bincode>(&())), "null");
        let damaged = Payload { bytes: vec![9, 9, 9], ..encode::<_, Bincode>(&7_u8).expect("bytes") };
        assert_eq!(payload_text(&damaged), "0x090909");
    }

    #[test]
    fn text_that_turns_a_line_around_is_escaped_and_other_text_is_not() {
        assert_eq!(escape("a\u{202e}b\u{7f}ü"), r"a\u{202e}b\u{7f}ü");
    }

    #[test]
    fn a_job_is_selected_if_every_condition_holds() {
        let now = Timestamp(100_000);
        let record = JobRecord::new(JobId(1), NewJob::new("q", raw("json", b"1")), Timestamp(40_000));
        let all = Selection::default();
        let queue = |queue: &str| Selection { queue: Some(queue.to_owned()), ..all.clone() };
        let states = |states: &[RecordState]| Selection { states: states.to_vec(), ..all.clone() };
        let age = |seconds| Selection { older_than: Some(Duration::from_secs(seconds)), ..all.clone() };
        let rows = [
            (all.clone(), true),
            (queue("q"), true),
            (queue("other"), false),
            (states(&[RecordState::Dead, RecordState::Queued]), true),
            (states(&[RecordState::Dead]), false),
            (age(60), true),
            (age(61), false),
            (Selection { older_than: Some(Duration::from_secs(61)), ..queue("q") }, false),
        ];
        for (selection, expected) in rows {
            assert_eq!(selection.selects(&record, now), expected, "{selection:?}");
        }
    }
}
