//! The Supervisor-Worker pattern as other systems know it, end to end: the rows of `docs/PATTERN.md` that are about keeping workers
//! alive.

mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::pool::{AttemptError, JobError, JobId, Pool, PoolHandle, Worker, WorkerContext};
use perennial::prelude::*;
use perennial::{App, Backoff, ChildState, ReportKind, SupervisorHandle, SupervisorReport};
use support::{Log, Msg, crash, incarnation, unit};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A job that behaves as it says.
#[derive(Clone, Debug)]
enum Job {
    /// It is done after so long.
    Work(Duration),
    /// It panics the first so many times.
    Crash(Arc<AtomicU32>),
    /// It fails the first so many times.
    Fail(Arc<AtomicU32>),
    /// It never ends.
    Hang,
}

struct Hand {
    at: WorkerContext,
    begun: Begun,
}

/// Which incarnation of which worker has begun something, and when; and how many of the next starts fail.
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

/// Whether there is one more time to misbehave.
fn once_more(times: &AtomicU32) -> bool {
    times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Worker for Hand {
    type Job = Job;
    type Output = u32;
    type Error = &'static str;
    type Args = Begun;

    async fn init(begun: &Begun, at: &WorkerContext) -> Result<Self, ExitReason> {
        if once_more(&begun.1) {
            return Err(ExitReason::failed("on purpose"));
        }
        Ok(Self { at: at.clone(), begun: begun.clone() })
    }

    async fn work(&mut self, job: &Job) -> Result<u32, &'static str> {
        let begun = (self.at.slot, self.at.pid.incarnation(), Instant::now());
        self.begun.0.lock().expect("not poisoned").push(begun);
        match job {
            Job::Work(time) => tokio::time::sleep(*time).await,
            Job::Crash(times) => assert!(!once_more(times), "on purpose"),
            Job::Fail(times) if once_more(times) => return Err("on purpose"),
            Job::Fail(_) => {}
            Job::Hang => std::future::pending::<Infallible>().await.into_never(),
        }
        Ok(self.at.pid.incarnation())
    }
}

/// What never comes, for those who have to say what it is.
trait IntoNever {
    fn into_never(self);
}

impl IntoNever for Infallible {
    fn into_never(self) {
        match self {}
    }
}

type Hands = Pool<Job, u32, &'static str>;

fn hands(workers: usize) -> (Hands, Begun) {
    let begun = Begun::default();
    (Pool::new::<Hand>("hands", workers, begun.clone()), begun)
}

async fn start(pool: Hands) -> (System, App<SupervisorHandle>, PoolHandle<Job, u32, &'static str>) {
    let (system, handle) = (System::new(), pool.handle());
    let app = pool.start(&system).await.expect("it starts");
    (system, app, handle)
}

