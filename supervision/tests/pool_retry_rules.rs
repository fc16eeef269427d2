//! Which errors are retried, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::Backoff;
use perennial_supervision::pool::{JobContext, JobError, Pool, PoolHandle, Retry, Worker, WorkerContext};
use tokio::time::Instant;

use crate::support::pool::{Step, job, now, outcome_of, quick, quiet, scripted_pool, secs, soon, start};

/// An error of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// The server is busy for this time.
    Busy(Duration),
    Offline,
    NotFound,
}

/// The decision of a client that knows its server.
fn decide(fault: &Fault) -> Retry {
    match fault {
        Fault::Busy(time) => Retry::After(*time),
        Fault::Offline => Retry::Backoff,
        Fault::NotFound => Retry::Never,
    }
}

/// A worker whose attempt n at a job fails with its n-th fault, if it has one.
struct Client;

/// The faults of a job, and the times of its attempts.
struct Request {
    faults: Vec<Fault>,
    begun: Arc<std::sync::Mutex<Vec<Instant>>>,
}

impl Worker for Client {
    type Job = Request;
    type Output = usize;
    type Error = Fault;
    type Args = ();

    async fn init((): &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, request: &Request, _: &JobContext<'_>) -> Result<usize, Fault> {
        let mut begun = request.begun.lock().expect("not poisoned");
        begun.push(Instant::now());
        request.faults.get(begun.len() - 1).map_or(Ok(begun.len()), |fault| Err(*fault))
    }
}

