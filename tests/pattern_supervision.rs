//! The Supervisor-Worker pattern of other systems, end to end: the rows of `docs/PATTERN.md` about
//! keeping workers running.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::pool::{AttemptError, JobContext, JobError, JobId, Pool, PoolHandle, Worker, WorkerContext};
use perennial::prelude::*;
use perennial::{App, Backoff, ChildState, LivenessFailure, ReportKind, SupervisorHandle, SupervisorReport};
use tokio::time::Instant;

use crate::support::{Log, Msg, crash, incarnation, scripted};

const SECOND: Duration = Duration::from_secs(1);

/// A job with a scripted behavior.
#[derive(Clone, Debug)]
enum Job {
    /// Completes after this time.
    Work(Duration),
    /// Panics this many times first.
    Crash(Arc<AtomicU32>),
    /// Fails this many times first.
    Fail(Arc<AtomicU32>),
    /// Never ends.
    Hang,
}

struct ScriptedWorker {
    at: WorkerContext,
    begun: Begun,
}

/// The begun jobs with slot, incarnation and time, and the number of the next starts that fail.
#[derive(Clone, Default)]
struct Begun(Arc<Mutex<Vec<(usize, u32, Instant)>>>, Arc<AtomicU32>);

impl Begun {
    fn times(&self) -> Vec<Instant> {
        self.0.lock().expect("not poisoned").iter().map(|(_, _, at)| *at).collect()
    }

    fn incarnations(&self) -> Vec<u32> {
        self.0.lock().expect("not poisoned").iter().map(|(_, incarnation, _)| *incarnation).collect()
    }
}

/// Counts down. Returns `true` if a failure was left.
fn take_failure(times: &AtomicU32) -> bool {
    times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Worker for ScriptedWorker {
    type Job = Job;
    type Output = u32;
    type Error = &'static str;
    type Args = Begun;

    async fn init(begun: &Begun, at: &WorkerContext) -> Result<Self, ExitReason> {
        if take_failure(&begun.1) {
            return Err(ExitReason::failed("on purpose"));
        }
        Ok(Self { at: at.clone(), begun: begun.clone() })
    }

    async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<u32, &'static str> {
        let begun = (self.at.slot, self.at.pid.incarnation(), Instant::now());
        self.begun.0.lock().expect("not poisoned").push(begun);
        match job {
            Job::Work(time) => tokio::time::sleep(*time).await,
            Job::Crash(times) => assert!(!take_failure(times), "on purpose"),
            Job::Fail(times) if take_failure(times) => return Err("on purpose"),
            Job::Fail(_) => {}
            Job::Hang => std::future::pending::<Infallible>().await.into_never(),
        }
        Ok(self.at.pid.incarnation())
    }
}

/// The conversion of a value that never exists.
trait IntoNever {
    fn into_never(self);
}

impl IntoNever for Infallible {
    fn into_never(self) {
        match self {}
    }
}

type ScriptedPool = Pool<ScriptedWorker>;

fn scripted_pool(workers: usize) -> (ScriptedPool, Begun) {
    let begun = Begun::default();
    (Pool::<ScriptedWorker>::new("scripted_pool", workers, begun.clone()), begun)
}

async fn start(pool: ScriptedPool) -> (System, App<SupervisorHandle>, PoolHandle<ScriptedWorker>) {
    let (system, handle) = (System::new(), pool.handle());
    let app = pool.start(&system).await.expect("the tree starts");
    (system, app, handle)
}

fn running(app: &App<SupervisorHandle>) -> usize {
    let tree = app.tree();
    tree.children.iter().filter(|child| *child.id != *"manager" && child.state == ChildState::Running).count()
}

