//! Watchdogs, as systemd's `WatchdogSec=30`: a child that works pings its watchdog, and one that is
//! silent is replaced.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use perennial_supervision::{
    App, ChangeError, Child, DynamicSupervisor, LivenessFailure, PartitionSupervisor, ReportKind, Restart,
    Shutdown, SpecError, Supervisor, SupervisorHandle, TaskContext,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::reports::Reports;

const WATCHDOG: Duration = secs(30);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

async fn start(children: Supervisor) -> (Reports, App<SupervisorHandle>) {
    let system = System::new();
    let reports = Reports::of(&system);
    (reports, children.start(&system).await.expect("it starts"))
}

fn manager() -> Supervisor {
    Supervisor::new("app").intensity(1000, secs(1))
}

fn incarnation<M: Send + 'static>(address: &Address<M>) -> Option<u32> {
    address.pid().map(|pid| pid.incarnation())
}

/// A task whose incarnations send their numbers and the seconds of their starts.
fn task<Fut>(
    life: impl Fn(TaskContext) -> Fut + Send + Sync + 'static,
) -> (Child<Infallible>, mpsc::UnboundedReceiver<(u32, u64)>)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let (starts, seen) = mpsc::unbounded_channel();
    let (life, begun) = (Arc::new(life), Instant::now());
    let task = Child::task("task", move |ctx| {
        let start = (ctx.pid().incarnation(), begun.elapsed().as_secs());
        starts.send(start).expect("the test sees it");
        let life = life.clone();
        async move {
            life(ctx).await;
            Ok(())
        }
    });
    (task.watchdog(WATCHDOG), seen)
}

fn seen(starts: &mut mpsc::UnboundedReceiver<(u32, u64)>) -> Vec<(u32, u64)> {
    std::iter::from_fn(|| starts.try_recv().ok()).collect()
}

/// Pings in this interval, so often.
async fn ping(ctx: &TaskContext, every: Duration, times: u32) {
    for _ in 0..times {
        sleep(every).await;
        ctx.ping_watchdog();
    }
}

/// Takes these times in one handler, and pings after each of them or never.
struct Work {
    parts: Vec<Duration>,
    pings: bool,
}

struct Worker;

impl Actor for Worker {
    type Msg = Work;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, work: Work, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        for time in work.parts {
            sleep(time).await;
            if work.pings {
                ctx.ping_watchdog();
            }
        }
        Ok(())
    }
}

/// An actor with a watchdog, which is killed when it is silent.
fn worker() -> Child<Work> {
    Child::new::<Worker>("worker", ()).watchdog(WATCHDOG).shutdown(Shutdown::BrutalKill)
}