/// Submits a job with these faults. Returns its outcome, and the seconds between its attempts.
async fn request(
    pool: &PoolHandle<Client>,
    faults: impl Into<Vec<Fault>>,
) -> (Result<usize, JobError<Fault>>, Vec<u64>) {
    let begun = Arc::default();
    let job = Request { faults: faults.into(), begun: Arc::clone(&begun) };
    let outcome = soon(now(pool.submit(job))).await;
    let begun = begun.lock().expect("not poisoned");
    (outcome, begun.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_the_result_of_a_job_at_once_and_others_are_retried() {
    for is_simple in [false, true] {
        let pool = Pool::<Client>::new("clients", 1, ()).attempts(4);
        let pool =
            if is_simple { pool.retry_if(|fault| *fault == Fault::Offline) } else { pool.retry_if(decide) };
        let clients = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        let (outcome, delays) = request(&clients, [Fault::Offline, Fault::Offline]).await;
        assert_eq!((outcome, delays), (Ok(3), vec![0, 0]));
        let (outcome, delays) = request(&clients, [Fault::Offline, Fault::NotFound]).await;
        let error = outcome.expect_err("it is not found");
        assert_eq!((error.failures().len(), delays), (2, vec![0]), "two attempts are left");
        assert!(matches!(error, JobError::Failed(_)));
        let (outcome, delays) = request(&clients, [Fault::Offline; 9]).await;
        assert_eq!((outcome.expect_err("it is offline").failures().len(), delays), (4, vec![0; 3]));
        assert_eq!(clients.drain_dead_jobs().len(), 2);
        assert!(app.shutdown().await.is_clean());
    }
}

/// HTTP: `Retry-After`; Celery: `self.retry(countdown=..)`.
#[tokio::test(start_paused = true)]
async fn an_error_says_when_its_job_is_retried_in_place_of_the_delay_of_the_pool() {
    let pool = Pool::<Client>::new("clients", 2, ()).attempts(5).retry_if(decide);
    let pool = pool.retry_after(Backoff::new(secs(1), secs(600)));
    let clients = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let faults = [Fault::Offline, Fault::Busy(secs(30)), Fault::Busy(Duration::ZERO), Fault::Offline];
    let (outcome, delays) = request(&clients, faults).await;
    assert_eq!((outcome, delays), (Ok(5), vec![1, 30, 0, 8]), "the backoff counts every failure");
    let (outcome, delays) = request(&clients, [Fault::Busy(secs(7)); 9]).await;
    assert_eq!(outcome.expect_err("it is busy").failures().len(), 5, "each delay uses up an attempt");
    assert_eq!(delays, [7; 4]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_overrides_the_rule_of_its_pool() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retry_if(|_| Retry::After(secs(5))), journal)).await;
    let ill = || running.pool.submit(job(1, [Step::Fail, Step::Do]));
    assert_eq!(outcome_of(now(ill().retry_if(|_| false))).await, "no luck");
    assert_eq!(outcome_of(now(ill().retry_if(|error| *error == "no luck"))).await, "done 1");
    assert_eq!(outcome_of(now(ill().retry_errors(false))).await, "no luck");
    assert_eq!(outcome_of(now(ill().priority(1))).await, "done 1", "other options leave the rule as it is");
    let times = running.journal.times();
    assert_eq!(times.iter().map(|at| at - times[0]).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 5000]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_copy_of_a_broadcast_has_the_rule_of_its_submission() {
    let faults = Arc::new(AtomicU32::new(0));
    let all = faults.clone();
    let pool = Pool::from_fn("pool", 3, move |(): &()| {
        let is_odd = all.fetch_add(1, Ordering::Relaxed) % 2 == 0;
        async move { if is_odd { Err("odd") } else { Ok(()) } }
    });
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let batch = handle.submit(()).retry_if(|error| *error == "odd").broadcast().await.expect("it is open");
    let results = soon(batch.join_all()).await;
    assert!(matches!(results[..], [Ok(()), Ok(()), Ok(())]), "{results:?}");
    assert_eq!(faults.load(Ordering::Relaxed), 6);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_error_is_final_if_the_closure_that_decides_on_it_panics() {
    let (pool, journal) = scripted_pool(1);
    let rule = |error: &&'static str| -> bool { panic!("what is {error}?") };
    let running = start((pool.retry_if(rule), journal)).await;
    assert_eq!(outcome_of(running.submit(job(1, [Step::Fail, Step::Do]))).await, "no luck");
    assert_eq!(outcome_of(running.submit(quick(2))).await, "done 2");
    let begun = running.journal.take();
    assert_eq!(
        begun.iter().map(|begun| (begun.job, begun.incarnation)).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    assert_eq!((running.pool.stats().retried, running.pool.drain_dead_jobs().len()), (0, 1));
    running.close().await;
}

/// Dropped with the last owner of a closure; panics.
struct Mine(Arc<AtomicU32>);

impl Drop for Mine {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a closure is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn closures_that_panic_as_they_are_dropped_cost_no_job_and_no_worker() {
    let dropped = Arc::new(AtomicU32::new(0));
    let rule = || {
        let mine = Mine(dropped.clone());
        move |_: &&'static str| mine.0.load(Ordering::Relaxed) < 100
    };
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.retry_if(rule()), journal)).await;
    for number in 0..5 {
        let ill = running.pool.submit(job(number, [Step::Fail, Step::Do])).retry_if(rule());
        assert_eq!(outcome_of(now(ill)).await, format!("done {number}"));
    }
    quiet().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 5, "those of the jobs");
    assert!(running.journal.take().iter().all(|begun| begun.incarnation == 1));
    running.close().await;
    quiet().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 6, "that of the pool");
}

/// Celery: `retry_backoff=True`, `retry_backoff_max=600`, `max_retries=3`, `retry_jitter=False`.
#[tokio::test(start_paused = true)]
async fn delays_of_celery_double_from_one_second_up_to_ten_minutes() {
    let backoff = Backoff::new(secs(1), secs(600));
    for (attempts, expected) in
        [(4, vec![1, 2, 4]), (13, vec![1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])]
    {
        let pool = Pool::<Client>::new("clients", 1, ()).retry_errors(true);
        let pool = pool.attempts(attempts).retry_after(backoff);
        let clients = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        let (outcome, delays) = request(&clients, [Fault::Offline; 20]).await;
        assert_eq!(outcome.expect_err("it is offline").failures().len(), attempts as usize);
        assert_eq!(delays, expected);
        assert!(app.shutdown().await.is_clean());
    }
}

/// Celery: `retry_jitter=True`, the default; AWS: full jitter.
#[tokio::test(start_paused = true)]
async fn full_jitter_spreads_retries_between_none_of_the_delay_and_all_of_it() {
    const JOBS: usize = 400;
    let pool = Pool::<Client>::new("clients", 8, ()).retry_errors(true).attempts(2);
    let pool = pool.retry_after(Backoff::new(secs(100), secs(600)).full_jitter());
    let clients = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..JOBS {
        let clients = clients.clone();
        requests.spawn(async move { request(&clients, [Fault::Offline]).await });
    }
    let delays: Vec<u64> = requests
        .join_all()
        .await
        .into_iter()
        .map(|(outcome, delays)| {
            assert_eq!((outcome, delays.len()), (Ok(2), 1));
            delays[0]
        })
        .collect();
    assert!(delays.iter().all(|delay| *delay <= 100), "{delays:?}");
    // The delays fall evenly into ten parts.
    for part in 0..10 {
        let of_part = delays.iter().filter(|delay| (part * 10..part * 10 + 10).contains(*delay)).count();
        assert!((15..=70).contains(&of_part), "{of_part} from {part}: {delays:?}");
    }
    assert!(app.shutdown().await.is_clean());
}
