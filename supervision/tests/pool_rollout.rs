//! Rollouts: workers are replaced while the pool runs, and go back if the new ones fail.

#[path = "support/pool.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{
    JobContext, JobHandle, Pool, PoolError, PoolHandle, PoolShutdown, PoolSize, RolloutError, RolloutFailure,
    RolloutFuture, RolloutReport, Worker, WorkerContext,
};
use perennial_supervision::{App, ChildError, SupervisorHandle};
use support::{ms, quiet, secs, soon};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// What the workers of a version do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Init {
    Starts,
    StartsAfter(Duration),
    Fails,
    FailsIn(usize),
    Hangs,
}

/// The arguments of a version.
#[derive(Debug)]
struct Version {
    number: u64,
    init: Init,
    /// How many workers run now, and how many ran at most.
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

/// A worker whose results have a version.
struct Versioned {
    number: u64,
    revision: u64,
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Drop for Versioned {
    fn drop(&mut self) {
        self.running.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A job that takes this long.
#[derive(Debug)]
#[derive(Clone)]
struct Take(Duration);

impl Worker for Versioned {
    type Job = Take;
    /// The version, the revision, and the number of the attempt.
    type Output = (u64, u64, u32);
    type Error = String;
    type Args = Version;

    async fn init(version: &Version, at: &WorkerContext) -> Result<Self, ExitReason> {
        match version.init {
            Init::Starts => {}
            Init::StartsAfter(time) => sleep(time).await,
            Init::FailsIn(slot) if slot != at.slot => {}
            Init::Fails | Init::FailsIn(_) => return Err(ExitReason::failed("a bad version")),
            Init::Hangs => std::future::pending().await,
        }
        let (now, most) = &*version.running;
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let (number, revision, running) = (version.number, at.revision, version.running.clone());
        Ok(Self { number, revision, running })
    }

    async fn work(&mut self, job: &Take, ctx: &JobContext<'_>) -> Result<(u64, u64, u32), String> {
        sleep(job.0).await;
        Ok((self.number, self.revision, ctx.attempt()))
    }
}

struct Running {
    app: App<SupervisorHandle>,
    pool: PoolHandle<Versioned>,
    running: Arc<(AtomicUsize, AtomicUsize)>,
}

async fn start(size: impl Into<PoolSize>, set: impl FnOnce(Pool<Versioned>) -> Pool<Versioned>) -> Running {
    let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let args = Version { number: 1, init: Init::Starts, running: running.clone() };
    let pool = set(Pool::<Versioned>::new("pool", size, args));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    quiet().await;
    Running { app, pool: handle, running }
}

async fn started(size: impl Into<PoolSize>) -> Running {
    start(size, |pool| pool.intensity(0, secs(60))).await
}

impl Running {
    fn version(&self, number: u64, init: Init) -> Version {
        Version { number, init, running: self.running.clone() }
    }

    fn submit(&self, time: Duration) -> JobHandle<Versioned> {
        support::now(self.pool.submit(Take(time)))
    }

    /// Returns the version, the revision and the attempt of a job that is submitted now.
    async fn result(&self) -> (u64, u64, u32) {
        soon(self.submit(ms(1))).await.expect("it is done")
    }

    /// Runs a job on each worker. Returns their versions.
    async fn versions(&self) -> Vec<u64> {
        let batch = self.pool.submit(Take(ms(1))).broadcast().await.expect("there is room");
        soon(batch.join_all()).await.into_iter().map(|result| result.expect("it is done").0).collect()
    }

    fn workers(&self) -> usize {
        self.running.0.load(Ordering::Relaxed)
    }

    /// Returns how many workers ran at most since the last call.
    fn most(&self) -> usize {
        self.running.1.swap(self.workers(), Ordering::Relaxed)
    }

    async fn close(self) {
        let report = self.app.shutdown().await;
        assert!(report.unstopped.is_empty() && report.dropped_messages == 0, "{report}");
        support::assert_accounts(&self.pool.stats());
    }
}

fn spawn(rollout: impl IntoFuture<IntoFuture = RolloutFuture>) -> JoinHandle<Outcome> {
    tokio::spawn(soon(rollout.into_future()))
}

type Outcome = Result<RolloutReport, RolloutError>;

#[tokio::test(start_paused = true)]
async fn new_arguments_hold_for_all_workers_and_for_every_later_start() {
    let running = started(3).await;
    assert_eq!(running.result().await, (1, 1, 1));
    let report =
        soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!((report.revision, report.replaced, report.kept), (2, vec![0, 1, 2], vec![]));
    assert_eq!((report.rolled_back, report.unavailable), (vec![], vec![]));
    assert_eq!(running.versions().await, [2, 2, 2]);
    running.app.tree().at(["1"]).expect("it is there").handle.kill().expect("it lives");
    running.pool.resize(5).await.expect("it grows");
    running.pool.rolling_restart().await.expect("it goes well");
    assert_eq!(running.versions().await, [2; 5]);
    assert_eq!(running.result().await, (2, 2, 1), "a restart is no revision");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limits_are_unavailable_or_run_in_addition() {
    for (max_unavailable, max_surge) in [(1, 0), (2, 0), (0, 1), (0, 3), (2, 2), (9, 0)] {
        let running = started(5).await;
        let new = running.version(2, Init::StartsAfter(secs(1)));
        let rollout = running.pool.rollout().args(new).max_unavailable(max_unavailable).max_surge(max_surge);
        let _ = running.most();
        let rollout = spawn(rollout);
        let mut least = 5;
        while !rollout.is_finished() {
            least = least.min(running.workers());
            sleep(ms(10)).await;
        }
        let report = rollout.await.expect("no panic").expect("it is good");
        assert_eq!(report.replaced, [0, 1, 2, 3, 4]);
        assert_eq!(least, 5_usize.saturating_sub(max_unavailable), "as many at once as possible");
        assert!(running.most() <= 5 + max_surge);
        assert_eq!((running.workers(), running.pool.stats().workers.running), (5, 5));
        assert_eq!(running.versions().await, [2; 5]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_go_on_during_a_rollout_and_none_is_lost_or_run_twice() {
    for (max_unavailable, max_surge) in [(1, 0), (0, 2)] {
        let running = started(4).await;
        let jobs: Vec<_> = (0..400).map(|number| running.submit(ms(number % 13))).collect();
        let keyed: Vec<_> = (0..100_u64)
            .map(|number| support::now(running.pool.submit(Take(ms(number % 5))).key(&(number % 7))))
            .collect();
        let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(ms(50))));
        let report = soon(rollout.max_unavailable(max_unavailable).max_surge(max_surge)).await;
        assert_eq!(report.expect("it is good").replaced.len(), 4);
        let mut versions = Vec::new();
        for job in jobs.into_iter().chain(keyed) {
            let (version, revision, attempt) = soon(job).await.expect("it is done");
            assert_eq!((version, attempt), (revision, 1));
            versions.push(version);
        }
        assert!(versions.contains(&1) && versions.contains(&2));
        assert_eq!(running.pool.stats().retried, 0);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_start_is_rolled_back_with_its_error() {
    for (bad_slot, replaced) in [(0, 0), (2, 2)] {
        let running = started(4).await;
        let rollout = running.pool.rollout().args(running.version(3, Init::FailsIn(bad_slot)));
        let error = soon(rollout).await.expect_err("it does not start");
        assert!(error.to_string().contains("a bad version"), "{error}");
        let RolloutError::RolledBack { failure, report } = error else { panic!("{error}") };
        let RolloutFailure::Worker(PoolError::Worker { slot, error: ChildError::StartFailed(_) }) = failure
        else {
            panic!("{failure}")
        };
        assert_eq!(slot, bad_slot);
        assert_eq!((report.revision, report.replaced, report.unavailable), (1, vec![], vec![]));
        assert_eq!(report.rolled_back, (0..=replaced).collect::<Vec<_>>());
        assert_eq!(report.kept, (replaced + 1..4).collect::<Vec<_>>());
        assert_eq!(running.versions().await, [1; 4]);
        let next = soon(running.pool.rollout().args(running.version(2, Init::Starts))).await;
        assert_eq!(next.expect("it is good").revision, 3, "the second one was bad");
        assert_eq!(running.versions().await, [2; 4]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_version_beside_additional_workers_stops_no_old_one() {
    let running = started(3).await;
    let rollout = running.pool.rollout().args(running.version(3, Init::Fails));
    let rollout = spawn(rollout.max_unavailable(0).max_surge(2));
    while !rollout.is_finished() {
        assert!(running.workers() >= 3);
        sleep(ms(10)).await;
    }
    let error = rollout.await.expect("no panic").expect_err("it does not start");
    let RolloutError::RolledBack { report, .. } = error else { panic!("{error}") };
    assert_eq!((report.kept, report.rolled_back), (vec![0, 1, 2], vec![]));
    assert_eq!(running.versions().await, [1; 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_ready_in_time_is_rolled_back_and_its_start_killed() {
    let running = start(2, |pool| pool.start_timeout(secs(3_600))).await;
    let begun = Instant::now();
    let rollout = running.pool.rollout().args(running.version(3, Init::Hangs));
    let rollout = rollout.progress_deadline(secs(60));
    let error = soon(rollout).await.expect_err("it hangs");
    let RolloutError::RolledBack { failure, report } = error else { panic!("{error}") };
    assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
    assert_eq!((report.rolled_back, report.kept), (vec![0], vec![1]));
    assert_eq!((begun.elapsed().as_secs(), report.elapsed.as_secs()), (60, 60));
    assert_eq!(running.versions().await, [1; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_worker_is_available_only_after_its_minimum_time() {
    let running = started(3).await;
    let begun = Instant::now();
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts)).min_ready(secs(10));
    soon(rollout).await.expect("it is good");
    assert_eq!(begun.elapsed().as_secs(), 30);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_crashes_before_its_minimum_time_is_over_is_not_available() {
    let running = started(1).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    let rollout = spawn(rollout.min_ready(secs(10)).progress_deadline(secs(60)));
    for _ in 0..15 {
        sleep(secs(5)).await;
        if rollout.is_finished() {
            break;
        }
        running.app.tree().at(["0"]).expect("it is there").handle.kill().expect("it lives");
    }
    let error = rollout.await.expect("no panic").expect_err("it crashes every five seconds");
    let RolloutError::RolledBack { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure, RolloutFailure::NotReady { slot: 0 });
    assert_eq!(running.versions().await, [1]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_finishes_its_job_within_the_grace_and_takes_no_other() {
    let running = started(1).await;
    let (first, second) = (running.submit(secs(20)), running.submit(secs(1)));
    quiet().await;
    let begun = Instant::now();
    soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!(begun.elapsed().as_secs(), 19, "no longer than the job");
    assert_eq!(soon(first).await.expect("it is done"), (1, 1, 1));
    assert_eq!(soon(second).await.expect("it is done"), (2, 2, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_exceeds_the_grace_is_interrupted_and_loses_no_attempt() {
    for grace in [1, 3, 30, 100] {
        let running = start(1, |pool| pool.attempts(2)).await;
        let long = running.submit(secs(200));
        quiet().await;
        let begun = Instant::now();
        for _ in 0..3 {
            soon(running.pool.rollout().grace(secs(grace))).await.expect("it goes well");
        }
        assert_eq!(begun.elapsed().as_secs(), 3 * grace);
        assert_eq!(soon(long).await.expect("it has attempts left").0, 1);
        assert_eq!(running.pool.stats().retried, 3);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_key_wait_for_the_next_incarnation_of_their_worker() {
    let running = started(3).await;
    let submit = || support::now(running.pool.submit(Take(secs(3))).key(&7));
    let (first, second) = (submit(), submit());
    quiet().await;
    let begun = Instant::now();
    soon(running.pool.rollout().args(running.version(2, Init::Starts)).max_unavailable(3))
        .await
        .expect("good");
    assert_eq!(soon(first).await.expect("it is done").0, 1);
    assert_eq!(soon(second).await.expect("it is done").0, 2);
    assert_eq!(begun.elapsed().as_secs(), 5, "one after the other");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_rollout_begins_no_replacement_until_it_is_resumed() {
    let running = started(4).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    let rollout = spawn(rollout);
    sleep(ms(1_500)).await;
    running.pool.pause_rollout();
    sleep(secs(600)).await;
    assert_eq!(running.versions().await, [2, 2, 1, 1], "it finished the one that it had begun");
    running.app.supervisor().terminate_child("3").await.expect("it is there");
    sleep(secs(10)).await;
    assert_eq!(running.versions().await, [2, 2, 1, 1], "a missing worker comes back meanwhile, as it was");
    assert!(!rollout.is_finished());
    running.pool.resume_rollout();
    let report = rollout.await.expect("no panic").expect("it is good");
    assert_eq!(report.replaced, [0, 1, 2, 3]);
    assert_eq!(running.versions().await, [2; 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_is_undone_on_request() {
    let running = started(4).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(2_500)).await;
    running.pool.pause_rollout();
    running.pool.undo_rollout();
    let error = rollout.await.expect("no panic").expect_err("it was undone");
    let RolloutError::RolledBack { failure: RolloutFailure::Undone, report } = error else {
        panic!("{error}")
    };
    assert_eq!((report.rolled_back, report.kept), (vec![0, 1, 2], vec![3]));
    assert_eq!(running.versions().await, [1; 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_worker_that_crashes_meanwhile_is_restarted_from_the_old_arguments() {
    let running = started(3).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(10)))));
    sleep(secs(1)).await;
    running.app.tree().at(["2"]).expect("it is there").handle.kill().expect("it lives");
    sleep(secs(1)).await;
    assert_eq!((running.workers(), running.result().await.0), (2, 1));
    rollout.await.expect("no panic").expect("it is good");
    assert_eq!(running.versions().await, [2; 3]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_without_new_arguments_halts_at_a_failure() {
    let running = started(3).await;
    soon(running.pool.rollout().args(running.version(2, Init::FailsIn(9)))).await.expect("it is good");
    running.app.tree().at(["2"]).expect("it is there").handle.suspend().expect("it lives");
    let rollout = running.pool.rollout().grace(secs(1)).progress_deadline(secs(5));
    let rollout = spawn(rollout);
    running.pool.pause_rollout();
    quiet().await;
    running.pool.undo_rollout();
    let error = rollout.await.expect("no panic").expect_err("it was undone");
    assert!(matches!(error, RolloutError::Halted { failure: RolloutFailure::Undone, .. }), "{error}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_rollout_continues() {
    let running = started(2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    assert!(tokio::time::timeout(ms(10), rollout).await.is_err());
    sleep(secs(5)).await;
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_ends_with_its_pool() {
    let running = started(2).await;
    let rollout = spawn(running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1)))));
    sleep(ms(500)).await;
    soon(running.pool.stop(PoolShutdown::Drain)).await;
    assert_eq!(rollout.await.expect("no panic"), Err(RolloutError::Stopped));
    running.close().await;
    let running = started(2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::StartsAfter(secs(1))));
    let rollout = spawn(rollout);
    sleep(ms(500)).await;
    running.close().await;
    let error = soon(rollout).await.expect("no panic").expect_err("its tree has ended");
    assert_eq!(error, RolloutError::Stopped);
}

#[tokio::test(start_paused = true)]
async fn settings_that_allow_nothing_are_errors() {
    let running = started(2).await;
    let error = running.pool.rollout().max_unavailable(0).await.expect_err("it could do nothing");
    assert_eq!(error, RolloutError::NoRoom);
    let rollout = running.pool.rollout().min_ready(secs(600));
    assert_eq!(rollout.await.expect_err("none is available in time"), RolloutError::DeadlineTooShort);
    assert_eq!(running.result().await, (1, 1, 1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_workers_takes_the_new_arguments() {
    let running = started(2).await;
    running.pool.resize(0).await.expect("it goes well");
    let report =
        soon(running.pool.rollout().args(running.version(2, Init::Starts))).await.expect("it is good");
    assert_eq!((report.revision, report.replaced), (2, vec![]));
    running.pool.resize(2).await.expect("it grows");
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_of_an_elastic_pool_may_exceed_its_maximum_by_the_additional_workers() {
    let running = started(2..=2).await;
    let rollout = running.pool.rollout().args(running.version(2, Init::Starts));
    soon(rollout.max_unavailable(0).max_surge(1)).await.expect("it is good");
    assert_eq!((running.most(), running.workers()), (3, 2));
    assert_eq!(running.versions().await, [2; 2]);
    running.close().await;
}
