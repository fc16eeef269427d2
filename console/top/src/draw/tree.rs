//! The tree of supervision.

use perennial_console::api::TreeRow;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Row;

use super::marks::{self, HEALING, WRONG};
use super::{draw_list, right};
use crate::describe::{count, short};
use crate::state::State;

const HEAD: [&str; 6] = ["node", "state", "  inc", " left", " queue", "now"];

const WIDTHS: [Constraint; 6] = [
    Constraint::Fill(1),
    Constraint::Length(12),
    Constraint::Length(5),
    Constraint::Length(5),
    Constraint::Length(6),
    Constraint::Length(14),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.tree.items.iter().map(row);
    draw_list(frame, area, state, &HEAD, &WIDTHS, state.tree.offset, rows);
}

fn row(row: &TreeRow) -> Row<'static> {
    let item = &row.node;
    Row::new([
        name(row),
        Line::from(marks::of_node(item)),
        right(item.incarnation.to_string()),
        right(item.node.restarts_left.map_or_else(String::new, left)),
        right(if item.queued == 0 { String::new() } else { count(item.queued) }),
        now(row),
    ])
}

fn name(row: &TreeRow) -> Line<'static> {
    let item = &row.node;
    let mark = match (item.children > 0, row.expanded) {
        (false, _) => "  ",
        (true, false) => "> ",
        (true, true) => "v ",
    };
    let mut spans = vec![Span::from(format!("{}{mark}{}", "  ".repeat(row.level), item.node.id))];
    if item.children > 0 && !row.expanded {
        spans.push(Span::styled(format!(" ({})", item.children), marks::QUIET));
    }
    if item.descendants_in_trouble > 0 {
        spans.push(Span::styled(format!(" !{}", item.descendants_in_trouble), WRONG));
    }
    Line::from(spans)
}

/// Returns the restarts that are left.
fn left(restarts: u32) -> String {
    if restarts == u32::MAX { "any".to_owned() } else { restarts.to_string() }
}

/// Returns what a node does at the moment, if that is worth a word.
fn now(row: &TreeRow) -> Line<'static> {
    let millis = std::time::Duration::from_millis;
    if let Some(retry) = row.node.retry_in_millis {
        return Line::styled(format!("starts in {}", short(millis(retry))), HEALING);
    }
    match row.node.busy_millis {
        Some(busy) => Line::from(format!("busy {}", short(millis(busy)))),
        None => Line::default(),
    }
}
