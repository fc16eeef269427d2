//! Jobs, results and errors that panic or block when they are dropped, and wakers that panic: no
//! other job is affected.

use std::future::{Future, pending};
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use perennial_actors::host::ignore_panic;
use perennial_actors::{ExitReason, PanicLocations, System};
use perennial_supervision::pool::{AttemptError, JobError, JobEvent, Pool, PoolHandle, PoolShutdown, Work};
use perennial_supervision::{App, Child, Shutdown, Supervisor, SupervisorHandle};

use crate::support::bombs::{Alarm, Bomb, Fragile, Slow, idler};
use crate::support::threads;

/// A bomb that is never dropped itself. Its clones count how many of them were dropped.
fn bomb() -> (ManuallyDrop<Bomb>, Arc<AtomicU32>) {
    let bomb = ManuallyDrop::new(Bomb::new());
    let dropped = bomb.0.clone();
    (bomb, dropped)
}

async fn start<W: Work + 'static>(pool: Pool<W>) -> (PoolHandle<W>, App<SupervisorHandle>) {
    let jobs = pool.handle();
    (jobs, pool.start(&System::new()).await.expect("it starts"))
}

/// Lets all other tasks run.
async fn let_others_run() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Returns the incarnation of the first worker.
fn incarnation(app: &App<SupervisorHandle>) -> Option<u32> {
    Some(app.tree().at(["0"])?.pid?.incarnation())
}

