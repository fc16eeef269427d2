//! Macros with which an example prints. `println!` panics if its output goes to a pipe without a
//! reader, as in `example | true`. These macros ignore that a write failed, so that the exit code
//! of the example tells only how the example ended.

#![allow(unused_macros, dead_code, reason = "each example uses a part of it")]

use std::fmt::Arguments;
use std::io::{self, Write};

/// Prints a line to the standard output.
macro_rules! print_line {
    ($($text:tt)*) => {
        $crate::output::to_stdout(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Prints text that has its own line breaks to the standard output.
macro_rules! print_text {
    ($($text:tt)*) => {
        $crate::output::to_stdout(format_args!($($text)*))
    };
}

/// Prints a line to the standard error.
macro_rules! print_error {
    ($($text:tt)*) => {
        $crate::output::to_stderr(format_args!("{}\n", format_args!($($text)*)))
    };
}

pub(crate) fn to_stdout(text: Arguments<'_>) {
    let _ = io::stdout().lock().write_fmt(text);
}

pub(crate) fn to_stderr(text: Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
