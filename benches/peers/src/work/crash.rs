//! How a supervised actor crashes, and the restart intensity of its supervisor.

use std::time::Duration;

/// More restarts than any work causes.
pub const TOLERATED: u32 = u32::MAX;
/// A short period, so that a supervisor with a list of its restarts has a short list.
pub const WITHIN: Duration = Duration::from_millis(1);

/// How an actor crashes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crash {
    /// Its handler returns an error.
    Error,
    /// Its handler panics.
    Panic,
}

impl Crash {
    /// Prevents panics of this process from printing.
    pub fn silence(self) {
        if self == Self::Panic {
            std::panic::set_hook(Box::new(|_| ()));
        }
    }

    /// Returns the error that the handler returns, or panics.
    pub fn strike(self) -> &'static str {
        match self {
            Self::Error => "on purpose",
            Self::Panic => panic!("on purpose"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_is_returned() {
        assert_eq!(Crash::Error.strike(), "on purpose");
        assert!(std::panic::catch_unwind(|| Crash::Panic.strike()).is_err());
    }
}
