//! A stress test of a pool, from a seed. Jobs fail, panic, hang and delay. Workers are killed, and
//! the pool is resized and restarted. The outcome of every job is recorded.

use std::collections::HashMap;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ActorHandle, ExitReason, System};
use perennial_supervision::pool::{
    AttemptError, JobContext, JobError, JobHandle, JobId, Pool, PoolError, PoolHandle, PoolStats, Worker,
    WorkerContext,
};
use perennial_supervision::{App, Backoff, Shutdown, SupervisorHandle};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

/// Returns a pseudo-random number from another number: SplitMix64.
pub(crate) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A pseudo-random number generator.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % end
    }
}

/// The number of jobs in one run.
pub(crate) const JOBS: u64 = 100_000;

pub(crate) const WORKERS: usize = 8;

pub(crate) const ATTEMPTS: u32 = 3;

/// The number of tasks that submit jobs.
const SUBMITTERS: u64 = 5;

/// The number of jobs that a submitter has pending at a time.
const WAVE: u64 = 500;

/// How often each job was started, was completed, and may have been interrupted.
pub(crate) struct Marks {
    seed: u64,
    begun: Vec<AtomicU32>,
    done: Vec<AtomicU32>,
    /// The attempts that were dropped during a change of the pool. Its workers are stopped by their
    /// supervisor at no other time, so each interrupted attempt is one of these.
    cut: Vec<AtomicU32>,
    is_changing: AtomicBool,
}

impl Marks {
    fn new(seed: u64) -> Self {
        let zeros = || (0..JOBS).map(|_| AtomicU32::new(0)).collect();
        Self { seed, begun: zeros(), done: zeros(), cut: zeros(), is_changing: AtomicBool::new(false) }
    }

    /// Marks the time of a change, in which workers are stopped. Returns `true` if it succeeds.
    async fn changes(&self, change: impl Future<Output = Result<(), PoolError>>) -> bool {
        self.is_changing.store(true, Ordering::Relaxed);
        let changed = change.await;
        self.is_changing.store(false, Ordering::Relaxed);
        changed.is_ok()
    }
}

/// An attempt that is marked as cut if it is dropped before its end, while the pool changes.
struct Voyage<'a> {
    marks: &'a Marks,
    place: usize,
    has_ended: bool,
}

