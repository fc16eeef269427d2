//! Tables of keys.

use perennial_actors::Pid;
use perennial_registry::KeyTableInfo;
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
    /// in the name of the table, only the entries with the text are here.
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

/// Returns the tables with a text in their names, or in one of their entries.
pub(crate) fn keys(view: &View, text: Option<&str>, window: Window) -> Page<KeyTableRow> {
    let text = text.unwrap_or_default().to_lowercase();
    let tables = view.snapshot.figures.keys.iter();
    let listed: Vec<KeyTableRow> = tables.filter_map(|table| row(view, table, &text)).collect();
    window.of(&listed, view.sequence(), Clone::clone)
}

/// Returns a table with its entries that have a text, or with all of them if its name has it.
/// Returns `None` if nothing has it.
fn row(
    view: &View,
    KeyTableInfo { table, keys, entries, .. }: &KeyTableInfo,
    text: &str,
) -> Option<KeyTableRow> {
    let has_text = |value: &str| value.to_lowercase().contains(text);
    let is_named = has_text(table);
    let entries = entries.iter().map(|entry| KeyRow {
        key: entry.key.clone(),
        pid: entry.pid,
        label: view.label(entry.pid.identity()),
    });
    let is_meant =
        |entry: &KeyRow| is_named || has_text(&entry.key) || entry.label.as_deref().is_some_and(has_text);
    let entries: Vec<KeyRow> = entries.filter(is_meant).collect();
    let row = KeyTableRow { table: table.clone(), keys: *keys, entries };
    (is_named || !row.entries.is_empty()).then_some(row)
}
