//! The client's own account of what it has asked for and what was acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Request};

/// What the worker processes have acknowledged.
#[derive(Debug, Default)]
pub struct Account {
    /// The file of each job that is stored.
    pub stored: BTreeMap<u64, PathBuf>,
    /// The checksum of each job that is done.
    pub done: BTreeMap<u64, String>,
    /// The jobs without an outcome, and the reason.
    pub lost: BTreeMap<u64, String>,
    /// Each file that a worker has begun with, and the process.
    pub started: Vec<(PathBuf, u64)>,
    /// The numbers of the processes.
    pub epochs: BTreeSet<u64>,
    /// The time of each rescue, and how many jobs there were.
    pub rescues: Vec<(u64, Duration)>,
    numbers: HashMap<PathBuf, u64>,
    latest: u64,
}

impl Account {
    /// Notes an answer.
    pub fn note(&mut self, answer: Answer) {
        match answer {
            Answer::Up(epoch) => {
                self.latest = epoch;
                self.epochs.insert(epoch);
            }
            Answer::Rescued(jobs, time) => self.rescues.push((jobs, time)),
            Answer::Stored(job, path) => {
                self.numbers.insert(path.clone(), job);
                self.stored.insert(job, path);
            }
            Answer::Started(path) => self.started.push((path, self.latest)),
            Answer::Done(job, sum) => drop(self.done.insert(job, sum)),
            Answer::Lost(job, reason) => drop(self.lost.insert(job, reason)),
        }
    }

    /// Returns what is to be asked for: the outcomes of jobs that are stored, and the files that
    /// are not.
    pub fn open_requests(&self, files: &[PathBuf]) -> Vec<Request> {
        let is_open = |job: &&u64| !self.done.contains_key(job) && !self.lost.contains_key(job);
        let jobs = self.stored.keys().filter(is_open).map(|job| Request::Await(*job));
        let files = files.iter().filter(|file| !self.is_stored(file));
        jobs.chain(files.map(|file| Request::File(file.clone()))).collect()
    }

    fn is_stored(&self, file: &Path) -> bool {
        self.numbers.contains_key(file)
    }
}

/// Returns how many acknowledgements follow requests at least.
pub fn acknowledgements(requests: &[Request]) -> usize {
    requests.iter().map(|request| if matches!(request, Request::File(_)) { 2 } else { 1 }).sum()
}

/// Returns `true` if an answer is an acknowledgement.
pub const fn is_acknowledgement(answer: &Answer) -> bool {
    matches!(answer, Answer::Stored(..) | Answer::Done(..) | Answer::Lost(..))
}
