//! The dead letters that are still known.

use perennial_operations::{DeadLetterInfo, Event, EventKind};
use serde::{Deserialize, Serialize};

use super::page::{Page, Window};
use super::tally::kind_name;

/// A dead letter in a list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeadLetterRow {
    /// The number of its event.
    pub id: u64,
    /// When it became one, in milliseconds since the start of the year 1970.
    pub at_millis: u64,
    /// What it is. Its fields are those of this object.
    #[serde(flatten)]
    pub letter: DeadLetterInfo,
}

/// Returns the dead letters of a kind whose target or type contains a text, the newest first.
pub(crate) fn rows(
    history: &[Event],
    kind: Option<&str>,
    text: Option<&str>,
    window: Window,
    last: u64,
) -> Page<DeadLetterRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let row = |event: &Event| match &event.kind {
        EventKind::DeadLetter(letter) => {
            Some(DeadLetterRow { id: event.sequence, at_millis: event.at_millis, letter: letter.clone() })
        }
        _ => None,
    };
    let is_meant = |row: &DeadLetterRow| {
        let is_of_kind = kind.is_none_or(|kind| kind == kind_name(row.letter.kind));
        let texts = [&*row.letter.label, &*row.letter.message_type];
        is_of_kind && texts.iter().any(|known| known.to_lowercase().contains(&text))
    };
    let rows: Vec<DeadLetterRow> = history.iter().rev().filter_map(row).filter(is_meant).collect();
    window.of(&rows, last, Clone::clone)
}
