//! Tables of keys.

use perennial_actors::Pid;
use perennial_registry::{KeyInfo, KeyTableInfo, Registry};
use serde::{Deserialize, Serialize};

use super::page::{Page, Window};
use super::view::View;

/// A table of keys that the program [shows](perennial_registry::Registry::show_keys).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyTableRow {
    /// The name of the table.
    pub table: String,
    /// The number of keys, each counted once.
    pub keys: usize,
    /// Entries of running incarnations, sorted by key: a hundred at most. If a search text is not
    /// in the name of the table, these are entries with the text, of all that the table has.
    pub entries: Vec<KeyRow>,
}

/// An entry of a table of keys.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyRow {
    /// The first 200 characters of the key, as `Debug` prints it.
    pub key: String,
    /// The incarnation that registered it.
    pub pid: Pid,
    /// The path of its actor, or its type.
    pub label: Option<String>,
}

/// Returns the tables with a text in their names, or in one of their entries. A text that is not in
/// the name of a table is looked for in all its entries, as they are now.
pub(crate) fn keys(
    view: &View,
    registry: &Registry,
    text: Option<&str>,
    window: Window,
) -> Page<KeyTableRow> {
    let Some(text) = text.filter(|text| !text.is_empty()).map(str::to_lowercase) else {
        return window.of(&view.snapshot.figures.keys, view.sequence(), |table| row(view, table));
    };
    let has_text = |value: &str| value.to_lowercase().contains(&text);
    let is_wanted = |entry: &KeyInfo| {
        let label = || view.label(entry.pid.identity()).is_some_and(|label| has_text(&label));
        has_text(&entry.key) || label()
    };
    let found = registry.search_keys(has_text, is_wanted).into_iter();
    let listed: Vec<_> = found.filter(|found| has_text(&found.table) || !found.entries.is_empty()).collect();
    window.of(&listed, view.sequence(), |table| row(view, table))
}

fn row(view: &View, KeyTableInfo { table, keys, entries, .. }: &KeyTableInfo) -> KeyTableRow {
    let entry = |entry: &KeyInfo| KeyRow {
        key: entry.key.clone(),
        pid: entry.pid,
        label: view.label(entry.pid.identity()),
    };
    KeyTableRow { table: table.clone(), keys: *keys, entries: entries.iter().map(entry).collect() }
}
