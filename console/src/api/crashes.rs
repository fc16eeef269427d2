//! The crashes that are still known.

use perennial_operations::{Event, EventKind, Reason};
use serde::{Deserialize, Serialize};

use super::events::subject;
use super::page::{Page, Window};

/// A crash in a list. Its report has the rest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CrashRow {
    /// The number of its event, which is that of its report.
    pub sequence: u64,
    /// When it happened, in milliseconds since the start of the year 1970.
    pub at_millis: u64,
    /// The number of the identity.
    pub identity: Option<u64>,
    /// The incarnation that crashed.
    pub incarnation: Option<u32>,
    /// The path of the actor, or its type.
    pub label: String,
    /// Why it ended.
    pub reason: Reason,
}

impl CrashRow {
    fn of(event: &Event) -> Self {
        let pid = match &event.kind {
            EventKind::Ended { pid, .. } => Some(*pid),
            _ => None,
        };
        Self {
            sequence: event.sequence,
            at_millis: event.at_millis,
            identity: pid.map(perennial_actors::Pid::identity),
            incarnation: pid.map(perennial_actors::Pid::incarnation),
            label: subject(&event.kind).unwrap_or_default(),
            reason: event.kind.reason().cloned().unwrap_or_default(),
        }
    }
}

/// Returns the crashes, the newest first.
pub(crate) fn rows(mut crashes: Vec<Event>, text: Option<&str>, window: Window, last: u64) -> Page<CrashRow> {
    let text = text.unwrap_or_default().to_lowercase();
    crashes.retain(|crash| subject(&crash.kind).unwrap_or_default().to_lowercase().contains(&text));
    crashes.reverse();
    window.of(&crashes, last, CrashRow::of)
}
