//! systemd's restart rules of children that are supervisors or pools: conditions, start limits, and
//! first starts that are tried again.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{JobContext, Pool, PoolHandle, Worker, WorkerContext};
use perennial_supervision::{
    App, AutoShutdown, Backoff, Child, ChildError, ChildGroup, ChildKind, ChildSpec, ChildState,
    DynamicSupervisor, PartitionSupervisor, Restart, SpecError, StartError, Supervisor, SupervisorBuilder,
    SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use crate::support::subject::{InitStep, Log, Msg, Script, incarnation, ms, scripted, secs, start, tell};

/// `RestartSec=100ms`.
fn restart_sec() -> Backoff {
    Backoff::new(ms(100), ms(100)).factor(1.0)
}

/// 100 ms, 200 ms, 400 ms ...
fn delays() -> Backoff {
    Backoff::new(ms(100), secs(10))
}

async fn state(app: &App<SupervisorHandle>, id: &str) -> ChildState {
    app.supervisor().which_child(id).await.expect("it is a child").state
}

async fn restarts(app: &App<SupervisorHandle>, id: &str) -> u64 {
    app.supervisor().which_child(id).await.expect("it is a child").restarts
}

/// A worker whose starts fail as often as its arguments say.
struct Unlucky;

impl Worker for Unlucky {
    type Job = u64;
    type Output = u64;
    type Error = Infallible;
    type Args = Arc<AtomicU32>;

    async fn init(failures_left: &Arc<AtomicU32>, _: &WorkerContext) -> Result<Self, ExitReason> {
        let lose = |left: u32| left.checked_sub(1);
        match failures_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lose) {
            Ok(_) => Err(ExitReason::failed("no luck")),
            Err(_) => Ok(Self),
        }
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, Infallible> {
        Ok(*job)
    }
}

/// A pool of one worker whose first starts fail, this many times.
fn pool(failures: u32) -> (Pool<Unlucky>, PoolHandle<Unlucky>, Arc<AtomicU32>) {
    let left = Arc::new(AtomicU32::new(failures));
    let pool = Pool::<Unlucky>::new("pool", 1, left.clone());
    let handle = pool.handle();
    (pool, handle, left)
}

/// Ends the worker of the pool. Its next starts fail, this many times.
fn fail_starts(pool: &PoolHandle<Unlucky>, left: &AtomicU32, failures: u32) {
    left.store(failures, Ordering::Relaxed);
    pool.supervisor().child("0").expect("it is a child").kill().expect("it runs");
}

fn with_rules(supervisor: SupervisorBuilder<impl ChildGroup>) -> ChildSpec {
    supervisor.restart_if(Restart::on_abnormal).start_limit(5, secs(10)).retry_start(delays()).into()
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_supervisor_and_a_pool_has_the_three_settings() {
    let clock = |_| Child::<Infallible>::task("clock", |_| pending());
    let max = NonZeroUsize::new(2).expect("it is not zero");
    let (pool, ..) = pool(0);
    let pool = pool.restart_if(Restart::on_abnormal).start_limit(5, secs(10)).retry_start(delays());
    let specs = [
        with_rules(Supervisor::new("ordered")),
        with_rules(DynamicSupervisor::new("dynamic")),
        with_rules(PartitionSupervisor::new("partitioned", max, clock)),
        ChildSpec::from(pool),
    ];
    for spec in specs {
        let policy = spec.policy();
        assert_eq!((policy.kind, policy.restart), (ChildKind::Supervisor, Restart::Transient), "{spec:?}");
        let limit = policy.start_limit.as_deref().expect("it was set");
        assert_eq!((limit.burst, limit.interval), (5, secs(10)), "{spec:?}");
        assert_eq!(policy.retry_start.as_deref(), Some(&delays()), "{spec:?}");
    }
}

/// A supervisor that exceeds its intensity at each crash of its child.
fn fragile(log: &Log) -> (Supervisor, perennial_actors::Address<Msg>) {
    let child = Script::plain(log).child("a");
    let address = child.address();
    (Supervisor::new("inner").intensity(0, secs(60)).child(child), address)
}

#[tokio::test(start_paused = true)]
async fn supervisor_ends_as_failed_at_its_start_limit_and_its_sibling_goes_on() {
    let log = Log::new();
    let (inner, address) = fragile(&log);
    let inner = inner.backoff(restart_sec()).start_limit(5, secs(10));
    // The outer supervisor tolerates no restart.
    let tree = Supervisor::new("app").intensity(0, secs(60)).child(inner).child(scripted("b"));
    let (_system, app) = start(tree).await;
    for n in 1..=5 {
        assert_eq!(incarnation(&address).await, n);
        tell(&address, Msg::crash());
    }
    sleep(ms(1)).await;
    let starts: Vec<String> = log.take().into_iter().filter(|line| line.ends_with("starts")).collect();
    assert_eq!(starts, ["0 a starts", "100 a starts", "200 a starts", "300 a starts", "400 a starts"]);
    assert_eq!((state(&app, "inner").await, restarts(&app, "inner").await), (ChildState::Failed, 4));
    assert!(address.cast(Msg::Note("too late")).is_err(), "the mailboxes below it are closed");
    sleep(secs(3600)).await;
    assert_eq!(
        (state(&app, "inner").await, state(&app, "b").await),
        (ChildState::Failed, ChildState::Running)
    );
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn reset_failed_lets_a_supervisor_be_started_with_its_children() {
    let log = Log::new();
    let (inner, address) = fragile(&log);
    let (_system, app) = start(Supervisor::new("app").child(inner.start_limit(1, secs(10)))).await;
    tell(&address, Msg::crash());
    sleep(ms(1)).await;
    let supervisor = app.supervisor();
    assert_eq!(supervisor.restart_child("inner").await, Err(ChildError::StartLimitHit));
    supervisor.reset_failed("inner").await.expect("it is a child");
    assert_eq!(state(&app, "inner").await, ChildState::Stopped);
    assert!(supervisor.restart_child("inner").await.is_ok());
    assert_eq!((state(&app, "inner").await, incarnation(&address).await), (ChildState::Running, 2));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn significant_supervisor_that_fails_shuts_its_supervisor_down() {
    let (inner, address) = fragile(&Log::new());
    let inner = inner.start_limit(1, secs(10)).restart_if(|_| true).significant();
    let tree = Supervisor::new("app").auto_shutdown(AutoShutdown::AnySignificant).child(inner);
    let (_system, app) = start(tree).await;
    tell(&address, Msg::crash());
    assert_eq!(app.join().await, ExitReason::shutdown_with("a significant child ended"));
}

#[tokio::test(start_paused = true)]
async fn failed_supervisor_of_a_dynamic_supervisor_is_removed() {
    let system = System::new();
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    let (inner, address) = fragile(&Log::new());
    app.supervisor().start_child(inner.start_limit(2, secs(10))).await.expect("it starts");
    tell(&address, Msg::crash());
    assert_eq!(incarnation(&address).await, 2);
    tell(&address, Msg::crash());
    sleep(ms(1)).await;
    assert_eq!(app.supervisor().count_children().await.expect("it runs").specs, 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn condition_decides_about_the_end_of_a_supervisor() {
    // It gives up, or is killed; under each of these conditions.
    type Condition = fn(&ExitReason) -> bool;
    let table: [(Condition, ChildState, ChildState); 3] = [
        (Restart::on_abnormal, ChildState::Stopped, ChildState::Running),
        (Restart::on_success, ChildState::Running, ChildState::Stopped),
        (|_| false, ChildState::Stopped, ChildState::Stopped),
    ];
    for (condition, after_giving_up, after_kill) in table {
        for (is_killed, expected) in [(false, after_giving_up), (true, after_kill)] {
            let (inner, address) = fragile(&Log::new());
            let tree = Supervisor::new("app").child(inner.restart_if(condition));
            let (_system, app) = start(tree).await;
            if is_killed {
                app.tree().at(["inner"]).expect("it is a child").handle.kill().expect("it runs");
            } else {
                tell(&address, Msg::crash());
            }
            sleep(ms(1)).await;
            assert_eq!(state(&app, "inner").await, expected, "killed: {is_killed}");
            assert!(app.shutdown().await.is_clean());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn condition_and_restart_type_replace_each_other() {
    for expected in [true, false] {
        let (inner, address) = fragile(&Log::new());
        let inner = match expected {
            true => inner.restart_if(|_| false).restart(Restart::Permanent),
            false => inner.restart(Restart::Permanent).restart_if(|_| false),
        };
        let (_system, app) = start(Supervisor::new("app").child(inner)).await;
        tell(&address, Msg::crash());
        sleep(ms(1)).await;
        assert_eq!(state(&app, "inner").await == ChildState::Running, expected);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn supervisor_whose_first_start_fails_is_tried_again_with_all_its_children() {
    const fn third_time_lucky(n: u32) -> InitStep {
        if n < 3 { InitStep::Fail } else { InitStep::Succeed }
    }
    let log = Log::new();
    let a = Script::plain(&log).child("a");
    let b = Script::plain(&log).with_init(third_time_lucky).child("b");
    let (first, address) = (a.address(), b.address());
    let inner = Supervisor::new("inner").child(a).child(b).retry_start(delays());
    let later = Script::plain(&log).child("later");
    let tree = Supervisor::new("app").intensity(0, secs(60)).child(inner).child(later);
    let (_system, app) = start(tree).await;
    assert_eq!(state(&app, "inner").await, ChildState::Restarting);
    tell(&first, Msg::Note("waited"));
    tell(&address, Msg::Note("waited"));
    sleep(secs(60)).await;
    assert_eq!(state(&app, "inner").await, ChildState::Running);
    let lines = log.take();
    let expected = [
        "0 a starts",
        "0 a stops",
        "0 later starts",
        "100 a starts",
        "100 a waited",
        "100 a stops",
        "300 a starts",
        "300 b starts",
        "300 b waited",
    ];
    assert_eq!(lines, expected, "after 100 ms and 200 ms, and no sibling restarts");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn first_start_of_a_supervisor_that_never_succeeds_fails_at_its_start_limit() {
    let child = Script::plain(&Log::new()).with_init(|_| InitStep::Fail).child("a");
    let inner = Supervisor::new("inner").child(child).retry_start(restart_sec()).start_limit(5, secs(10));
    let (_system, app) = start(Supervisor::new("app").child(inner).child(scripted("b"))).await;
    sleep(ms(399)).await;
    assert_eq!(state(&app, "inner").await, ChildState::Restarting);
    sleep(ms(2)).await;
    assert_eq!(
        (state(&app, "inner").await, state(&app, "b").await),
        (ChildState::Failed, ChildState::Running)
    );
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn condition_decides_about_the_end_of_a_pool_and_not_of_its_workers() {
    for (restarts_after_giving_up, expected) in [(false, ChildState::Stopped), (true, ChildState::Running)] {
        let (pool, handle, left) = pool(0);
        let pool = pool.intensity(3, secs(60)).restart_if(move |reason| {
            assert!(!reason.is_abnormal(), "only the pool has ended: {reason}");
            restarts_after_giving_up
        });
        let (_system, app) = start(Supervisor::new("app").child(pool).child(scripted("b"))).await;
        handle.supervisor().child("0").expect("it is a child").kill().expect("it runs");
        assert_eq!(handle.submit(7).await.expect("it is open").await, Ok(7), "the worker was restarted");
        // The fourth start that fails is one too many.
        fail_starts(&handle, &left, 4);
        sleep(secs(10)).await;
        assert_eq!(state(&app, "pool").await, expected);
        assert_eq!(restarts(&app, "pool").await, u64::from(restarts_after_giving_up));
        assert_eq!(state(&app, "b").await, ChildState::Running);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn pool_ends_as_failed_at_its_start_limit_and_runs_its_queued_jobs_after_a_reset() {
    let (pool, handle, left) = pool(0);
    let pool = pool.intensity(0, secs(60)).start_limit(3, secs(3600)).retry_start(restart_sec());
    let tree = Supervisor::new("app").intensity(0, secs(60)).child(pool).child(scripted("b"));
    let (_system, app) = start(tree).await;
    fail_starts(&handle, &left, u32::MAX);
    sleep(secs(60)).await;
    assert_eq!((state(&app, "pool").await, restarts(&app, "pool").await), (ChildState::Failed, 2));
    assert_eq!(state(&app, "b").await, ChildState::Running);
    left.store(0, Ordering::Relaxed);
    let supervisor = app.supervisor();
    assert_eq!(supervisor.restart_child("pool").await, Err(ChildError::StartLimitHit));
    supervisor.reset_failed("pool").await.expect("it is a child");
    assert!(supervisor.restart_child("pool").await.is_ok());
    assert_eq!(handle.submit(7).await.expect("it is open").await, Ok(7));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn pool_whose_first_start_fails_is_tried_again_and_its_jobs_wait() {
    let (pool, handle, _left) = pool(2);
    let begun = Instant::now();
    let tree = Supervisor::new("app").intensity(0, secs(60)).child(pool.retry_start(delays()));
    let (_system, app) = start(tree).await;
    assert_eq!((state(&app, "pool").await, begun.elapsed()), (ChildState::Restarting, Duration::ZERO));
    let job = handle.submit(7).await.expect("it is open");
    assert_eq!((job.await, begun.elapsed()), (Ok(7), ms(300)), "after 100 ms and 200 ms");
    assert_eq!(state(&app, "pool").await, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn first_start_without_retries_fails_the_start_of_the_tree() {
    let (pool, ..) = pool(1);
    let failed = Supervisor::new("app").child(pool).start(&System::new()).await;
    assert!(matches!(failed, Err(StartError::Failed(_))), "{failed:?}");
}

#[test]
fn start_limit_with_a_zero_is_an_error_of_the_spec_for_supervisors_and_pools() {
    for (burst, interval) in [(0, secs(10)), (5, Duration::ZERO)] {
        let inner = Supervisor::new("inner").start_limit(burst, interval);
        let tree = Supervisor::new("app").child(inner);
        assert_eq!(tree.check(), Err(SpecError::ZeroStartLimit { id: "inner".into() }));
        let (pool, ..) = pool(0);
        let tree = Supervisor::new("app").child(pool.start_limit(burst, interval));
        assert_eq!(tree.check(), Err(SpecError::ZeroStartLimit { id: "pool".into() }));
    }
}
