//! An error with its sources as one text.

use std::error::Error;
use std::fmt;

use crate::carried::{Carried, chain};

/// Prints an error and its sources: `a: b: c`.
///
/// Many errors repeat their source in their own text. A source is left out if the preceding text
/// already ends with it.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = self.0.to_string();
        f.write_str(&before)?;
        for source in chain(self.0).skip(1).filter(|source| !source.is::<Carried>()) {
            let text = source.to_string();
            if !before.ends_with(&text) {
                write!(f, ": {text}")?;
                before = text;
            }
        }
        Ok(())
    }
}
