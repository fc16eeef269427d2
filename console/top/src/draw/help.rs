//! The keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Paragraph};

const KEYS: [&str; 10] = [
    "1 to 5, Tab   another view",
    "Up, Down      j, k: another row",
    "PgUp, PgDn    another screen",
    "Home, End     g, G: first, last row",
    "Right, Enter  l: expand a node",
    "Left          h: collapse it, or go up",
    "/             rows that contain a text",
    "Esc           all rows again",
    "p             pause",
    "q             quit",
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    let [area] = Layout::horizontal([Constraint::Length(46)]).flex(Flex::Center).areas(area);
    let [area] = Layout::vertical([Constraint::Length(12)]).flex(Flex::Center).areas(area);
    frame.render_widget(Clear, area);
    let text = Text::from_iter(KEYS.map(|key| Line::from(format!(" {key}"))));
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" keys ")), area);
}
