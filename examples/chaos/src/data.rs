//! The parts of a report that all kinds of runs have, as data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::check::Check;
use super::files::Digest;

/// How a run ended.
#[derive(Debug, Serialize)]
pub struct RunData {
    version: u32,
    seed: u64,
    interrupted: bool,
    verified: bool,
    violations: Vec<String>,
}

/// What became of the files.
#[derive(Debug, Serialize)]
pub struct FileData<'a> {
    files: usize,
    bytes: u64,
    special: u64,
    failed: Vec<Unread<'a>>,
}

/// A file that was not read.
#[derive(Debug, Serialize)]
struct Unread<'a> {
    path: Cow<'a, str>,
    error: &'a str,
}

impl RunData {
    pub fn new(seed: u64, interrupted: bool, checks: &[Check]) -> Self {
        let violations = violations(checks);
        let verified = violations.is_empty() && !interrupted;
        Self { version: 2, seed, interrupted, verified, violations }
    }
}

impl<'a> FileData<'a> {
    pub fn new(
        matching: &BTreeMap<PathBuf, Digest>,
        special: u64,
        failed: &'a BTreeMap<PathBuf, String>,
    ) -> Self {
        let unread = failed.iter().map(|(path, error)| Unread { path: path.to_string_lossy(), error });
        Self { files: matching.len(), bytes: total_bytes(matching), special, failed: unread.collect() }
    }
}

/// Returns every violation, with its invariant.
pub fn violations(checks: &[Check]) -> Vec<String> {
    let all = checks.iter();
    all.flat_map(|check| check.violations.iter().map(|text| format!("{}: {text}", check.invariant))).collect()
}

pub fn total_bytes(files: &BTreeMap<PathBuf, Digest>) -> u64 {
    files.values().map(|digest| digest.bytes).sum()
}
