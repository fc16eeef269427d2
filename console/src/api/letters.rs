//! The dead letters that are still known.

use perennial_operations::{DeadLetterInfo, Event, EventKind, Operations, Update};
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
    /// `true` if its message is kept, so that a client with the token can send it again.
    pub can_resend: bool,
}

/// Returns the dead letters of a kind whose target or type contains a text, the newest first.
pub(crate) fn rows(
    history: &[Event],
    kind: Option<&str>,
    text: Option<&str>,
    (window, last): (Window, u64),
    can_resend: impl Fn(&DeadLetterInfo) -> bool,
) -> Page<DeadLetterRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let is_meant = |letter: &DeadLetterInfo| {
        let is_of_kind = kind.is_none_or(|kind| kind == kind_name(letter.kind));
        let texts = [&*letter.label, &*letter.message_type];
        is_of_kind && texts.iter().any(|known| known.to_lowercase().contains(&text))
    };
    let letters = history.iter().rev().filter_map(|event| Some((event, letter_of(event)?)));
    let letters: Vec<_> = letters.filter(|(_, letter)| is_meant(letter)).collect();
    window.of(&letters, last, |(event, letter)| DeadLetterRow {
        id: event.sequence,
        at_millis: event.at_millis,
        can_resend: can_resend(letter),
        letter: (*letter).clone(),
    })
}

/// Returns the dead letter whose event has a number, if it is still known.
pub(crate) fn with_id(operations: &Operations, id: u64) -> Option<DeadLetterInfo> {
    match operations.events_after(id.checked_sub(1)?).try_next()? {
        Update::Event(event) if event.sequence == id => letter_of(&event).cloned(),
        _ => None,
    }
}

const fn letter_of(event: &Event) -> Option<&DeadLetterInfo> {
    match &event.kind {
        EventKind::DeadLetter(letter) => Some(letter),
        _ => None,
    }
}
