//! The lines at the top: which console, its health, its numbers and its account of messages.

use perennial_console::api::Overview;
use perennial_operations::HealthStatus;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Stylize as _;
use ratatui::text::{Line, Span, Text};

use super::marks::{GOOD, HEALING, QUIET, WRONG};
use crate::describe::count;
use crate::state::{Connection, State};

pub(super) const HEIGHT: u16 = 4;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let mut lines = vec![title(state)];
    if let Some(overview) = &state.overview {
        lines.extend([actors(overview), account(overview), health(overview)]);
    }
    frame.render_widget(Text::from(lines), area);
}

fn title(state: &State) -> Line<'static> {
    let (text, style) = match &state.connection {
        Connection::Connecting => ("connecting", QUIET),
        Connection::Connected => ("connected", GOOD),
        Connection::Failed(_) => ("no connection", WRONG),
    };
    let name = Span::from("perennial-top ").bold();
    Line::from(vec![name, Span::from(format!("{}  ", state.url)), Span::styled(text, style)])
}

fn actors(overview: &Overview) -> Line<'static> {
    let counts = overview.processes;
    let mut spans = vec![
        Span::from(format!("actors {}", counts.total)).bold(),
        Span::from(format!("  running {}", counts.running)),
    ];
    // A narrow terminal cuts off the end of the line, and not what is wrong.
    spans.push(when(overview.deadlocks.len() as u64, "deadlocks", WRONG));
    spans.push(when(overview.crashes, "crashes", HEALING));
    for (word, number) in
        [("starting", counts.starting), ("down", counts.down), ("suspended", counts.suspended)]
    {
        spans.push(when(number as u64, word, HEALING));
    }
    spans.push(Span::from(format!("  supervisors {}  names {}", overview.supervisors, overview.names)));
    Line::from(spans)
}

/// Returns a number with its word, in a colour unless it is zero.
fn when(number: u64, word: &str, style: ratatui::style::Style) -> Span<'static> {
    Span::styled(format!("  {word} {}", count(number)), if number == 0 { QUIET } else { style })
}

fn account(overview: &Overview) -> Line<'static> {
    let counts = overview.messages.counts;
    let parts = [
        ("accepted", counts.accepted),
        ("handled", counts.handled),
        ("lost", counts.lost_in_flight),
        ("dead", counts.dead_lettered),
        ("queued", counts.queued),
    ];
    let text = parts.map(|(word, number)| format!("{word} {}", count(number))).join("  ");
    let balance = if overview.messages.balances {
        Span::styled("  = balances", GOOD)
    } else {
        Span::styled("  ! does not balance", WRONG)
    };
    Line::from(vec![Span::from("messages  ").bold(), Span::from(text), balance])
}

fn health(overview: &Overview) -> Line<'static> {
    let mut spans = vec![Span::from("health  ").bold()];
    for tree in &overview.health {
        let style = match tree.status {
            HealthStatus::Ready => GOOD,
            HealthStatus::Starting | HealthStatus::Stopping | HealthStatus::NotReady => HEALING,
            _ => WRONG,
        };
        let name = tree.tree.clone().unwrap_or_else(|| "system".to_owned());
        spans.push(Span::styled(format!("{name}: {}  ", tree.text), style));
    }
    Line::from(spans)
}
