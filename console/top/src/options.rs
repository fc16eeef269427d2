//! The arguments.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use lexopt::prelude::*;

use crate::state::View;

pub const USAGE: &str = "\
Shows a running system of perennial in the terminal.

Usage: perennial-top [OPTIONS] [URL]

Arguments:
  URL                   The console [default: http://127.0.0.1:9911]

Options:
      --view VIEW       tree, queue, busy, restarts or events [default: tree]
      --interval SECS   The time between two requests, at least 0.1 [default: 1]
      --once WxH        Prints one screen of this size as text and ends
  -h, --help            Prints this";

/// The shortest time between two requests.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the program is to do.
#[derive(Debug, Eq, PartialEq)]
pub struct Options {
    pub url: String,
    pub view: View,
    pub interval: Duration,
    pub mode: Mode,
}

/// How it shows it.
#[derive(Debug, Eq, PartialEq)]
pub enum Mode {
    /// On the terminal, until `q`.
    Interactive,
    /// One screen as text.
    Once { width: u16, height: u16 },
    /// The usage.
    Help,
}

/// Why the arguments are wrong.
#[derive(Debug)]
pub enum WrongArguments {
    Parse(lexopt::Error),
    /// A value that is not one of an option.
    Value {
        option: &'static str,
        value: String,
    },
}

impl fmt::Display for WrongArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::Value { option, value } => write!(f, "{option} cannot be {value:?}"),
        }
    }
}

impl From<lexopt::Error> for WrongArguments {
    fn from(error: lexopt::Error) -> Self {
        Self::Parse(error)
    }
}

impl Options {
    /// Parses the arguments of the program, without its name.
    ///
    /// # Errors
    ///
    /// An argument that is unknown, has no value or a wrong one.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, WrongArguments> {
        let mut options = Self {
            url: "http://127.0.0.1:9911".to_owned(),
            view: View::Tree,
            interval: Duration::from_secs(1),
            mode: Mode::Interactive,
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => options.mode = Mode::Help,
                Long("view") => options.view = value(&mut parser, "--view", View::named)?,
                Long("interval") => options.interval = value(&mut parser, "--interval", interval)?,
                Long("once") => options.mode = value(&mut parser, "--once", size)?,
                Value(url) => options.url = url.string()?.trim_end_matches('/').to_owned(),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

fn value<T>(
    parser: &mut lexopt::Parser,
    option: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, WrongArguments> {
    let value = parser.value()?.string()?;
    parse(&value).ok_or(WrongArguments::Value { option, value })
}

fn interval(text: &str) -> Option<Duration> {
    let interval = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (interval >= SHORTEST).then_some(interval)
}

fn size(text: &str) -> Option<Mode> {
    let (width, height) = text.split_once('x')?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    (width >= 20 && height >= 6).then_some(Mode::Once { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(arguments.iter().map(OsString::from)).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn every_option_has_an_effect() {
        let options = parse(&["--view", "busy", "--interval", "0.5", "--once", "80x24", "http://host:1/"]);
        let expected = Options {
            url: "http://host:1".to_owned(),
            view: View::Busy,
            interval: Duration::from_millis(500),
            mode: Mode::Once { width: 80, height: 24 },
        };
        assert_eq!(options, Ok(expected));
        assert_eq!(parse(&[]).map(|options| options.mode), Ok(Mode::Interactive));
        assert_eq!(parse(&["-h"]).map(|options| options.mode), Ok(Mode::Help));
    }

    #[test]
    fn wrong_values_are_named() {
        for (arguments, named) in [
            (["--view", "all"], "--view cannot be \"all\""),
            (["--interval", "0"], "--interval cannot be \"0\""),
            (["--once", "80"], "--once cannot be \"80\""),
        ] {
            assert_eq!(parse(&arguments), Err(named.to_owned()));
        }
        assert!(parse(&["--unknown"]).is_err_and(|wrong| wrong.contains("--unknown")));
    }
}
