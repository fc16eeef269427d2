//! The last events, the latest first.

use perennial_operations::Event;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Row;

use super::{draw_list, marks};
use crate::describe::{line, time_of_day};
use crate::state::State;

const HEAD: [&str; 4] = ["UTC", "event", "subject", "detail"];

const WIDTHS: [Constraint; 4] =
    [Constraint::Length(12), Constraint::Length(14), Constraint::Fill(2), Constraint::Fill(3)];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let rows = state.events.items.iter().rev().map(row);
    draw_list(frame, area, state, &HEAD, &WIDTHS, 0, rows);
}

fn row(event: &Event) -> Row<'static> {
    let line = line(event);
    Row::new([
        Line::from(time_of_day(event.at_millis)),
        Line::from(Span::styled(line.what, marks::of_weight(line.weight))),
        Line::from(line.subject),
        Line::from(line.detail),
    ])
}
