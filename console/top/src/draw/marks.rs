//! States as a mark, a word and a colour. The colour is never alone.

use perennial_console::api::TreeItem;
use perennial_supervision::ChildState;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;

use crate::describe::Weight;

pub(super) const GOOD: Style = Style::new().fg(Color::Green);
pub(super) const HEALING: Style = Style::new().fg(Color::Yellow);
pub(super) const WRONG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
pub(super) const QUIET: Style = Style::new().add_modifier(Modifier::DIM);

/// Returns the state of a node.
pub(super) fn of_node(item: &TreeItem) -> Span<'static> {
    let (mark, word, style) = match item.node.state {
        _ if item.node.gave_up => ("x", "gave up".to_owned(), WRONG),
        ChildState::Running if item.suspended => ("=", "suspended".to_owned(), HEALING),
        ChildState::Running => ("+", "running".to_owned(), GOOD),
        ChildState::Stopped => ("-", "stopped".to_owned(), QUIET),
        state @ (ChildState::Restarting
        | ChildState::Starting
        | ChildState::Waiting
        | ChildState::Stopping) => ("~", state.to_string(), HEALING),
        state => ("x", state.to_string(), WRONG),
    };
    Span::styled(format!("{mark} {word}"), style)
}

/// Returns the colour of an event.
pub(super) const fn of_weight(weight: Weight) -> Style {
    match weight {
        Weight::Usual => Style::new(),
        Weight::Healing => HEALING,
        Weight::Wrong => WRONG,
    }
}
