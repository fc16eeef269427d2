//! One run with a durable pool: kills the worker processes, lets the last one finish, and checks
//! the store.

use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use perennial::durable::{JobFilter, JobRecord};

use super::super::check::{Check, Pass, Verified};
use super::super::files::{self, Found, Scope};
use super::super::interrupt::Interrupt;
use super::super::manifest::Outputs;
use super::super::options::Options;
use super::super::recovery::Recovery;
use super::super::run::now;
use super::super::text::counted;
use super::account::{Account, acknowledgements, is_acknowledgement};
use super::kills::{Kill, plan, portion};
use super::process::WorkerProcess;
use super::report::Report;
use super::store;
use super::verify::{self, StoredJob};

/// A process without any answer for this long is over.
const STALLED: Duration = Duration::from_secs(60);

/// How often Ctrl-C is looked for.
const TICK: Duration = Duration::from_millis(50);

/// The client of the worker processes.
struct Client<'a> {
    options: &'a Options,
    target: &'a str,
    queue: String,
    interrupt: Interrupt,
    account: Account,
    kills: u64,
}

/// Runs the demo and reports what came of it.
///
/// # Errors
///
/// The worker process cannot be started.
pub async fn run(options: &Options, target: &str, outputs: &Outputs) -> Result<Report, String> {
    let (began, since) = (Instant::now(), now());
    let interrupt = Interrupt::listen();
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
    let queue = format!("chaos {since}");
    let mut client = Client { options, target, queue, interrupt, account: Account::default(), kills: 0 };
    // A thread for what blocks. The signal is handled by another.
    let finished = tokio::task::block_in_place(|| client.drive(&scope))?;
    let mut checks = vec![Check::that("all work is finished", finished.is_ok(), || {
        finished.clone().err().unwrap_or_default()
    })];
    let jobs = client.stored_jobs(&mut checks).await;
    checks.extend(verify::checks(&client.account, &jobs));
    let records: Vec<_> = jobs.iter().filter_map(StoredJob::recorded).collect();
    let is_interrupted = client.interrupt.is_requested();
    let mut special = 0;
    let mut verified = if is_interrupted {
        checks.clear();
        Verified::unchecked(records)
    } else {
        let pass = tokio::task::block_in_place(|| Pass::over(&scope, || client.interrupt.is_requested()));
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
        kills: client.kills,
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

impl Client<'_> {
    /// Starts and kills the processes, and lets the last one finish. The inner error says what is
    /// not finished.
    fn drive(&mut self, scope: &Scope) -> Result<Result<(), String>, String> {
        let found = scope.walk().filter_map(|found| match found {
            Found::File(path) => Some(path),
            Found::Special | Found::Failed(..) => None,
        });
        let files: Vec<PathBuf> = found.collect();
        let plan = plan(self.options.seed, self.options.kills);
        for (index, kill) in plan.iter().enumerate() {
            self.live_until(*kill, &files[..portion(files.len(), index, plan.len())])?;
            if self.interrupt.is_requested() {
                return Ok(Ok(()));
            }
        }
        self.finish(&files)
    }

    fn start(&self, files: &[PathBuf], is_last: bool) -> Result<(WorkerProcess, usize), String> {
        let requests = self.account.open_requests(files);
        let expected = acknowledgements(&requests);
        let process = WorkerProcess::start(self.options, self.target, &self.queue, requests, is_last);
        Ok((process.map_err(|error| format!("the worker process does not start: {error}"))?, expected))
    }

    /// Starts a process and kills it at its moment.
    fn live_until(&mut self, kill: Kill, files: &[PathBuf]) -> Result<(), String> {
        let (process, expected) = self.start(files, false)?;
        let end = match kill {
            Kill::Early(after) => process.began + after,
            Kill::Working { share, rest } => {
                let mut left = (share * expected as f64) as usize;
                let mut is_up = false;
                let limit = Instant::now() + STALLED;
                while (left > 0 || !is_up) && !self.interrupt.is_requested() && Instant::now() < limit {
                    match process.next(TICK) {
                        Ok(answer) => {
                            is_up = true;
                            left = left.saturating_sub(usize::from(is_acknowledgement(&answer)));
                            self.account.note(answer);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return self.ended_early(process),
                    }
                }
                Instant::now() + rest
            }
        };
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            match process.next(left) {
                Ok(answer) => self.account.note(answer),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return self.ended_early(process),
            }
        }
        process.kill().into_iter().for_each(|answer| self.account.note(answer));
        self.kills += 1;
        Ok(())
    }

    /// The process has printed why.
    fn ended_early(&mut self, process: WorkerProcess) -> Result<(), String> {
        let status = process.wait().map_err(|error| error.to_string())?;
        Err(format!("the worker process ended by itself: {status}"))
    }

    /// Starts a process that does what is left and ends by itself.
    fn finish(&mut self, files: &[PathBuf]) -> Result<Result<(), String>, String> {
        let (process, _) = self.start(files, true)?;
        let mut heard = Instant::now();
        loop {
            match process.next(TICK) {
                Ok(answer) => {
                    heard = Instant::now();
                    self.account.note(answer);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let is_stalled = heard.elapsed() > STALLED;
                    if is_stalled || self.interrupt.is_requested() {
                        process.kill().into_iter().for_each(|answer| self.account.note(answer));
                        return Ok(if is_stalled {
                            Err("some is not, and nothing moves".into())
                        } else {
                            Ok(())
                        });
                    }
                }
            }
        }
        let status = process.wait().map_err(|error| error.to_string())?;
        if self.account.epochs.is_empty() {
            return Err(format!("the worker process ended by itself: {status}"));
        }
        Ok(if status.success() { Ok(()) } else { Err(format!("the last process ended with {status}")) })
    }

    /// Reads the jobs of this run from the store. What cannot be read is a violation.
    async fn stored_jobs(&self, checks: &mut Vec<Check>) -> Vec<StoredJob> {
        let read = self.records().await;
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

    async fn records(&self) -> Result<Vec<JobRecord>, String> {
        let store = store::open(self.target).await?;
        store.check().await.map_err(|error| error.to_string())?;
        let filter = JobFilter { queue: Some(self.queue.clone()), ..JobFilter::default() };
        store.jobs(filter).await.map_err(|error| error.to_string())
    }
}
