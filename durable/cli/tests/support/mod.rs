//! The program as its user runs it.

#![allow(dead_code)]

use std::ffi::OsStr;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the program on a store. Returns its exit code and what it prints.
pub(crate) fn run(store: impl AsRef<OsStr>, arguments: &[&str]) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_perennial-jobs");
    let output: Output = Command::new(program).arg(store).args(arguments).output().expect("it runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    (output.status.code().expect("a code"), text)
}

/// Runs the program, which has to succeed. Returns the objects that it prints.
pub(crate) fn json(store: impl AsRef<OsStr>, arguments: &[&str]) -> Vec<Value> {
    let (code, text) = run(store, &[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{text}");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}
