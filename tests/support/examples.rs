//! Building the examples as programs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// How the names of variables begin that describe the package of a test.
const OF_TEST: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Builds an example and returns the path of its program.
#[allow(dead_code, reason = "each test uses a part of it")]
pub(crate) fn built(example: &str) -> PathBuf {
    built_with(example, "")
}

/// Builds an example with features and returns the path of its program. Cargo does not build the
/// examples of one package as programs for the tests of another. The path is the same for all
/// features.
pub(crate) fn built_with(example: &str, features: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // Cargo sets these for a test. ring is built again when they change, with all that needs it.
    for (name, _) in env::vars_os() {
        let is_of_test = name.to_str().is_some_and(|name| OF_TEST.iter().any(|set| name.starts_with(set)));
        if is_of_test {
            cargo.env_remove(name);
        }
    }
    cargo.args(["build", "--quiet", "--workspace", "--example", example, "--message-format", "json"]);
    cargo.args(["--features", features]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages.find_map(|message| Some(message["executable"].as_str()?.to_owned()));
    program.expect("cargo says where the program is").into()
}

/// Copies a program to where it is run. Another process does it: a process that another test starts
/// meanwhile inherits no file of this one, and a program that is open for writing cannot be run.
#[allow(dead_code, reason = "each test uses a part of it")]
pub(crate) fn copy(program: &Path, to: &Path) {
    let copied = Command::new("cp").arg(program).arg(to).status().expect("cp runs");
    assert!(copied.success(), "{} is copied", program.display());
}
