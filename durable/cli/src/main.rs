//! `perennial-jobs`: shows, retries, cancels and removes durable jobs, also while the program runs
//! that does them. [`options`] is the command line, [`run`] the commands, [`show`] their output,
//! [`time`] what people write and read as times.

#![expect(unreachable_pub, reason = "in a program, pub says what the other modules may use")]

mod options;
mod run;
mod show;
mod time;

use std::io::Write;
use std::process::ExitCode;

use options::Parsed;

/// What the program prints, and its exit code.
struct Ended {
    text: String,
    code: u8,
}

const WRONG_USAGE: u8 = 2;
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Print(text)) => return end(&Ended { text, code: 0 }),
        Err(error) => return fail(&format!("{error}; see --help"), WRONG_USAGE),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), FAILED),
    };
    match runtime.block_on(run::run(&options)) {
        Ok(ended) => end(&ended),
        Err(line) => fail(&line, FAILED),
    }
}

fn end(ended: &Ended) -> ExitCode {
    // The reader may have read enough, as in `perennial-jobs jobs.db list | head`.
    let _ = std::io::stdout().lock().write_all(ended.text.as_bytes());
    ExitCode::from(ended.code)
}

fn fail(line: &str, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "perennial-jobs: {line}");
    ExitCode::from(code)
}
