//! What the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::wanted::View;
use super::{Cursor, State};

/// Whether the program goes on after a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Continue,
    End,
}

impl State {
    /// Acts on a key.
    pub fn press(&mut self, key: KeyEvent) -> Verdict {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Verdict::End;
        }
        if self.is_typing {
            self.type_filter(key.code);
            return Verdict::Continue;
        }
        let shown_help = std::mem::take(&mut self.shows_help);
        match key.code {
            KeyCode::Char('q') => return Verdict::End,
            KeyCode::Char('?') => self.shows_help = !shown_help,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Esc => self.set_filter(String::new()),
            KeyCode::Tab => self.show(self.view.step(1)),
            KeyCode::BackTab => self.show(self.view.step(View::ALL.len() - 1)),
            KeyCode::Char(digit @ '1'..='5') => self.show(View::ALL[digit as usize - '1' as usize]),
            code => self.move_mark(code),
        }
        Verdict::Continue
    }

    fn move_mark(&mut self, code: KeyCode) {
        let len = self.len();
        match code {
            KeyCode::Up | KeyCode::Char('k') => self.cursor.step(-1, len),
            KeyCode::Down | KeyCode::Char('j') => self.cursor.step(1, len),
            KeyCode::PageUp => self.cursor.page(-1, len),
            KeyCode::PageDown | KeyCode::Char(' ') => self.cursor.page(1, len),
            KeyCode::Home | KeyCode::Char('g') => self.cursor.mark(0),
            KeyCode::End | KeyCode::Char('G') => self.cursor.mark(len.saturating_sub(1)),
            KeyCode::Right | KeyCode::Enter | KeyCode::Char('l') => self.set_expanded(true),
            KeyCode::Left | KeyCode::Char('h') => {
                if self.marked_node().is_some_and(|row| row.expanded) {
                    self.set_expanded(false);
                } else {
                    self.mark_parent();
                }
            }
            _ => {}
        }
    }

    fn type_filter(&mut self, code: KeyCode) {
        let mut filter = self.filter.clone();
        match code {
            KeyCode::Char(char) => filter.push(char),
            KeyCode::Backspace => drop(filter.pop()),
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                filter.clear();
            }
            _ => {}
        }
        self.set_filter(filter);
    }

    fn set_filter(&mut self, filter: String) {
        if self.filter != filter {
            self.filter = filter;
            self.cursor.mark(0);
        }
    }

    fn show(&mut self, view: View) {
        if self.view != view {
            let height = self.cursor.window().limit;
            self.view = view;
            self.cursor = Cursor::default();
            self.cursor.resize(height);
        }
    }
}
