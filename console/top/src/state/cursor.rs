//! The marked row of a list, and the part of the list that is on the screen.

use super::wanted::Window;

/// A place in a list. The marked row is always on the screen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    at: usize,
    top: usize,
    height: usize,
}

impl Cursor {
    /// Returns the place of the marked row.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Returns the place of the first row on the screen.
    pub const fn top(&self) -> usize {
        self.top
    }

    /// Returns the rows on the screen.
    pub const fn window(&self) -> Window {
        Window { offset: self.top, limit: self.height }
    }

    /// Marks a row.
    pub fn mark(&mut self, at: usize) {
        self.at = at;
        self.show();
    }

    /// Moves the mark by a number of rows, within a list of `len` rows.
    pub fn step(&mut self, rows: isize, len: usize) {
        self.mark(self.at.saturating_add_signed(rows).min(len.saturating_sub(1)));
    }

    /// Moves the mark by a number of screens.
    pub fn page(&mut self, screens: isize, len: usize) {
        let height = isize::try_from(self.height.max(1)).unwrap_or(isize::MAX);
        self.step(screens.saturating_mul(height), len);
    }

    /// Keeps the mark within a list of `len` rows.
    pub fn limit_to(&mut self, len: usize) {
        self.step(0, len);
        // The end of a list that became shorter fills the screen.
        self.top = self.top.min(len.saturating_sub(self.height));
    }

    /// Sets the number of rows on the screen.
    pub fn resize(&mut self, height: usize) {
        self.height = height;
        self.show();
    }

    /// Moves the screen so that the marked row is on it.
    fn show(&mut self) {
        self.top = self.top.clamp((self.at + 1).saturating_sub(self.height.max(1)), self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(height: usize) -> Cursor {
        let mut cursor = Cursor::default();
        cursor.resize(height);
        cursor
    }

    #[test]
    fn marked_row_stays_on_the_screen() {
        let mut cursor = cursor(10);
        for (step, at, top) in
            [(9, 9, 0), (1, 10, 1), (85, 95, 86), (100, 99, 90), (-5, 94, 90), (-5, 89, 89)]
        {
            cursor.step(step, 100);
            assert_eq!((cursor.at(), cursor.top()), (at, top), "{step}");
        }
        cursor.resize(3);
        assert_eq!((cursor.at(), cursor.top()), (89, 89));
        cursor.page(-1, 100);
        assert_eq!((cursor.at(), cursor.top()), (86, 86));
    }

    #[test]
    fn shorter_list_moves_the_mark_and_fills_the_screen() {
        let mut cursor = cursor(10);
        cursor.step(99, 100);
        cursor.limit_to(15);
        assert_eq!((cursor.at(), cursor.top()), (14, 5));
        cursor.limit_to(0);
        assert_eq!((cursor.at(), cursor.top()), (0, 0));
    }
}
