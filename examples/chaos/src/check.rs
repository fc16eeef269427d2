//! The checks of a run: the result against a sequential pass, and the counters against each other.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::files::{self, Digest, Found, Scope};
use super::journal::{Outcome, Record};

/// An invariant, and everything that violates it.
#[derive(Debug)]
pub struct Check {
    pub invariant: &'static str,
    pub violations: Vec<String>,
}

impl Check {
    pub const fn new(invariant: &'static str, violations: Vec<String>) -> Self {
        Self { invariant, violations }
    }

    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }

    /// Returns a check that passes if `holds`. Otherwise `violation` says what was found.
    pub fn that(invariant: &'static str, holds: bool, violation: impl FnOnce() -> String) -> Self {
        Self { invariant, violations: if holds { Vec::new() } else { vec![violation()] } }
    }
}

/// The result of a sequential pass over the folder, without actors and faults.
#[derive(Debug, Default)]
pub struct Pass {
    files: BTreeMap<PathBuf, Result<Digest, String>>,
    /// The folders that could not be read.
    failed: Vec<(PathBuf, String)>,
    pub special: u64,
}

impl Pass {
    /// Hashes every file. Ends early when `is_stopped` returns `true`.
    pub fn over(scope: &Scope, is_stopped: impl Fn() -> bool) -> Self {
        let mut pass = Self::default();
        for found in scope.walk().take_while(|_| !is_stopped()) {
            match found {
                Found::Special => pass.special += 1,
                Found::Failed(path, error) => pass.failed.push((path, error)),
                Found::File(path) => {
                    let digest = files::digest(&path).map_err(|error| error.to_string());
                    pass.files.insert(path, digest);
                }
            }
        }
        pass
    }
}

/// The result of the run, compared with the pass.
#[derive(Debug, Default)]
pub struct Verified {
    /// The files that have the same digest in both.
    pub matching: BTreeMap<PathBuf, Digest>,
    /// The files that could not be read by one of the two, or that changed between them.
    pub failed: BTreeMap<PathBuf, String>,
    missing: Vec<String>,
    duplicates: Vec<String>,
    wrong: Vec<String>,
}

impl Verified {
    /// Returns the result of a run that was interrupted, without any comparison.
    pub fn unchecked(records: Vec<Record>) -> Self {
        let mut verified = Self::default();
        for Record { path, outcome } in records {
            match outcome {
                Outcome::Hashed(digest) => drop(verified.matching.insert(path, digest)),
                Outcome::Failed(error) => drop(verified.failed.insert(path, error)),
            }
        }
        verified
    }

    /// Compares the records with the pass. `changed` returns `true` if a file has changed since the
    /// run began: a difference in such a file is no violation.
    pub fn of(records: &[Record], pass: Pass, changed: impl Fn(&Path) -> bool) -> Self {
        let mut verified = Self::default();
        let mut recorded: HashMap<&Path, &Outcome> = HashMap::new();
        for Record { path, outcome } in records {
            if recorded.insert(path, outcome).is_some() {
                verified.duplicates.push(format!("more than once: {}", path.display()));
            }
        }
        for (path, error) in pass.failed {
            recorded.remove(&*path);
            verified.failed.insert(path, error);
        }
        for (path, expected) in pass.files {
            let outcome = recorded.remove(&*path);
            verified.compare(path, outcome, expected, &changed);
        }
        for (path, outcome) in recorded {
            // The pass did not find it.
            let error = match outcome {
                Outcome::Failed(error) => error.clone(),
                Outcome::Hashed(_) => "it vanished while the folder was indexed".to_owned(),
            };
            verified.failed.insert(path.to_owned(), error);
        }
        verified
    }

    fn compare(
        &mut self,
        path: PathBuf,
        outcome: Option<&Outcome>,
        expected: Result<Digest, String>,
        changed: impl Fn(&Path) -> bool,
    ) {
        match (outcome, expected) {
            (Some(Outcome::Hashed(ours)), Ok(theirs)) if *ours == theirs => {
                self.matching.insert(path, theirs);
            }
            (Some(Outcome::Failed(error)), _) => {
                self.failed.insert(path, error.clone());
            }
            (Some(Outcome::Hashed(_)), Err(error)) => {
                self.failed.insert(path, error);
            }
            (Some(Outcome::Hashed(_)), Ok(_)) if changed(&path) => {
                self.failed.insert(path, "it changed while the folder was indexed".to_owned());
            }
            (Some(Outcome::Hashed(ours)), Ok(theirs)) => {
                self.wrong.push(format!("{} has the digest {theirs}, not {ours}", path.display()));
            }
            // It was created after the walk had passed its folder.
            (None, Ok(_)) if changed(&path) => {}
            (None, _) => {
                self.missing.push(format!("missing: {}", path.display()));
            }
        }
    }

    /// Returns the checks of the result, with the violations moved out of `self`.
    pub fn checks(&mut self) -> Vec<Check> {
        vec![
            Check::new("every file is in the result", std::mem::take(&mut self.missing)),
            Check::new("no file is in the result twice", std::mem::take(&mut self.duplicates)),
            Check::new("every digest equals that of a sequential pass", std::mem::take(&mut self.wrong)),
        ]
    }
}
