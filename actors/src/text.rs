//! Texts of users' values.

use std::fmt::{self, Debug, Write};

use crate::caught::catch_panic;
use crate::exit::ExitReason;

/// Returns at most this many characters of the `Debug` text of a value, and `true` if it has more.
/// The rest is not written, so a long text costs no more than a short one.
///
/// # Errors
///
/// [`ExitReason::Panicked`] if the value panics.
pub fn debug_text(value: &impl Debug, most: usize) -> Result<(String, bool), ExitReason> {
    catch_panic(None, || {
        let mut bounded = Bounded { text: String::new(), left: most, has_more: false };
        // It fails where the text is cut.
        let _ = write!(bounded, "{value:?}");
        (bounded.text, bounded.has_more)
    })
}

/// A text of some characters, which refuses more.
struct Bounded {
    text: String,
    left: usize,
    has_more: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left == 0 {
                self.has_more = true;
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.text.push(character);
        }
        Ok(())
    }
}
