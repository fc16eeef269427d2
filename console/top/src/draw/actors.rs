//! The actors, in the order of what the view is about.

use perennial_console::api::ActorRow;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::Row;

use super::{draw_list, right};
use crate::describe::{count, short};
use crate::state::State;

const HEAD: [&str; 6] = ["actor", " queue", "oldest", "  busy", "restarts", "handled"];

const WIDTHS: [Constraint; 6] = [
    Constraint::Fill(1),
    Constraint::Length(6),
    Constraint::Length(6),
    Constraint::Length(6),
    Constraint::Length(8),
    Constraint::Length(7),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let (view, page) = &state.actors;
    // The answer to the question of another view is not shown.
    let items = if state.view == *view { page.items.as_slice() } else { &[] };
    draw_list(frame, area, state, &HEAD, &WIDTHS, page.offset, items.iter().map(row));
}

fn row(row: &ActorRow) -> Row<'static> {
    let figures = &row.figures;
    let label = figures.label.as_deref().unwrap_or("?");
    let time = |time: Option<std::time::Duration>| right(time.map_or_else(String::new, short));
    Row::new([
        Line::from(format!("{label} #{}", row.identity)),
        right(count(figures.messages.queued)),
        time(figures.oldest_waited_at_least),
        time(figures.busy_for_at_least),
        right(row.restarts.to_string()),
        right(count(figures.messages.handled)),
    ])
}
