//! Shows a running system of perennial in the terminal, for machines without a browser.
//!
//! ```text
//! perennial-top [URL]          # http://127.0.0.1:9911 unless another console is named
//! perennial-top --once 80x24   # prints one screen as text and ends
//! ```
//!
//! It reads the JSON API of `perennial-console` and changes nothing. The exit code is 0 after `q`,
//! 1 if the terminal or, with `--once`, the console fails, and 2 for wrong arguments.
//!
//! [`state`] is what the screen shows and how keys change it: values, and functions without input
//! and output. [`draw`] draws it. [`poller`] asks the console on a thread of its own, so a console
//! that does not answer never stops the keys.

#![expect(unreachable_pub, reason = "in a program, pub says what the other modules may use")]

mod client;
mod describe;
mod draw;
mod options;
mod poller;
mod run;
mod state;

use std::io::Write;
use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            let _ = writeln!(std::io::stderr(), "perennial-top: {wrong}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let result = match options.mode {
        Mode::Help => {
            let _ = writeln!(std::io::stdout(), "{}", options::USAGE);
            Ok(())
        }
        Mode::Once { width, height } => run::once(&options, width, height),
        Mode::Interactive => run::interactive(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let _ = writeln!(std::io::stderr(), "perennial-top: {failed}");
            ExitCode::FAILURE
        }
    }
}
