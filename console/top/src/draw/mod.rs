//! Draws the screen.

mod actors;
mod events;
mod header;
mod help;
mod marks;
mod tree;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, Table};

use crate::state::{Connection, State, View};

/// Draws the screen, and tells the state how many rows fit on it.
pub fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let [top, tabs, list, foot] = Layout::vertical([
        Constraint::Length(header::HEIGHT),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    // One line is the header of the list.
    state.cursor.resize(usize::from(list.height.saturating_sub(1)));
    header::draw(frame, top, state);
    frame.render_widget(tabs_line(state), tabs);
    match state.view {
        View::Tree => tree::draw(frame, list, state),
        View::Queue | View::Busy | View::Restarts => actors::draw(frame, list, state),
        View::Events => events::draw(frame, list, state),
    }
    frame.render_widget(foot_line(state), foot);
    if state.shows_help {
        help::draw(frame, list);
    }
}

fn tabs_line(state: &State) -> Line<'static> {
    let mut spans = Vec::new();
    for (place, view) in View::ALL.into_iter().enumerate() {
        let text = format!(" {} {} ", place + 1, view.name());
        spans.push(if view == state.view { Span::from(text).reversed() } else { Span::from(text).dim() });
    }
    let len = state.len();
    let place = if len == 0 { "0".to_owned() } else { format!("{} of {len}", state.cursor.at() + 1) };
    spans.push(Span::from(format!("  {place}")).dim());
    Line::from(spans)
}

fn foot_line(state: &State) -> Line<'static> {
    if state.is_typing {
        return Line::from(format!("filter: {}_", state.filter));
    }
    if let Connection::Failed(failed) = &state.connection {
        return Line::from(format!("! {failed}")).style(marks::WRONG);
    }
    let mut spans = vec![Span::from("q quit  ? keys  / filter  Tab view").dim()];
    if !state.filter.is_empty() {
        spans.push(Span::from(format!("  filter: {} (Esc)", state.filter)).bold());
    }
    if state.is_paused {
        spans.push(Span::from("  paused (p)").bold());
    }
    Line::from(spans)
}

/// Draws a list whose first row is at the place `offset`. The rows are those on the screen.
fn draw_list<'a>(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    head: &[&'a str],
    widths: &[Constraint],
    offset: usize,
    rows: impl Iterator<Item = Row<'a>>,
) {
    let (top, marked) = (state.cursor.top(), state.cursor.at());
    let rows = rows.enumerate().map(|(index, row)| (offset + index, row));
    let rows = rows.filter(|(place, _)| *place >= top).map(|(place, row)| {
        if place == marked { row.style(Style::new().add_modifier(Modifier::REVERSED)) } else { row }
    });
    let head = Row::new(head.iter().map(|name| Span::from(*name))).style(Style::new().bold().underlined());
    let table = Table::new(rows, widths.iter().copied()).header(head).column_spacing(1);
    frame.render_widget(table, area);
}

/// Returns the text at the right of a column.
fn right(text: impl Into<String>) -> Line<'static> {
    Line::from(text.into()).right_aligned()
}
