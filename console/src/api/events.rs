//! The recorded events: a part of them, and what a stream says beside them.

use perennial_operations::{Event, EventKind, Operations, Update};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part of the recorded events, the oldest first.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventPage {
    /// The number of the last event that was recorded.
    pub sequence: u64,
    /// The number of the oldest event that is still there.
    pub oldest: Option<u64>,
    /// The events.
    pub items: Vec<Event>,
    /// `true` if more events match: later ones if the page begins after a number, and earlier ones
    /// otherwise.
    pub has_more: bool,
}

/// The data of the event `missed` of a stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Missed {
    /// The number of events that the stream does not have.
    pub missed: u64,
}

/// The data of the event `reset` of a stream: the client has the events of another process, and has
/// to fetch everything anew.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StreamReset {
    /// The console that answers.
    pub boot: String,
    /// The number of the last event before the stream.
    pub sequence: u64,
}

/// The events that a client asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    /// A kind, as it is written in JSON.
    pub(crate) kind: Option<String>,
    /// A text in a path or name, in any case.
    pub(crate) text: Option<String>,
    /// An actor.
    pub(crate) identity: Option<u64>,
}

impl EventFilter {
    pub(crate) fn matches(&self, event: &Event) -> bool {
        self.identity.is_none_or(|identity| event.kind.identity() == Some(identity))
            && (self.kind.is_none() && self.text.is_none() || self.matches_json(event))
    }

    /// Compares with the names and texts of the event, whichever its kind is.
    fn matches_json(&self, event: &Event) -> bool {
        let Ok(Value::Object(kind)) = serde_json::to_value(&event.kind) else { return false };
        let Some((name, fields)) = kind.iter().next() else { return false };
        let text = self.text.as_ref().filter(|text| !text.is_empty()).map(|text| text.to_lowercase());
        self.kind.as_ref().is_none_or(|kind| kind == name) && text.is_none_or(|text| has_text(fields, &text))
    }
}

/// Returns `true` if a text within a value contains this one.
fn has_text(value: &Value, text: &str) -> bool {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(string) if string.to_lowercase().contains(text) => return true,
            Value::Array(values) => open.extend(values),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    false
}

/// Returns the first events after a number, or the last ones before another.
pub(crate) fn page(
    operations: &Operations,
    filter: &EventFilter,
    after: Option<u64>,
    before: Option<u64>,
    limit: usize,
) -> EventPage {
    let begin = after.unwrap_or(0);
    let is_forward = after.is_some();
    let mut events = operations.events_after(begin);
    let mut page = EventPage::default();
    while let Some(update) = events.try_next() {
        let Update::Event(event) = update else { continue };
        page.oldest.get_or_insert(event.sequence);
        if before.is_some_and(|before| event.sequence >= before) {
            break;
        }
        if !filter.matches(&event) {
            continue;
        }
        if page.items.len() < limit {
            page.items.push(event);
            continue;
        }
        page.has_more = true;
        if is_forward {
            break;
        }
        page.items.push(event);
        // Cheap: twice the limit at most is moved for each event.
        if page.items.len() >= 2 * limit.max(1) {
            page.items.drain(..page.items.len() - limit);
        }
    }
    if page.items.len() > limit {
        page.items.drain(..page.items.len() - limit);
    }
    page.sequence = operations.events().last();
    page
}

/// Returns the last events of an actor, the oldest first, and the number of its last crash.
pub(crate) fn of_actor(history: &[Event], identity: u64, most: usize) -> (Vec<Event>, Option<u64>) {
    let own = || history.iter().rev().filter(|event| event.kind.identity() == Some(identity));
    let mut events: Vec<Event> = own().take(most).cloned().collect();
    events.reverse();
    let crash = own().find(|event| event.kind.is_crash()).map(|event| event.sequence);
    (events, crash)
}

/// Returns what an event is about, for a row of a list.
pub(crate) fn subject(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Started { label, .. }
        | EventKind::Ended { label, .. }
        | EventKind::Abandoned { label, .. }
        | EventKind::Closed { label, .. } => Some(label.to_string()),
        EventKind::Report { path, .. } => Some(path.to_string()),
        _ => None,
    }
}
