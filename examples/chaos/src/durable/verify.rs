//! The checks: what the store has, against what was acknowledged.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use perennial::durable::{AttemptFailure, JobRecord, RecordState, decode};

use super::super::check::Check;
use super::super::journal::Record;
use super::account::Account;
use super::jobs::{FileJob, FileResult};

/// A job as the store has it, decoded.
#[derive(Debug)]
pub struct StoredJob {
    pub path: PathBuf,
    pub record: JobRecord,
    pub result: Option<FileResult>,
}

impl StoredJob {
    pub fn of(record: JobRecord) -> Result<Self, String> {
        let id = record.id;
        let job: FileJob = decode(&record.job.payload).map_err(|error| format!("job {id}: {error}"))?;
        let result = record.output.as_ref().map(decode).transpose();
        let result = result.map_err(|error| format!("the result of job {id}: {error}"))?;
        Ok(Self { path: job.path(), record, result })
    }

    /// Returns the result for the comparison with the sequential pass.
    pub fn recorded(&self) -> Option<Record> {
        Some(Record { path: self.path.clone(), outcome: self.result.as_ref()?.outcome() })
    }

    /// Returns how many attempts a kill has cut off.
    pub fn cut_off(&self) -> u64 {
        let failures = self.record.history.iter().filter_map(|attempt| attempt.failure.as_ref());
        failures.map(|failure| u64::from(failure.counts().lost)).sum()
    }
}

/// Returns the checks of the jobs.
pub fn checks(account: &Account, jobs: &[StoredJob]) -> Vec<Check> {
    let by_id: BTreeMap<u64, &StoredJob> = jobs.iter().map(|job| (job.record.id.0, job)).collect();
    vec![
        Check::new("no acknowledged job is lost", lost_jobs(account, &by_id)),
        Check::new("no acknowledged outcome is lost", lost_outcomes(account, &by_id)),
        Check::new("every job ends once", jobs.iter().filter_map(not_ended_once).collect()),
        Check::new("no late outcome is accepted", jobs.iter().filter_map(late).collect()),
        Check::new("the histories tell every attempt and every kill", untold(account, jobs)),
    ]
}

fn lost_jobs(account: &Account, by_id: &BTreeMap<u64, &StoredJob>) -> Vec<String> {
    let lost = |(id, path): (&u64, &PathBuf)| {
        let shown = path.display();
        match by_id.get(id) {
            None => Some(format!("job {id} is not in the store: {shown}")),
            Some(job) if job.path != *path => {
                Some(format!("job {id} is that of {}, not of {shown}", job.path.display()))
            }
            Some(_) => None,
        }
    };
    account.stored.iter().filter_map(lost).collect()
}

fn lost_outcomes(account: &Account, by_id: &BTreeMap<u64, &StoredJob>) -> Vec<String> {
    let missing = account.lost.iter().map(|(id, reason)| format!("job {id}: {reason}"));
    let changed = account.done.iter().filter_map(|(id, sum)| {
        let found = by_id.get(id).and_then(|job| job.result.as_ref()).map(FileResult::sum);
        let shown = found.as_deref().unwrap_or("nothing");
        (found.as_ref() != Some(sum)).then(|| format!("job {id} had {sum}, and has {shown}"))
    });
    missing.chain(changed).collect()
}

fn not_ended_once(job: &StoredJob) -> Option<String> {
    let JobRecord { id, state, history, attempt, .. } = &job.record;
    let completed = history.iter().filter(|attempt| attempt.failure.is_none()).count();
    let is_last = history.last().is_some_and(|attempt| attempt.failure.is_none());
    // A long history begins with a summary.
    let first = history.first().map_or(1, |attempt| attempt.number);
    let is_numbered = history.iter().map(|attempt| attempt.number).eq(first..=*attempt);
    let holds = *state == RecordState::Completed && completed == 1 && is_last && is_numbered;
    (!holds).then(|| format!("job {id} is {state}, and {completed} of {} attempts completed", history.len()))
}

/// The process that computed a result has to be the one that ran the attempt.
fn late(job: &StoredJob) -> Option<String> {
    let (result, attempt) = (job.result.as_ref()?, job.record.history.last()?);
    let (id, ours, theirs) = (job.record.id, result.epoch, attempt.epoch.0);
    (ours != theirs).then(|| format!("job {id} has that of process {ours}, but ran in {theirs}"))
}

fn untold(account: &Account, jobs: &[StoredJob]) -> Vec<String> {
    let mut untold = Vec::new();
    let mut attempts: HashMap<(&Path, u64), u32> = HashMap::new();
    // What a summary tells of: every attempt up to that of a process.
    let mut earlier: HashMap<&Path, u64> = HashMap::new();
    let last = account.epochs.last().copied().unwrap_or_default();
    for job in jobs {
        let (id, path) = (job.record.id, job.path.as_path());
        for attempt in &job.record.history {
            let epoch = attempt.epoch.0;
            match &attempt.failure {
                Some(AttemptFailure::Earlier(_)) => drop(earlier.insert(path, epoch)),
                Some(AttemptFailure::ProcessEnded) if epoch >= last => {
                    untold.push(format!("job {id}: process {epoch} was not killed"));
                }
                None | Some(AttemptFailure::ProcessEnded) => {}
                Some(other) => untold.push(format!("attempt {} of job {id}: {other}", attempt.number)),
            }
            *attempts.entry((path, epoch)).or_default() += 1;
        }
    }
    for (path, epoch) in &account.started {
        let told = attempts.get(&(path.as_path(), *epoch)).copied().unwrap_or_default();
        let is_earlier = earlier.get(path.as_path()).is_some_and(|last| epoch <= last);
        if told != 1 && !is_earlier {
            untold.push(format!("process {epoch} ran {}, and {told} attempts tell it", path.display()));
        }
    }
    untold
}