/// Returns the incarnations of three workers, by slot.
fn incarnations(app: &App<SupervisorHandle>) -> Vec<u32> {
    let tree = app.tree();
    let worker = |slot| tree.at([slot]).and_then(|worker| worker.pid).expect("it runs");
    ["0", "1", "2"].map(|slot| worker(slot).incarnation()).to_vec()
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The sequence diagram: a task is started and performed. A failure is reported, the supervisor
/// restarts the worker or escalates, and the task is retried. A success is reported.
#[tokio::test(start_paused = true)]
async fn sequence_a_failure_is_reported_the_worker_restarted_and_the_task_tried_again_until_it_succeeds() {
    let (pool, begun) = scripted_pool(1);
    let (system, jobs) = (System::new(), pool.handle());
    let mut reports = system.subscribe::<SupervisorReport>();
    // Three failed starts exceed the intensity of the pool by one. The supervisor above then
    // restarts it.
    let pool = pool.attempts(5).intensity(2, 60 * SECOND);
    let app = Supervisor::new("app").child(pool).start(&system).await.expect("the tree starts");
    begun.1.store(3, Ordering::Relaxed);
    let task = jobs.submit(Job::Crash(Arc::new(3.into()))).await.expect("the job is accepted");
    assert!(task.await.is_ok());
    let kinds: Vec<ReportKind> =
        std::iter::from_fn(|| reports.try_next()).map(|report| report.kind).collect();
    let count = |is: fn(&ReportKind) -> bool| kinds.iter().filter(|what| is(what)).count();
    assert_eq!(count(|what| matches!(what, ReportKind::Terminated { reason: ExitReason::Panicked(_) })), 3);
    assert_eq!(count(|what| matches!(what, ReportKind::GaveUp { .. })), 1, "it was escalated");
    assert_eq!(begun.incarnations(), [1, 5, 6, 7]);
    assert!(app.shutdown().await.is_clean());
}

/// Kubernetes: the desired number of replicas is restored, a liveness probe decides which replica
/// is restarted, crash loops are backed off, and a rollout restarts one replica after the other.
#[tokio::test(start_paused = true)]
async fn kubernetes_replicas_are_restored_hung_ones_replaced_crash_loops_backed_off_and_rollouts_rolled() {
    let (pool, _) = scripted_pool(3);
    let backoff = Backoff::new(SECOND, 10 * SECOND);
    let (_system, app, jobs) = start(pool.backoff(backoff).handler_deadline(5 * SECOND).attempts(2)).await;
    for slot in ["0", "1", "2"] {
        app.tree().at([slot]).expect("it exists").handle.kill().expect("an incarnation runs");
    }
    until(|| running(&app) == 3).await;

    // A hung pod is found, and another pod runs its job.
    let hung = jobs.submit(Job::Hang).attempts(1).await.expect("the job is accepted");
    let Err(JobError::Failed(failures)) = hung.await else { panic!("expected a failure") };
    assert!(matches!(failures[0], AttemptError::WorkerUnresponsive(LivenessFailure::Handler(_))));
    until(|| running(&app) == 3).await;

    // A crash loop restarts with growing delays.
    let (pool, crashes) = scripted_pool(1);
    let (_system, looping, crashing) = start(pool.backoff(backoff).attempts(4)).await;
    let crash = crashing.submit(Job::Crash(Arc::new(3.into()))).await.expect("the job is accepted");
    assert!(crash.await.is_ok());
    let times = crashes.times();
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(gaps, [1, 2, 4]);

    // A rollout replaces each of them and loses no job.
    let before = incarnations(&app);
    let batch = jobs.submit_many((0..30).map(|_| Job::Work(SECOND))).await.expect("the jobs are accepted");
    jobs.rolling_restart().await.expect("the workers restart");
    let replaced: Vec<u32> = before.iter().map(|incarnation| incarnation + 1).collect();
    assert_eq!(incarnations(&app), replaced);
    assert!(batch.join_all().await.iter().all(Result::is_ok));
    assert!(app.shutdown().await.is_clean() && looping.shutdown().await.is_clean());
}

/// Celery: a queue whose results are fetched later by id, retries with backoff, replacement of a
/// worker that does not respond, time limits, and a dead-letter queue.
#[tokio::test(start_paused = true)]
async fn celery_results_are_fetched_by_id_retries_back_off_limits_hold_and_the_dead_are_kept() {
    let (pool, begun) = scripted_pool(2);
    let pool = pool.retry_after(Backoff::new(SECOND, 60 * SECOND)).handler_deadline(100 * SECOND);
    let (_system, app, jobs) = start(pool.attempts(3).retry_errors(true)).await;
    let mut results = HashMap::new();
    for job in [Job::Work(SECOND), Job::Fail(Arc::new(2.into())), Job::Fail(Arc::new(9.into())), Job::Hang] {
        let handle = jobs.submit(job).time_limit(10 * SECOND).await.expect("the job is accepted");
        results.insert(handle.id(), handle);
    }
    let ids: Vec<JobId> = {
        let mut ids: Vec<JobId> = results.keys().copied().collect();
        ids.sort_unstable();
        ids
    };
    let mut fetch = async |place: usize| results.remove(&ids[place]).expect("the id is known").await;
    assert!(fetch(0).await.is_ok());
    assert!(fetch(1).await.is_ok(), "the third attempt succeeds");
    assert!(matches!(fetch(2).await, Err(JobError::Failed(failures)) if failures.len() == 3));
    let Err(JobError::Failed(limited)) = fetch(3).await else { panic!("expected a failure") };
    assert!(limited.iter().all(|failure| matches!(failure, AttemptError::TimedOut)));
    assert_eq!(begun.incarnations().into_iter().max(), Some(1), "an error and a limit cost no worker");
    let dead: Vec<JobId> = jobs.drain_dead_jobs().iter().map(|dead| dead.id).collect();
    assert_eq!(dead, [ids[2], ids[3]]);

    // The workers are idle now, so nothing but its delays holds up a retry.
    let began = Instant::now();
    let flaky = jobs.submit(Job::Fail(Arc::new(2.into()))).await.expect("the job is accepted");
    assert!(flaky.await.is_ok());
    assert_eq!(began.elapsed(), 3 * SECOND, "one and two seconds");

    // A job without its own limit: the worker is replaced.
    let hung = jobs.submit(Job::Hang).at_most_once().await.expect("the job is accepted");
    assert!(
        matches!(hung.await, Err(JobError::Failed(failures)) if matches!(failures[0], AttemptError::WorkerUnresponsive(_)))
    );
    until(|| running(&app) == 2).await;
    assert!(app.shutdown().await.is_clean());
}

/// systemd: `Restart=no`, `on-failure` and `always`, `RestartSec=`, `StartLimitIntervalSec=` and
/// `StartLimitBurst=`, `WatchdogSec=`.
#[tokio::test(start_paused = true)]
async fn systemd_restart_policies_delays_limits_and_watchdogs_are_those_of_units() {
    let log = Log::default();
    let no = scripted("no", &log).restart(Restart::Temporary);
    let on_failure = scripted("on-failure", &log).restart(Restart::Transient);
    let always =
        scripted("always", &log).restart(Restart::Permanent).backoff(Backoff::new(3 * SECOND, 3 * SECOND));
    let addresses = [no.address(), on_failure.address(), always.address()];
    let units = Supervisor::new("units").intensity(2, 10 * SECOND).child(no).child(on_failure).child(always);
    let system = System::new();
    let app = units.start(&system).await.expect("the tree starts");
    let reasons = [ExitReason::failed("on purpose"), ExitReason::Normal, ExitReason::Normal];
    for (address, reason) in addresses.iter().zip(reasons) {
        let down = address.monitor();
        address.cast(Msg::End(reason)).expect("the mailbox is open");
        down.await;
    }
    // Only the unit that is always restarted runs again, after its RestartSec.
    let began = Instant::now();
    assert_eq!(incarnation(&addresses[2]).await, 2);
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(addresses[0].cast(crash()).is_err() && addresses[1].cast(crash()).is_err());

    // A third start within the interval exceeds the limit: the unit has failed.
    addresses[2].cast(crash()).expect("the mailbox is open");
    assert_eq!(incarnation(&addresses[2]).await, 3);
    addresses[2].cast(crash()).expect("the mailbox is open");
    assert!(!app.join().await.is_abnormal(), "the root ends cleanly");

    // A service that makes no progress within its WatchdogSec is restarted.
    let (pool, begun) = scripted_pool(1);
    let (_system, app, jobs) = start(pool.handler_deadline(20 * SECOND).attempts(2)).await;
    let hung = jobs.submit(Job::Hang).await.expect("the job is accepted");
    assert!(hung.await.is_err());
    assert_eq!(begun.incarnations(), [1, 2]);
    let times = begun.times();
    assert_eq!(times[1] - times[0], 25 * SECOND, "it then had 5 seconds to stop");
    assert!(app.shutdown().await.is_clean());
}
