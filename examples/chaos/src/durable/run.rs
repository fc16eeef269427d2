//! One run with a durable pool: kills the worker processes, lets the last one finish, and checks
//! the store.

use std::path::{Path, PathBuf};
use std::time::Instant;

use perennial::durable::{JobFilter, JobRecord};

use super::super::check::{Check, Pass, Verified};
use super::super::files::{self, Found, Scope};
use super::super::manifest::Outputs;
use super::super::options::Options;
use super::super::recovery::Recovery;
use super::super::run::now;
use super::super::text::counted;
use super::account::{Account, acknowledgements, is_acknowledgement};
use super::drive::{Client, Driver};
use super::kills::portion;
use super::protocol::{Answer, Request};
use super::report::Report;
use super::store;
use super::verify::{self, StoredJob};

/// The client that asks for the checksums of files.
struct FileClient {
    files: Vec<PathBuf>,
    account: Account,
    expected: usize,
}

impl Client for FileClient {
    type Request = Request;
    type Answer = Answer;

    fn requests(&mut self, index: usize, kills: usize) -> Vec<Request> {
        let requests = self.account.open_requests(&self.files[..portion(self.files.len(), index, kills)]);
        self.expected = acknowledgements(&requests);
        requests
    }

    fn expected(&self) -> usize {
        self.expected
    }

    fn note(&mut self, answer: Answer) -> Option<Request> {
        self.expected = self.expected.saturating_sub(usize::from(is_acknowledgement(&answer)));
        self.account.note(answer);
        None
    }

    fn asks_more(&self) -> bool {
        false
    }
}

/// Runs the demo and reports what came of it.
///
/// # Errors
///
/// The worker process cannot be started.
pub async fn run(options: &Options, target: &str, outputs: &Outputs) -> Result<Report, String> {
    let (began, since) = (Instant::now(), now());
    let mut driver = Driver::new(options, target, format!("chaos {since}"));
    let scope = Scope {
        folder: options.folder().to_owned(),
        skip_caches: options.skips_caches(),
        outputs: outputs.ids(),
        store: store::path(target),
    };
    if !options.quiet {
        let (folder, kills) = (options.folder().display(), counted(options.kills as u64, "kill"));
        print_line!("chaos: indexing {folder} with seed {}: {kills} of the process", options.seed);
    }
    // A thread for what blocks. The signal is handled by another.
    let files = tokio::task::block_in_place(|| walked(&scope));
    let mut client = FileClient { files, account: Account::default(), expected: 0 };
    let finished = tokio::task::block_in_place(|| driver.drive(&mut client))?;
    let mut checks = vec![Check::that("all work is finished", finished.is_ok(), || {
        finished.clone().err().unwrap_or_default()
    })];
    let jobs = stored_jobs(target, &driver.queue, &mut checks).await;
    checks.extend(verify::checks(&client.account, &jobs));
    let records: Vec<_> = jobs.iter().filter_map(StoredJob::recorded).collect();
    let is_interrupted = driver.interrupt.is_requested();
    let mut special = 0;
    let mut verified = if is_interrupted {
        checks.clear();
        Verified::unchecked(records)
    } else {
        let pass = tokio::task::block_in_place(|| Pass::over(&scope, || driver.interrupt.is_requested()));
        special = pass.special;
        let changed = |path: &Path| files::changed_at(path).is_none_or(|at| at >= since);
        Verified::of(&records, pass, changed)
    };
    if !is_interrupted {
        checks.splice(..0, verified.checks());
    }
    let Account { stored, rescues, .. } = &client.account;
    Ok(Report {
        seed: options.seed,
        is_interrupted,
        matching: verified.matching,
        failed: verified.failed,
        special,
        kills: driver.kills,
        acknowledged: stored.len() as u64,
        jobs: jobs.len() as u64,
        attempts: jobs.iter().map(|job| u64::from(job.record.attempt)).sum(),
        cut_off: jobs.iter().map(StoredJob::cut_off).sum(),
        rescues: rescues.len() as u64,
        rescue: Recovery::of(rescues.iter().map(|(_, time)| *time)),
        checks,
        elapsed: began.elapsed(),
    })
}

/// Returns the files that are indexed.
fn walked(scope: &Scope) -> Vec<PathBuf> {
    let found = scope.walk().filter_map(|found| match found {
        Found::File(path) => Some(path),
        Found::Special | Found::Failed(..) => None,
    });
    found.collect()
}

/// Reads the jobs of this run from the store. What cannot be read is a violation.
async fn stored_jobs(target: &str, queue: &str, checks: &mut Vec<Check>) -> Vec<StoredJob> {
    let read = records(target, queue).await;
    let mut unread = Vec::new();
    let records = read.unwrap_or_else(|error| {
        unread.push(error);
        Vec::new()
    });
    let decoded = records.into_iter().map(StoredJob::of);
    let jobs = decoded.filter_map(|job| job.map_err(|error| unread.push(error)).ok()).collect();
    checks.push(Check::new("the store is intact", unread));
    jobs
}

async fn records(target: &str, queue: &str) -> Result<Vec<JobRecord>, String> {
    let store = store::open(target).await?;
    store.check().await.map_err(|error| error.to_string())?;
    let filter = JobFilter { queue: Some(queue.to_owned()), ..JobFilter::default() };
    store.jobs(filter).await.map_err(|error| error.to_string())
}