impl Drop for Voyage<'_> {
    fn drop(&mut self) {
        if !self.has_ended && self.marks.is_changing.load(Ordering::Relaxed) {
            self.marks.cut[self.place].fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(crate) struct Sailor(Arc<Marks>);

impl Worker for Sailor {
    type Job = u64;
    type Output = u64;
    type Error = &'static str;
    type Args = Arc<Marks>;

    async fn init(marks: &Arc<Marks>, at: &WorkerContext) -> Result<Self, ExitReason> {
        // One incarnation in fifty fails to start.
        if at.pid.incarnation() > 1 && mixed(marks.seed ^ u64::from(at.pid.incarnation())) % 50 == 0 {
            return Err(ExitReason::failed("seasick"));
        }
        Ok(Self(marks.clone()))
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, &'static str> {
        let marks = &self.0;
        let place = *job as usize;
        let attempt = marks.begun[place].fetch_add(1, Ordering::Relaxed);
        let fate = mixed(marks.seed ^ (job << 8) ^ u64::from(attempt)) % 1000;
        let mut voyage = Voyage { marks, place, has_ended: false };
        match fate {
            30..35 => pending().await,
            35..40 => sleep(Duration::from_millis(1)).await,
            40..300 => yield_now().await,
            _ => {}
        }
        voyage.has_ended = true;
        match fate {
            0..20 => return Err("it failed"),
            // Unlike `panic!`, this prints nothing.
            20..30 => resume_unwind(Box::new("it panicked")),
            _ => {}
        }
        marks.done[place].fetch_add(1, Ordering::Relaxed);
        Ok(*job)
    }
}

pub(crate) type Sailors = PoolHandle<Sailor>;

type Outcome = Result<u64, JobError<&'static str>>;

/// Returns `true` if a job must not be started twice.
const fn is_once(number: u64) -> bool {
    number % 5 == 0
}

/// Returns `true` if a job with these failures has no attempts left.
fn is_used_up(number: u64, failures: &[AttemptError<&'static str>]) -> bool {
    use AttemptError::{WorkerEnded, WorkerUnresponsive};
    let is_lost = |failure: &&_| matches!(failure, WorkerEnded(_) | WorkerUnresponsive(_));
    let lost = failures.iter().filter(is_lost).count();
    let most = if is_once(number) { 1 } else { ATTEMPTS as usize };
    lost >= most || failures.len() - lost >= most
}

/// The record of one run.
pub(crate) struct Logbook {
    pub(crate) marks: Arc<Marks>,
    /// The outcome of each job by its number, with its id in the pool.
    outcomes: HashMap<u64, (JobId, Outcome)>,
    pub(crate) pool: Sailors,
    pub(crate) kills: u64,
    pub(crate) changes: u64,
}

/// The faults of jobs, apart from those of their workers.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Loss {
    Nothing,
    /// Some jobs are cancelled, some expire, and sometimes the queued jobs are dropped.
    Some,
}

/// Runs all jobs under faults.
pub(crate) async fn storm(seed: u64, loss: Loss) -> Logbook {
    let marks = Arc::new(Marks::new(seed));
    let ms = Duration::from_millis;
    let pool = Pool::<Sailor>::new("sailors", WORKERS, marks.clone())
        .attempts(ATTEMPTS)
        .retry_errors(true)
        // A kill during a start is a failed start, which counts as a restart.
        .intensity(1_000_000_000, ms(1))
        .capacity(1000)
        .max_dead_jobs(JOBS as usize)
        .handler_deadline(ms(50))
        .shutdown(Shutdown::Timeout(ms(2)));
    let (sailors, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    let calm = Arc::new(AtomicBool::new(false));
    let weather = {
        let (marks, workers, pool, calm) = (marks.clone(), handles(&app), sailors.clone(), calm.clone());
        tokio::spawn(async move { rage(Dice::new(seed), loss, &marks, workers, pool, &calm).await })
    };
    let mut submitting = JoinSet::new();
    for submitter in 0..SUBMITTERS {
        submitting.spawn(submit(Dice::new(seed ^ (submitter << 32)), loss, submitter, sailors.clone()));
    }
    let outcomes = submitting.join_all().await.into_iter().flatten().collect();
    calm.store(true, Ordering::Relaxed);
    let (kills, changes) = weather.await.expect("it does not panic");
    sailors.drain().await;
    let report = app.shutdown().await;
    assert!(report.unstopped.iter().all(|late| !late.abandoned), "{report:?}");
    Logbook { marks, outcomes, pool: sailors, kills, changes }
}

fn handles(app: &App<SupervisorHandle>) -> Vec<ActorHandle> {
    let tree = app.tree();
    let handle = |slot: usize| tree.at([slot.to_string().as_str()]).expect("it is there").handle.clone();
    (0..WORKERS).map(handle).collect()
}

/// Kills workers and resizes the pool until `calm` is set. Returns the number of kills and of other
/// changes.
async fn rage(
    mut dice: Dice,
    loss: Loss,
    marks: &Marks,
    workers: Vec<ActorHandle>,
    pool: Sailors,
    calm: &AtomicBool,
) -> (u64, u64) {
    let (mut kills, mut changes) = (0, 0);
    while !calm.load(Ordering::Relaxed) {
        for _ in 0..dice.below(8) {
            yield_now().await;
        }
        match dice.below(100) {
            0 => {
                let workers = dice.below(WORKERS as u64 + 1) as usize;
                changes += u64::from(marks.changes(pool.resize(workers)).await);
            }
            1 => changes += u64::from(marks.changes(pool.rolling_restart()).await),
            // Paused time advances only if a task sleeps.
            2 => sleep(Duration::from_millis(dice.below(80))).await,
            3 if loss == Loss::Some => changes += u64::from(pool.clear() > 0),
            4 => {
                pool.pause();
                yield_now().await;
                pool.resume();
            }
            _ => kills += u64::from(workers[dice.below(WORKERS as u64) as usize].kill().is_ok()),
        }
    }
    while !marks.changes(pool.resize(WORKERS)).await {}
    (kills, changes)
}

async fn submit(mut dice: Dice, loss: Loss, submitter: u64, pool: Sailors) -> Vec<(u64, (JobId, Outcome))> {
    let mut ends = Vec::new();
    let mine: Vec<u64> = (submitter..JOBS).step_by(SUBMITTERS as usize).collect();
    for wave in mine.chunks(WAVE as usize) {
        let mut out: Vec<(u64, JobHandle<Sailor>)> = Vec::new();
        for number in wave {
            let mut job = pool.submit(*number);
            if is_once(*number) {
                job = job.at_most_once();
            }
            job = match dice.below(50) {
                0 => job.priority(dice.below(4) as u8),
                1 => job.key(&dice.below(20)),
                2 => job.delay(Duration::from_micros(dice.below(3000))),
                3 => job.backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(4))),
                10..40 => job.time_limit(Duration::from_millis(10)),
                9 if loss == Loss::Some => job.expires_in(Duration::from_micros(dice.below(2000))),
                _ => job,
            };
            out.push((*number, job.await.expect("it is open")));
            if loss == Loss::Some && dice.below(50) == 0 {
                out[dice.below(out.len() as u64) as usize].1.cancel();
            }
        }
        for (number, job) in out {
            let id = job.id();
            ends.push((number, (id, job.await)));
        }
    }
    ends
}

impl Logbook {
    /// Checks that every job ended exactly once: with a result, as a dead job, or dropped if `loss`
    /// allows it. No job had more attempts than are allowed, apart from those that a change of the
    /// pool interrupted. No at-most-once job was started twice.
    pub(crate) fn check(&self, loss: Loss) {
        let stats: PoolStats = self.pool.stats();
        assert_eq!(self.outcomes.len() as u64, JOBS, "each has a result");
        assert_eq!((stats.submitted, stats.queued, stats.running), (JOBS, 0, 0), "{stats}");
        assert_eq!(stats.completed + stats.failed + stats.dropped, JOBS, "{stats}");
        let dead: Vec<_> = self.pool.drain_dead_jobs();
        assert_eq!(dead.len() as u64, stats.failed);
        let mut dead: HashMap<u64, _> = dead.into_iter().map(|dead| (*dead.job, dead)).collect();
        let (mut again, mut dropped) = (0, 0);
        for (number, (id, outcome)) in &self.outcomes {
            let begun = self.marks.begun[*number as usize].load(Ordering::Relaxed);
            let cut = self.marks.cut[*number as usize].load(Ordering::Relaxed);
            // One limit is reached at the last failure, and the other one not before that.
            let (most, cut) = if is_once(*number) { (1, 0) } else { (2 * ATTEMPTS - 1, cut) };
            assert!(begun <= most + cut, "{number} was begun {begun} times, and cut {cut} times");
            let is_used_up = |failures: &[AttemptError<_>]| is_used_up(*number, failures);
            // Each attempt has failed or was interrupted.
            let failed_in = |failures: usize| (begun - cut..=begun).contains(&(failures as u32));
            match (outcome, dead.remove(number)) {
                (Ok(result), None) => {
                    assert_eq!(result, number);
                    assert!(self.marks.done[*number as usize].load(Ordering::Relaxed) >= 1);
                    again += begun - 1;
                }
                (Err(JobError::Failed(failures)), Some(dead)) => {
                    assert_eq!(failures, &dead.failures);
                    let before = failures.split_last().map(|(_, before)| before);
                    assert!(is_used_up(failures) && !before.is_some_and(is_used_up), "{failures:?}");
                    assert_eq!((failed_in(failures.len()), dead.id), (true, *id));
                    again += begun - 1;
                }
                (Err(JobError::Expired(failures)), Some(dead)) => {
                    assert_eq!(failures, &dead.failures);
                    assert!(failed_in(failures.len()) && !failures.is_empty() && !is_used_up(failures));
                    assert_eq!(dead.id, *id);
                    again += begun - 1;
                }
                (Err(JobError::Cancelled(failures) | JobError::Dropped(failures)), None) => {
                    assert!(!is_used_up(failures), "{failures:?}");
                    dropped += 1;
                }
                (Err(JobError::Expired(failures)), None) if failures.is_empty() => dropped += 1,
                (outcome, dead) => panic!("{number} ended as {outcome:?}, and among the dead is {dead:?}"),
            }
        }
        assert!(dead.is_empty(), "each has an outcome");
        assert_eq!(dropped, stats.dropped, "{stats}");
        match loss {
            // Each attempt but the first is a retry.
            Loss::Nothing => assert_eq!((dropped, u64::from(again)), (0, stats.retried)),
            Loss::Some => assert!(dropped > 100 && u64::from(again) <= stats.retried, "{stats}"),
        }
    }

    /// Returns the number of dead jobs with an attempt that failed with a matching error.
    pub(crate) fn count(&self, is_so: impl Fn(&AttemptError<&'static str>) -> bool) -> usize {
        let failures = self.outcomes.values().filter_map(|(_, outcome)| match outcome {
            Err(JobError::Failed(failures) | JobError::Expired(failures)) => Some(failures),
            _ => None,
        });
        failures.filter(|failures| failures.iter().any(&is_so)).count()
    }

    /// Checks that the run had enough faults of each kind.
    pub(crate) fn check_weather(&self) {
        use ExitReason::{Killed, Panicked};
        let ended = |reason: fn(&ExitReason) -> bool| {
            self.count(|failure| matches!(failure, AttemptError::WorkerEnded(why) if reason(why)))
        };
        let (killed, panicked) =
            (ended(|why| matches!(why, Killed)), ended(|why| matches!(why, Panicked(_))));
        let (failed, late) = (
            self.count(|failure| matches!(failure, AttemptError::Error(_))),
            self.count(|failure| matches!(failure, AttemptError::TimedOut)),
        );
        let seen = (self.kills, self.changes, killed, panicked, failed, late);
        assert!(self.kills > 100 && self.changes > 3 && killed > 10, "{seen:?}");
        assert!(panicked > 10 && failed > 10 && late > 0, "{seen:?}");
    }
}

/// Runs storms of these seeds in paused time, each in a thread whose name tells the seed if it
/// panics.
pub(crate) fn run_storms<F: Future + 'static>(seeds: impl Iterator<Item = u64>, run_storm: fn(u64) -> F) {
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let storm = move || {
            runtime.expect("there are resources for it").block_on(run_storm(seed));
        };
        let name = format!("the storm of seed {seed}");
        let thread = std::thread::Builder::new().name(name).spawn(storm);
        thread.expect("there is room for a thread").join().expect("the storm ends well");
    }
}