fn running(app: &App<SupervisorHandle>) -> usize {
    let tree = app.tree();
    tree.children.iter().filter(|child| *child.id != *"foreman" && child.state == ChildState::Running).count()
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The sequence diagram: a task is started and performed; on a failure it is reported, the supervisor restarts the worker or escalates,
/// and the task is tried again; on success it is reported.
#[tokio::test(start_paused = true)]
async fn sequence_a_failure_is_reported_the_worker_restarted_and_the_task_tried_again_until_it_succeeds() {
    let (pool, begun) = hands(1);
    let (system, jobs) = (System::new(), pool.handle());
    let mut reports = system.subscribe::<SupervisorReport>();
    // Three starts that fail are more than the pool takes, and one more than the supervisor above it.
    let pool = pool.attempts(5).intensity(2, 60 * SECOND);
    let app = Supervisor::new("app").child(pool).start(&system).await.expect("it starts");
    begun.1.store(3, Ordering::Relaxed);
    let task = jobs.submit(Job::Crash(Arc::new(3.into()))).await.expect("it is taken in");
    assert!(task.await.is_ok());
    let told: Vec<ReportKind> = std::iter::from_fn(|| reports.try_next()).map(|report| report.kind).collect();
    let count = |is: fn(&ReportKind) -> bool| told.iter().filter(|what| is(what)).count();
    assert_eq!(count(|what| matches!(what, ReportKind::Terminated { reason: ExitReason::Panicked(_) })), 3);
    assert_eq!(count(|what| matches!(what, ReportKind::GaveUp { .. })), 1, "it was escalated");
    assert_eq!(begun.incarnations(), [1, 5, 6, 7]);
    assert!(app.shutdown().await.is_clean());
}

/// Kubernetes: as many replicas as are desired are restored, a liveness probe decides who lives, crash loops are backed off, and a rollout
/// restarts one after the other.
#[tokio::test(start_paused = true)]
async fn kubernetes_replicas_are_restored_hung_ones_replaced_crash_loops_backed_off_and_rollouts_rolled() {
    let (pool, begun) = hands(3);
    let backoff = Backoff::new(SECOND, 10 * SECOND);
    let (_system, app, jobs) = start(pool.backoff(backoff).handler_deadline(5 * SECOND).attempts(2)).await;
    for slot in ["0", "1", "2"] {
        app.tree().at([slot]).expect("it is there").handle.kill().expect("it lives");
    }
    until(|| running(&app) == 3).await;

    // A pod that hangs is found, and what it had is done by another.
    let hung = jobs.submit(Job::Hang).attempts(1).await.expect("it is taken in");
    let Err(JobError::Failed(failures)) = hung.await else { panic!("it hangs") };
    assert!(matches!(failures[0], AttemptError::WorkerEnded(ExitReason::Unresponsive | ExitReason::Killed)));
    until(|| running(&app) == 3).await;

    // One that crashes again and again comes back later and later.
    let (pool, crashes) = hands(1);
    let (_system, looping, crashing) = start(pool.backoff(backoff).attempts(4)).await;
    let crash = crashing.submit(Job::Crash(Arc::new(3.into()))).await.expect("it is taken in");
    assert!(crash.await.is_ok());
    let times = crashes.times();
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(gaps, [1, 2, 4]);

    // A rollout loses nothing.
    let batch = jobs.submit_many((0..30).map(|_| Job::Work(SECOND))).await.expect("they are taken in");
    jobs.rolling_restart().await.expect("they restart");
    assert!(batch.join_all().await.iter().all(Result::is_ok));
    assert!(begun.incarnations().iter().any(|incarnation| *incarnation > 2));
    assert!(app.shutdown().await.is_clean() && looping.shutdown().await.is_clean());
}

/// Celery: a queue whose results are fetched later by id, retries with backoff, a worker that does not answer is replaced, time limits,
/// and a dead-letter queue.
#[tokio::test(start_paused = true)]
async fn celery_results_are_fetched_by_id_retries_back_off_limits_hold_and_the_dead_are_kept() {
    let (pool, begun) = hands(2);
    let pool = pool.retry_after(Backoff::new(SECOND, 60 * SECOND)).handler_deadline(100 * SECOND);
    let (_system, app, jobs) = start(pool.attempts(3).retry_errors(true)).await;
    let mut results = HashMap::new();
    for job in [Job::Work(SECOND), Job::Fail(Arc::new(2.into())), Job::Fail(Arc::new(9.into())), Job::Hang] {
        let handle = jobs.submit(job).time_limit(10 * SECOND).await.expect("it is taken in");
        results.insert(handle.id(), handle);
    }
    let ids: Vec<JobId> = {
        let mut ids: Vec<JobId> = results.keys().copied().collect();
        ids.sort_unstable();
        ids
    };
    let mut fetch = async |place: usize| results.remove(&ids[place]).expect("it was submitted").await;
    assert!(fetch(0).await.is_ok());
    assert!(fetch(1).await.is_ok(), "the third attempt succeeds");
    assert!(matches!(fetch(2).await, Err(JobError::Failed(failures)) if failures.len() == 3));
    let Err(JobError::Failed(limited)) = fetch(3).await else { panic!("it hangs") };
    assert!(limited.iter().all(|failure| matches!(failure, AttemptError::TimedOut)));
    assert_eq!(begun.incarnations().into_iter().max(), Some(1), "an error and a limit cost no worker");
    let dead: Vec<JobId> = jobs.drain_dead_jobs().iter().map(|dead| dead.id).collect();
    assert_eq!(dead, [ids[2], ids[3]]);

    // Without a limit of its own, the worker is replaced.
    let hung = jobs.submit(Job::Hang).at_most_once().await.expect("it is taken in");
    assert!(
        matches!(hung.await, Err(JobError::Failed(failures)) if matches!(failures[0], AttemptError::WorkerEnded(_)))
    );
    until(|| running(&app) == 2).await;
    assert!(app.shutdown().await.is_clean());
}

/// systemd: `Restart=no`, `on-failure` and `always`, `RestartSec=`, `StartLimitIntervalSec=` and `StartLimitBurst=`, `WatchdogSec=`.
#[tokio::test(start_paused = true)]
async fn systemd_restart_policies_delays_limits_and_watchdogs_are_those_of_units() {
    let log = Log::default();
    let no = unit("no", &log).restart(Restart::Temporary);
    let on_failure = unit("on-failure", &log).restart(Restart::Transient);
    let always =
        unit("always", &log).restart(Restart::Permanent).backoff(Backoff::new(3 * SECOND, 3 * SECOND));
    let addresses = [no.address(), on_failure.address(), always.address()];
    let units = Supervisor::new("units").intensity(2, 10 * SECOND).child(no).child(on_failure).child(always);
    let system = System::new();
    let app = units.start(&system).await.expect("it starts");
    for address in &addresses {
        let down = address.monitor();
        address.cast(Msg::End(ExitReason::Normal)).expect("it is served");
        down.await;
    }
    // Only the one that is always restarted comes back, after its RestartSec.
    let began = Instant::now();
    assert_eq!(incarnation(&addresses[2]).await, 2);
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(addresses[0].cast(crash()).is_err() && addresses[1].cast(crash()).is_err());

    // A third start within the limit's interval is one too many: the unit has failed.
    addresses[2].cast(crash()).expect("it is served");
    assert_eq!(incarnation(&addresses[2]).await, 3);
    addresses[2].cast(crash()).expect("it is served");
    assert!(!app.join().await.is_abnormal(), "it gives up in good order");

    // A service that does not get on within its WatchdogSec is restarted.
    let (pool, begun) = hands(1);
    let (_system, app, jobs) = start(pool.handler_deadline(20 * SECOND).attempts(2)).await;
    let hung = jobs.submit(Job::Hang).await.expect("it is taken in");
    assert!(hung.await.is_err());
    assert_eq!(begun.incarnations(), [1, 2]);
    assert!(app.shutdown().await.is_clean());
}