#[tokio::test(start_paused = true)]
async fn results_that_panic_as_they_are_dropped_cost_no_job_and_no_worker() {
    let (result, dropped) = bomb();
    let begun = Arc::new(AtomicU32::new(0));
    let count = begun.clone();
    let pool = Pool::from_fn("pool", 1, move |(): &()| {
        count.fetch_add(1, Ordering::Relaxed);
        let result = Bomb::clone(&result);
        async move { Ok::<Bomb, ()>(result) }
    });
    let (jobs, app) = start(pool).await;
    for _ in 0..400 {
        jobs.submit(()).detach().await.expect("it is open");
        drop(jobs.submit(()).await.expect("it is open"));
    }
    jobs.drain().await;
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 800);
    assert_eq!((begun.load(Ordering::Relaxed), jobs.stats().completed), (800, 800), "none is tried again");
    assert_eq!(incarnation(&app), Some(1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn unread_results_of_a_batch_are_dropped_one_by_one() {
    let (result, dropped) = bomb();
    let pool = Pool::from_fn("pool", 2, move |(): &()| {
        let result = Bomb::clone(&result);
        async move { Ok::<Bomb, ()>(result) }
    });
    let (jobs, app) = start(pool).await;
    let mut batch = jobs.submit_many([(); 10]).await.expect("it is open");
    jobs.drain().await;
    // One result is taken out of order, so that those before it are buffered.
    let (_, first) = batch.next_completed().await.expect("there are ten");
    ignore_panic(|| drop(first));
    drop(batch);
    let mut all = Box::pin(jobs.submit_many([(); 10]).await.expect("it is open").join_all());
    assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    jobs.drain().await;
    drop(all);
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 20);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_job_that_panics_as_it_is_dropped_costs_no_result() {
    let (jobs, app) = start(Pool::from_fn("pool", 3, |_: &Bomb| async { Ok::<u32, ()>(7) })).await;
    let job = Bomb::new();
    let dropped = job.0.clone();
    let results = jobs.submit(job).broadcast().await.expect("it is open").join_all().await;
    assert_eq!(results, [Ok(7), Ok(7), Ok(7)]);
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 4, "it and its three copies");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn errors_that_panic_as_they_are_dropped_are_kept_and_dropped_one_by_one() {
    let (error, dropped) = bomb();
    let pool = Pool::from_fn("pool", 1, move |(): &()| {
        let error = Fragile(Bomb::clone(&error));
        async move { Err::<(), Fragile>(error) }
    });
    let (jobs, app) = start(pool.retry_errors(true).max_dead_jobs(1)).await;
    for _ in 0..10 {
        // One job whose error is awaited, and a detached one.
        let Err(JobError::Failed(failures)) = jobs.submit(()).await.expect("it is open").await else {
            panic!("it failed")
        };
        assert_eq!(failures.len(), 3);
        jobs.submit(()).detach().await.expect("it is open");
    }
    jobs.drain().await;
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 57, "all but those of the last dead job");
    drop(jobs.drain_dead_jobs());
    assert_eq!(dropped.load(Ordering::Relaxed), 60);
    assert_eq!(incarnation(&app), Some(1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn jobs_that_panic_as_they_are_dropped_may_be_done_cancelled_cleared_or_left() {
    let (job, dropped) = bomb();
    let pool = Pool::from_fn("pool", 1, |_: &Bomb| async { Ok::<u32, ()>(7) });
    let (jobs, app) = start(pool).await;
    assert_eq!(jobs.submit(Bomb::clone(&job)).await.expect("it is open").await.ok(), Some(7));
    jobs.pause();
    let cancelled = jobs.submit(Bomb::clone(&job)).await.expect("it is open");
    assert!(cancelled.cancel());
    drop(cancelled);
    for _ in 0..5 {
        jobs.submit(Bomb::clone(&job)).detach().await.expect("it is open");
    }
    assert_eq!(jobs.clear(), 5);
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 7);
    let waiting = jobs.submit(Bomb::clone(&job)).await.expect("it is open");
    for _ in 0..5 {
        jobs.submit(Bomb::clone(&job)).detach().await.expect("it is open");
    }
    let report = app.shutdown().await;
    assert_eq!((report.dropped_jobs, report.dropped_messages, report.unstopped.len()), (6, 0, 0), "{report}");
    assert!(matches!(waiting.await, Err(JobError::Dropped(_))));
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 13);
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_was_never_started_may_be_full_of_bombs() {
    let (job, dropped) = bomb();
    let pool = Pool::from_fn("pool", 1, |_: &Bomb| async { Ok::<u32, ()>(7) });
    let jobs = pool.handle();
    for _ in 0..3 {
        jobs.submit(Bomb::clone(&job)).detach().await.expect("it is open");
    }
    let left = jobs.submit_many((0..3).map(|_| Bomb::clone(&job))).await.expect("it is open");
    drop(pool);
    drop((jobs, left));
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_job_future_may_panic_when_dropped() {
    let (held, dropped) = bomb();
    let pool = Pool::from_fn("pool", 1, move |late: &bool| {
        let (late, held) = (*late, Bomb::clone(&held));
        async move {
            if late {
                let _held = held;
                pending::<()>().await;
            } else {
                std::mem::forget(held);
            }
            Ok::<u32, ()>(7)
        }
    });
    let (jobs, app) = start(pool.time_limit(Duration::from_secs(1))).await;
    let late = jobs.submit(true).at_most_once().await.expect("it is open");
    let cancelled = jobs.submit(true).await.expect("it is open");
    let next = jobs.submit(false).await.expect("it is open");
    let Err(JobError::Failed(failures)) = late.await else { panic!("it is late") };
    assert!(matches!(failures[..], [AttemptError::TimedOut]));
    let_others_run().await;
    assert!(cancelled.cancel());
    assert_eq!(next.await.ok(), Some(7));
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    assert_eq!(incarnation(&app), Some(1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_costs_no_job_and_no_other_waiter() {
    let pool = Pool::from_fn("pool", 1, |n: &u32| {
        let n = *n;
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok::<u32, ()>(n)
        }
    });
    let (jobs, app) = start(pool.capacity(1)).await;
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut loud = Context::from_waker(&waker);
    let mut first = jobs.submit(1).await.expect("it is open");
    assert!(Pin::new(&mut first).poll(&mut loud).is_pending());
    let second = jobs.submit(2).await.expect("it is open");
    // Both submissions wait for room, and two drains wait for an empty pool.
    let mut third = Box::pin(jobs.submit(3).into_future());
    assert!(third.as_mut().poll(&mut loud).is_pending());
    let fourth = tokio::spawn(jobs.submit(4).into_future());
    let mut drained = Box::pin(jobs.drain());
    assert!(drained.as_mut().poll(&mut loud).is_pending());
    let drain = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.drain().await }
    });
    assert_eq!(second.await.ok(), Some(2));
    assert_eq!(first.await.ok(), Some(1));
    let third = third.await.expect("it is open");
    assert_eq!(third.await.ok(), Some(3));
    assert_eq!(fourth.await.expect("it does not panic").expect("it is open").await.ok(), Some(4));
    drain.await.expect("it does not panic");
    drained.await;
    assert!(alarm.0.load(Ordering::Relaxed) >= 3, "{:?}", alarm.0);
    assert_eq!(incarnation(&app), Some(1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_keeps_no_waiter_from_observing_the_end_of_a_tree() {
    let app = Supervisor::new("app").child(idler("a", ())).start(&System::new()).await.expect("it starts");
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut joining = Box::pin(app.join());
    assert!(joining.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let other = tokio::spawn({
        let app = app.clone();
        async move { app.join().await }
    });
    let_others_run().await;
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(other.await, Ok(ExitReason::Shutdown(None))));
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
    assert!(matches!(joining.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_)));
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_changes_nothing_of_the_end_of_a_task() {
    let (tell, mut received) = tokio::sync::mpsc::unbounded_channel();
    let task = Child::task("task", move |ctx| {
        let tell = tell.clone();
        async move {
            tell.send(ctx.clone()).map_err(ExitReason::failed)?;
            ctx.stopped().await;
            Ok(())
        }
    });
    let address = task.address();
    let app = Supervisor::new("app").child(task).start(&System::new()).await.expect("it starts");
    let ctx = received.recv().await.expect("it tells");
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let mut stopped = Box::pin(ctx.stopped());
    assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
}

/// A waker that submits another job and subscribes to events.
struct Submits(PoolHandle<fn(u32) -> Result<u32, ()>>, AtomicU32);

impl Wake for Submits {
    fn wake(self: Arc<Self>) {
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(self.0.submit(2).try_submit());
            drop(self.0.subscribe());
        }
    }
}

#[test]
fn a_waker_may_call_the_pool_back_and_receives_its_own_events() {
    threads::on_threads(1, async {
        let pool = Pool::from_fn("pool", 1, |n: &u32| {
            let n = *n;
            async move { Ok::<u32, ()>(n) }
        });
        let jobs = pool.handle();
        let mut events = jobs.subscribe();
        let waker = Waker::from(Arc::new(Submits(jobs.clone(), AtomicU32::new(0))));
        {
            let next = pin!(events.next());
            assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(jobs.submit(1).try_submit());
        let received: Vec<JobEvent> = std::iter::from_fn(|| events.try_next()).collect();
        assert!(matches!(received[..], [JobEvent::Submitted(_), JobEvent::Submitted(_)]), "{received:?}");
        let app = pool.start(&System::new()).await.expect("it starts");
        jobs.drain().await;
        assert!(app.shutdown().await.is_clean());
    });
}

#[test]
fn queued_jobs_of_an_ended_pool_are_not_dropped_by_a_supervisor() {
    threads::on_threads(3, async {
        let pool = Pool::from_fn("pool", 1, |_: &Mutex<Slow>| async { Ok::<(), ()>(()) });
        let jobs = pool.handle();
        let tree = Supervisor::new("app").child(pool).child(idler("a", ()));
        let app = tree.start(&System::new()).await.expect("it starts");
        jobs.pause();
        let (slow, gate) = Slow::new();
        jobs.submit(Mutex::new(slow)).detach().await.expect("it is open");
        app.supervisor().terminate_child("pool").await.expect("it is there");
        let gate = gate.begun().await;
        assert_eq!(app.supervisor().count_children().await.expect("it lives").active, 1);
        drop(gate);
        assert!(app.shutdown().await.is_clean());
    });
}

#[test]
fn an_abandoned_worker_that_drops_its_job_later_blocks_no_supervisor() {
    threads::on_threads(4, async {
        let (unblock, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Mutex::new(blocked);
        let pool = Pool::from_fn("pool", 1, move |_: &Mutex<Slow>| {
            // An error is fine: the test is over.
            let _ = blocked.lock().expect("it does not panic").recv();
            async { Ok::<(), ()>(()) }
        });
        let pool = pool.max_dead_jobs(0).abandon_after(Duration::from_millis(1));
        let (jobs, app) = start(pool.shutdown(Shutdown::BrutalKill)).await;
        let (slow, gate) = Slow::new();
        jobs.submit(Mutex::new(slow)).at_most_once().detach().await.expect("it is open");
        while jobs.stats().running == 0 {
            tokio::task::yield_now().await;
        }
        app.supervisor().terminate_child("0").await.expect("it is abandoned");
        assert_eq!(jobs.stats().failed, 1);
        drop(unblock);
        // The abandoned worker still has its job, and drops it last.
        let gate = gate.begun().await;
        assert!(app.supervisor().count_children().await.is_ok());
        drop(gate);
        let _ = app.shutdown().await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_once_drops_bombs_of_all_kinds() {
    let (job, dropped) = bomb();
    let pool = Pool::from_fn("pool", 2, |_: &Bomb| async {
        pending::<()>().await;
        Ok::<(), ()>(())
    });
    let (jobs, app) = start(pool).await;
    for _ in 0..6 {
        jobs.submit(Bomb::clone(&job)).detach().await.expect("it is open");
    }
    let_others_run().await;
    let report = jobs.stop(PoolShutdown::Abort).await;
    assert_eq!(report.dropped, 6);
    let_others_run().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_panic_in_a_blocking_job_reports_its_location() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let pool: Pool<fn(()) -> Result<(), ()>> = Pool::from_blocking_fn("pool", 1, |()| panic!("a bug"));
    let jobs = pool.handle();
    let app = pool.attempts(1).start(&system).await.expect("it starts");
    let Err(JobError::Failed(failures)) = jobs.submit(()).await.expect("it is open").await else {
        panic!("it panicked")
    };
    let AttemptError::WorkerEnded(ExitReason::Panicked(panic)) = &failures[0] else { panic!("{failures:?}") };
    assert_eq!(panic.message, "a bug");
    assert!(panic.location.as_ref().is_some_and(|place| place.contains("pool_foreign.rs")), "{panic:?}");
    assert!(app.shutdown().await.is_clean());
}