fn work(address: &Address<Work>, parts: impl Into<Vec<Duration>>, pings: bool) {
    address.cast(Work { parts: parts.into(), pings }).expect("it accepts work");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_pings_is_replaced_each_time_its_watchdog_is_over() {
    let (task, mut starts) = task(|_| pending());
    let (mut reports, app) = start(manager().child(task)).await;
    sleep(secs(100)).await;
    assert_eq!(seen(&mut starts), [(1, 0), (2, 30), (3, 60), (4, 90)]);
    let replaced = [
        "app/task: unresponsive: silent for 30s",
        "app/task: terminated: unresponsive",
        "app/task: restarting: unresponsive",
        "app/task: started",
    ];
    assert_eq!(reports.until("app/task: started").await, ["app/task: started"]);
    for _ in 0..3 {
        assert_eq!(reports.until("app/task: started").await, replaced);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_pings_is_not_replaced() {
    let (task, mut starts) = task(|ctx| async move { ping(&ctx, secs(29), u32::MAX).await });
    let (mut reports, app) = start(manager().child(task)).await;
    sleep(secs(24 * 60 * 60)).await;
    assert_eq!(seen(&mut starts), [(1, 0)]);
    assert_eq!(reports.so_far(), ["app/task: started"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_pinging_is_replaced_when_its_watchdog_is_over_since_the_last_ping() {
    let (task, mut starts) = task(|ctx| async move {
        ping(&ctx, secs(7), 11).await;
        pending().await
    });
    let (_, app) = start(manager().child(task)).await;
    sleep(secs(300)).await;
    assert_eq!(seen(&mut starts), [(1, 0), (2, 77 + 30), (3, 2 * (77 + 30))]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_suspended_task_is_not_silent_and_has_the_whole_time_after_its_resumption() {
    let (task, mut starts) = task(|_| pending());
    let handle = task.address().handle();
    let (_, app) = start(manager().child(task)).await;
    sleep(secs(20)).await;
    handle.suspend().expect("it runs");
    sleep(secs(1000)).await;
    handle.resume().expect("it runs");
    sleep(secs(29)).await;
    assert_eq!(seen(&mut starts), [(1, 0)]);
    sleep(secs(2)).await;
    assert_eq!(seen(&mut starts), [(2, 20 + 1000 + 30)]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_an_incarnation_that_has_ended_does_not_count_for_the_next() {
    let (contexts, mut received) = mpsc::unbounded_channel();
    let (task, mut starts) = task(move |ctx| {
        contexts.send(ctx).expect("the test receives it");
        pending()
    });
    let (_, app) = start(manager().child(task)).await;
    let first = received.recv().await.expect("it has started");
    let pings = tokio::spawn(async move { ping(&first, secs(10), 10).await });
    sleep(secs(40)).await;
    assert_eq!(seen(&mut starts), [(1, 0)], "a clone of its context pings for it");
    app.supervisor().terminate_child("task").await.expect("it stops");
    app.supervisor().restart_child("task").await.expect("it starts");
    sleep(secs(59)).await;
    assert!(!pings.is_finished());
    assert_eq!(seen(&mut starts), [(2, 40), (3, 70)]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_silent_task_that_is_to_finish_by_itself_is_told_and_then_killed() {
    for (finishes, restarted) in [(true, 30 + 2), (false, 30 + 5)] {
        let (task, mut starts) = task(move |ctx| async move {
            ctx.stopped().await;
            sleep(if finishes { secs(2) } else { secs(3600) }).await;
        });
        let (_, app) = start(manager().child(task.shutdown(Shutdown::Timeout(secs(5))))).await;
        sleep(secs(40)).await;
        assert_eq!(seen(&mut starts), [(1, 0), (2, restarted)]);
        app.supervisor().handle().kill().expect("it runs");
        app.join().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_pings_in_a_long_handler_is_left_alone() {
    let worker = worker();
    let address = worker.address();
    let (mut reports, app) = start(manager().child(worker)).await;
    work(&address, [secs(29); 100], true);
    sleep(secs(3600)).await;
    assert_eq!((incarnation(&address), address.counters().handled), (Some(1), 1));
    assert_eq!(reports.so_far(), ["app/worker: started"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_silent_in_a_handler_is_replaced_when_its_watchdog_is_over() {
    for (parts, pings, silent_since) in [
        (vec![secs(3600)], false, 0),
        (vec![secs(20), secs(29), secs(3600)], false, 0),
        (vec![secs(20), secs(29), secs(3600)], true, 20 + 29),
    ] {
        let (worker, begun) = (worker(), Instant::now());
        let address = worker.address();
        let (_, app) = start(manager().child(worker)).await;
        sleep(secs(100)).await;
        work(&address, parts, pings);
        assert_eq!(address.monitor().await.reason, ExitReason::Killed);
        assert_eq!(begun.elapsed(), secs(100 + silent_since + 30));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_without_a_long_handler_needs_no_ping() {
    let worker = worker();
    let address = worker.address();
    let (mut reports, app) = start(manager().child(worker)).await;
    sleep(secs(24 * 60 * 60)).await;
    // A queue of messages, each of which takes less than the watchdog.
    for _ in 0..1000 {
        work(&address, [secs(29)], false);
    }
    sleep(secs(1000 * 29 + 1)).await;
    assert_eq!((incarnation(&address), address.counters().handled), (Some(1), 1000));
    assert_eq!(reports.so_far(), ["app/worker: started"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_works_for_an_actor_pings_for_it() {
    let worker = worker();
    let address = worker.address();
    let (_, app) = start(manager().child(worker)).await;
    let begun = Instant::now();
    work(&address, [secs(3600)], false);
    let (handle, pid) = (address.handle(), address.pid().expect("it runs"));
    for n in 1..=10 {
        sleep_until(begun + n * secs(20)).await;
        handle.ping_watchdog(pid);
    }
    let reason = address.monitor().await.reason;
    assert_eq!((reason, begun.elapsed()), (ExitReason::Killed, secs(10 * 20 + 30)));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_and_a_handler_deadline_limit_different_times() {
    for (pings, failure, after) in
        [(true, LivenessFailure::Handler(secs(100)), 100), (false, LivenessFailure::Watchdog(secs(30)), 30)]
    {
        let system = System::new();
        let (worker, mut reports) = (worker().handler_deadline(secs(100)), Reports::of(&system));
        let address = worker.address();
        let app = manager().child(worker).start(&system).await.expect("it starts");
        reports.until("app/worker: started").await;
        let begun = Instant::now();
        work(&address, vec![secs(10); 1000], pings);
        assert_eq!(reports.next().await.kind, ReportKind::Unresponsive { sign: failure });
        assert_eq!(begun.elapsed(), secs(after));
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_an_abnormal_end() {
    for (restart, starts_seen) in [(Restart::Permanent, 2), (Restart::Transient, 2), (Restart::Temporary, 1)]
    {
        let (task, mut starts) = task(|_| pending());
        let (_, app) = start(manager().child(task.restart(restart))).await;
        sleep(secs(45)).await;
        assert_eq!(seen(&mut starts).len(), starts_seen, "{restart:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_works_below_every_kind_of_supervisor() {
    let (silent, mut starts) = task(|_| pending());
    let app = DynamicSupervisor::new("app").start(&System::new()).await.expect("it starts");
    app.supervisor().start_child(silent).await.expect("it is added");
    sleep(secs(31)).await;
    assert_eq!(seen(&mut starts), [(1, 0), (2, 30)]);
    assert!(app.shutdown().await.is_clean());

    let partitions = NonZeroUsize::new(2).expect("it is 2");
    let tree = PartitionSupervisor::new("app", partitions, |_| worker());
    let app = tree.start(&System::new()).await.expect("it starts");
    let address = app.supervisor().address(&0).expect("there are partitions");
    let begun = Instant::now();
    work(address, [secs(3600)], false);
    assert_eq!(address.monitor().await.reason, ExitReason::Killed);
    assert_eq!(begun.elapsed(), WATCHDOG);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_watchdog_of_zero_is_refused() {
    let zero = |id: &str| SpecError::ZeroLiveness { id: id.into() };
    let (task, _) = task(|_| pending());
    let task = task.watchdog(Duration::ZERO);
    assert_eq!(manager().child(task).check(), Err(zero("task")));
    assert_eq!(manager().child(worker().watchdog(Duration::ZERO)).check(), Err(zero("worker")));
    let (_, app) = start(manager().child(worker())).await;
    let changed = app.supervisor().change(manager().child(worker().watchdog(Duration::ZERO))).await;
    assert_eq!(changed, Err(ChangeError::Spec(zero("worker"))));
    assert!(app.shutdown().await.is_clean());
}
