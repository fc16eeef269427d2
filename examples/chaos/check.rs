//! Whether everything held: the result against a plain sequential pass, and the books against themselves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::files::{self, Digest, Found, Scope};
use super::journal::{Outcome, Record};

/// Something that has to hold, and everything that speaks against it.
#[derive(Debug)]
pub struct Check {
    pub invariant: &'static str,
    pub violations: Vec<String>,
}

impl Check {
    pub const fn new(invariant: &'static str, violations: Vec<String>) -> Self {
        Self { invariant, violations }
    }

    /// One that either holds or is violated in this way.
    pub fn that(invariant: &'static str, holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        Self { invariant, violations: if holds { Vec::new() } else { vec![otherwise()] } }
    }
}

/// What a plain pass over the folder sees: no actor, no fault, one file after the other.
#[derive(Debug, Default)]
pub struct Pass {
    files: BTreeMap<PathBuf, Result<Digest, String>>,
    /// What could not be looked into.
    failed: Vec<(PathBuf, String)>,
    pub special: u64,
}

impl Pass {
    pub fn over(scope: &Scope) -> Self {
        let mut pass = Self::default();
        for found in scope.walk() {
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

/// What the result is worth.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files that the tree and the pass agree on.
    pub sound: BTreeMap<PathBuf, Digest>,
    /// What could not be read, by one or the other, or changed in between.
    pub failed: BTreeMap<PathBuf, String>,
    missing: Vec<String>,
    doubled: Vec<String>,
    wrong: Vec<String>,
}

impl Verified {
    /// Compares what the tree wrote down with what the pass saw. `moved` tells whether a file has changed since the run
    /// began: what changes while it is read is nobody's fault.
    pub fn of(records: &[Record], pass: Pass, moved: impl Fn(&Path) -> bool) -> Self {
        let mut verified = Self::default();
        let mut booked: HashMap<&Path, &Outcome> = HashMap::new();
        for Record { path, outcome } in records {
            if booked.insert(path, outcome).is_some() {
                verified.doubled.push(format!("{} is in the result more than once", path.display()));
            }
        }
        for (path, error) in pass.failed {
            booked.remove(&*path);
            verified.failed.insert(path, error);
        }
        for (path, seen) in pass.files {
            let outcome = booked.remove(&*path);
            verified.compare(path, outcome, seen, &moved);
        }
        for (path, outcome) in booked {
            // The pass did not come across it.
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
        seen: Result<Digest, String>,
        moved: impl Fn(&Path) -> bool,
    ) {
        match (outcome, seen) {
            (Some(Outcome::Hashed(ours)), Ok(theirs)) if *ours == theirs => {
                self.sound.insert(path, theirs);
            }
            (Some(Outcome::Failed(error)), _) => {
                self.failed.insert(path, error.clone());
            }
            (Some(Outcome::Hashed(_)), Err(error)) => {
                self.failed.insert(path, error);
            }
            (Some(Outcome::Hashed(_)), Ok(_)) if moved(&path) => {
                self.failed.insert(path, "it changed while the folder was indexed".to_owned());
            }
            (Some(Outcome::Hashed(ours)), Ok(theirs)) => {
                self.wrong.push(format!("{} has the digest {theirs}, not {ours}", path.display()));
            }
            // It was not there yet when the walk came by.
            (None, Ok(_)) if moved(&path) => {}
            (None, _) => {
                self.missing.push(format!("{} is not in the result", path.display()));
            }
        }
    }

    /// The invariants of the result.
    pub fn checks(&mut self) -> Vec<Check> {
        vec![
            Check::new("every file is in the result", std::mem::take(&mut self.missing)),
            Check::new("no file is in the result twice", std::mem::take(&mut self.doubled)),
            Check::new("every digest is that of a sequential pass", std::mem::take(&mut self.wrong)),
        ]
    }
}
