//! The Supervisor-Worker pattern of other languages, end to end: the rows of `docs/PATTERN.md`
//! about distributing work.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::pool::{
    JobContext, JobError, JobEvent, Pool, PoolShutdown, SubmitError, Worker, WorkerContext,
};
use perennial::prelude::*;
use perennial::{App, ProcessState, ReportKind, SupervisorHandle, SupervisorReport, TaskScope};
use tokio::time::Instant;

/// The jobs in order, each with the slot of its worker.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(usize, u64)>>>);

impl Notes {
    fn take(&self) -> Vec<(usize, u64)> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

/// A worker that squares numbers and records its slot. Thirteen is an error, and 666 a panic.
struct Squarer {
    slot: usize,
    notes: Notes,
}

impl Worker for Squarer {
    type Job = u64;
    type Output = u64;
    type Error = String;
    type Args = Notes;

    async fn init(notes: &Notes, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { slot: at.slot, notes: notes.clone() })
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, String> {
        // In paused time.
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.notes.0.lock().expect("not poisoned").push((self.slot, *job));
        match job {
            13 => Err("unlucky".to_owned()),
            666 => panic!("worse"),
            _ => Ok(job * job),
        }
    }
}

type Squarers = Pool<Squarer>;

fn squarers(workers: usize) -> (Squarers, Notes) {
    let notes = Notes::default();
    (Pool::<Squarer>::new("squarers", workers, notes.clone()), notes)
}

async fn start(pool: Squarers) -> (System, App<SupervisorHandle>) {
    let system = System::new();
    let app = pool.start(&system).await.expect("the tree starts");
    (system, app)
}

/// Rust, `std::thread` and `mpsc`: a fixed number of workers on one shared channel, which end when
/// its sender is dropped.
#[tokio::test(start_paused = true)]
async fn rust_workers_on_one_shared_channel_end_when_its_sender_is_gone() {
    let (pool, notes) = squarers(4);
    let pool = pool.close_on_last_handle();
    let sender = pool.handle();
    let (_system, app) = start(pool).await;
    for job in 0..8 {
        sender.submit(job).detach().await.expect("the job is accepted");
    }
    drop(sender);
    app.join().await;
    let done = notes.take();
    assert_eq!(done.iter().map(|(_, job)| job).collect::<HashSet<_>>().len(), 8, "each was done");
    assert_eq!(done.iter().map(|(slot, _)| slot).collect::<HashSet<_>>().len(), 4, "and all have worked");
    assert!(app.shutdown().await.is_clean());
}

/// Go, goroutines and channels: a task `{id, payload}` in, a result `{id, value, error}` out, all
/// collected, then a clean end.
#[tokio::test(start_paused = true)]
async fn go_tasks_go_in_with_an_id_and_come_out_with_a_value_or_an_error() {
    #[derive(Clone)]
    struct Task {
        id: usize,
        payload: &'static str,
    }
    let pool = Pool::from_fn("parsers", 3, |task: &Task| {
        let parsed = task.payload.parse::<i32>().map_err(|error| error.to_string());
        async move { parsed }
    });
    let parsers = pool.attempts(1);
    let (handle, system) = (parsers.handle(), System::new());
    let app = parsers.start(&system).await.expect("the tree starts");

    let payloads = ["1", "two", "3"];
    let tasks = payloads.iter().enumerate().map(|(id, payload)| Task { id, payload }).collect::<Vec<_>>();
    assert!(tasks.iter().enumerate().all(|(place, task)| task.id == place));
    let mut results = handle.submit_many(tasks).await.expect("the jobs are accepted");
    let mut collected = HashMap::new();
    while let Some((id, result)) = results.next_completed().await {
        collected.insert(id, result.ok());
    }
    assert_eq!(collected, HashMap::from([(0, Some(1)), (1, None), (2, Some(3))]));
    assert!(app.shutdown().await.is_clean());
}

/// C, pthreads; C++, `std::thread`; Java, `BlockingQueue`: any closure with its argument is a job.
/// Jobs run first in, first out. Idle workers wait and do not spin. A stop joins the workers. A job
/// can be interrupted.
#[tokio::test(start_paused = true)]
async fn c_and_java_any_closure_is_a_job_and_a_stop_joins_the_workers() {
    type Closure = Box<dyn Fn() -> u64 + Send + Sync>;
    let order = Notes::default();
    let pool = Pool::from_fn("closures", 1, |job: &Closure| {
        let result = job();
        async move {
            match result {
                0 => std::future::pending().await,
                millis => tokio::time::sleep(Duration::from_millis(millis)).await,
            }
            Ok::<u64, String>(result)
        }
    });
    let (closures, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("the tree starts");
    let noting = |n: u64| {
        let order = order.clone();
        Box::new(move || {
            order.0.lock().expect("not poisoned").push((0, n));
            n
        }) as Closure
    };
    let stuck = closures.submit(noting(0)).await.expect("the job is accepted");
    let others = closures.submit_many((1..=3).map(noting)).await.expect("the jobs are accepted");
    while closures.stats().running == 0 {
        tokio::task::yield_now().await;
    }
    // The first is interrupted at its await. The others run in the order of submission.
    assert!(stuck.cancel());
    assert!(matches!(stuck.await, Err(JobError::Cancelled(_))));
    assert_eq!(
        others.join_all().await.into_iter().map(Result::ok).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(order.take(), [(0, 0), (0, 1), (0, 2), (0, 3)]);
    // The workers are idle and no message is queued for them.
    let handled = system.counters().handled;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(system.counters().handled, handled);
    // The stop waits for what was submitted, and for the workers.
    let (begun, last) = (Instant::now(), closures.submit(noting(500)).await.expect("the job is accepted"));
    assert_eq!(closures.stop(PoolShutdown::Drain).await.completed, 1);
    assert_eq!((begun.elapsed().as_millis(), closures.stats().workers.running), (500, 0));
    assert_eq!(last.await, Ok(500));
    assert!(app.shutdown().await.is_clean());
}

/// C#, `Task` and `BlockingCollection`: async jobs with results. Adding is completed, and all jobs
/// are awaited.
#[tokio::test(start_paused = true)]
async fn csharp_adding_is_completed_and_all_that_was_added_is_done() {
    let (pool, _) = squarers(2);
    let jobs = pool.handle();
    let (_system, app) = start(pool).await;
    let batch = jobs.submit_many(1..=6).await.expect("the jobs are accepted");
    let stopping = jobs.clone();
    let stop = tokio::spawn(async move { stopping.stop(PoolShutdown::Drain).await });
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!((jobs.stats().running, jobs.stats().queued), (2, 4), "they are not done yet");
    assert!(matches!(jobs.submit(7).await, Err(SubmitError::Closed(7))));
    let report = stop.await.expect("it does not panic");
    assert_eq!((report.completed, report.dropped), (6, 0));
    let results = batch.join_all().await;
    assert_eq!(results.into_iter().map(Result::ok).collect::<Vec<_>>(), [1, 4, 9, 16, 25, 36].map(Some));
    assert!(app.shutdown().await.is_clean());
}

/// Python, `multiprocessing.JoinableQueue`: a failing job does not end its worker. `join` waits
/// until every job is done. Then the workers are stopped.
#[tokio::test(start_paused = true)]
async fn python_a_failing_job_does_not_end_its_worker_and_join_waits_for_all() {
    let (pool, _) = squarers(1);
    let (jobs, pool) = pool.attempts(1).handle_and_pool();
    let (_system, app) = start(pool).await;
    let worker = app.tree().at(["0"]).expect("it exists").pid;
    let unlucky = jobs.submit(13).await.expect("the job is accepted");
    let fine = jobs.submit(4).await.expect("the job is accepted");
    jobs.drain().await;
    assert_eq!((jobs.stats().failed, jobs.stats().completed), (1, 1));
    assert!(matches!(unlucky.await, Err(JobError::Failed(_))));
    assert_eq!(fine.await.expect("the job succeeds"), 16);
    assert_eq!(app.tree().at(["0"]).expect("it exists").pid, worker, "it is the same incarnation");
    let _ = jobs.stop(PoolShutdown::Drain).await;
    assert_eq!(jobs.stats().workers.running, 0);
    assert!(app.shutdown().await.is_clean());
}

/// TypeScript, `worker_threads`: typed tasks, busy workers are skipped, and each message, error and
/// exit is reported.
#[tokio::test(start_paused = true)]
async fn typescript_busy_workers_are_skipped_and_errors_and_exits_are_reported() {
    let (pool, notes) = squarers(2);
    let (jobs, pool) = pool.attempts(1).handle_and_pool();
    let mut messages = jobs.subscribe();
    let (system, app) = start(pool).await;
    let mut exits = system.subscribe::<SupervisorReport>();
    let long = jobs.submit(2).await.expect("the job is accepted");
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = jobs.submit(3).await.expect("the job is accepted");
    assert_eq!((long.await.ok(), second.await.ok()), (Some(4), Some(9)));
    let by: HashSet<usize> = notes.take().iter().map(|(slot, _)| *slot).collect();
    assert_eq!(by.len(), 2, "the second went to the one that was free");

    let fatal = jobs.submit(666).await.expect("the job is accepted");
    let id = fatal.id();
    assert!(matches!(fatal.await, Err(JobError::Failed(_))));
    let events: Vec<JobEvent> = std::iter::from_fn(|| messages.try_next()).collect();
    assert!(events.contains(&JobEvent::Dead(id)));
    let exit = loop {
        let report = exits.next().await.expect("the system exists");
        if let ReportKind::Terminated { reason } = report.kind {
            break reason;
        }
    };
    assert!(matches!(exit, ExitReason::Panicked(_)));
    assert!(app.shutdown().await.is_clean());
}

/// JavaScript, web worker: one request, and a promise of its result or error.
#[tokio::test(start_paused = true)]
async fn javascript_a_request_is_a_promise_of_a_result_or_an_error() {
    let (pool, _) = squarers(1);
    let (jobs, pool) = pool.attempts(1).handle_and_pool();
    let (_system, app) = start(pool).await;
    assert_eq!(jobs.submit(5).await.expect("the job is accepted").await.expect("the job succeeds"), 25);
    let Err(JobError::Failed(failures)) = jobs.submit(13).await.expect("the job is accepted").await else {
        panic!("expected a failure");
    };
    assert_eq!(failures[0].to_string(), "unlucky");
    assert!(app.shutdown().await.is_clean());
}

/// Kotlin, `supervisorScope`: the failure of one leaves the others running, and all are joined.
#[tokio::test(start_paused = true)]
async fn kotlin_failing_job_leaves_its_siblings_running_and_all_are_joined() {
    let (pool, _) = squarers(3);
    let (jobs, pool) = pool.attempts(1).handle_and_pool();
    let (_system, app) = start(pool).await;
    let results = jobs.submit_many([2, 666, 3]).await.expect("the jobs are accepted").join_all().await;
    assert!(matches!(results[..], [Ok(4), Err(JobError::Failed(_)), Ok(9)]));
    // Without a queue and workers: a scope of tasks.
    let mut scope = TaskScope::start("scope", &System::new()).await.expect("the tree starts");
    for n in [2, 0, 3] {
        scope.spawn("division", async move { 6 / n }).await.expect("it is started");
    }
    assert!(matches!(scope.join_all().await[..], [Ok(3), Err(ExitReason::Panicked(_)), Ok(2)]));

    // The worker that panicked is running again.
    assert!(app.tree().children.iter().all(|child| child.handle.state() != ProcessState::Closed));
    assert!(app.shutdown().await.is_clean());
}

/// Kotlin, `supervisorScope`: the siblings of a job that fails run to their own ends, and the scope
/// waits for them.
#[tokio::test(start_paused = true)]
async fn kotlin_siblings_that_still_run_when_a_job_fails_run_to_their_ends() {
    let begun = Instant::now();
    let mut scope = TaskScope::start("scope", &System::new()).await.expect("the tree starts");
    for (seconds, fails) in [(10, false), (1, true), (20, false)] {
        let task = async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            assert!(!fails, "on purpose");
            seconds
        };
        scope.spawn("job", task).await.expect("it is started");
    }
    assert!(matches!(scope.join_all().await[..], [Ok(10), Err(ExitReason::Panicked(_)), Ok(20)]));
    assert_eq!(begun.elapsed(), Duration::from_secs(20));
}

/// Returns a pool together with its handle.
trait HandleAndPool: Sized {
    type Handle;
    fn handle_and_pool(self) -> (Self::Handle, Self);
}

impl HandleAndPool for Squarers {
    type Handle = perennial::pool::PoolHandle<Squarer>;

    fn handle_and_pool(self) -> (Self::Handle, Self) {
        (self.handle(), self)
    }
}
