//! Readiness of workers: an unready worker runs, but gets no jobs. The numbers are the defaults of
//! Kubernetes: `periodSeconds` 10, `timeoutSeconds` 1, `failureThreshold` 3, `successThreshold` 1,
//! `initialDelaySeconds` 0.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::System;
use perennial_supervision::SpecError;
use perennial_supervision::pool::{PoolError, Routing, WorkerContext, WorkerProbe};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{
    Running, job, long, ms, outcome_of, pends, quick, quiet, scripted_pool, scripted_pool_starting_if, secs,
    soon, start, started,
};

/// The health that a probe reports, one flag per worker, and the times of the checks in seconds.
#[derive(Clone)]
struct Health(Arc<(Vec<AtomicBool>, Mutex<Vec<Check>>, Instant)>);

/// The slot of a checked worker, and the time of its check in seconds.
type Check = (usize, u64);

impl Health {
    fn new(workers: usize) -> Self {
        let flags = std::iter::repeat_with(|| AtomicBool::new(true)).take(workers);
        Self(Arc::new((flags.collect(), Mutex::default(), Instant::now())))
    }

    fn set(&self, slot: usize, healthy: bool) {
        self.0.0[slot].store(healthy, Ordering::Relaxed);
    }

    fn probe(&self) -> WorkerProbe {
        let health = self.clone();
        WorkerProbe::new(move |at: WorkerContext| {
            let (flags, checks, began) = &*health.0;
            let checked = (at.slot, began.elapsed().as_secs());
            checks.lock().expect("no thread panics under the lock").push(checked);
            std::future::ready(flags[at.slot].load(Ordering::Relaxed))
        })
    }

    /// Returns the times at which a worker was checked.
    fn checks(&self, slot: usize) -> Vec<u64> {
        let checks = self.0.1.lock().expect("no thread panics under the lock");
        checks.iter().filter(|(of, _)| *of == slot).map(|(_, at)| *at).collect()
    }
}

/// The contexts of the workers of a pool, in the order of their starts.
type Contexts = Arc<Mutex<Vec<WorkerContext>>>;

/// Starts a pool whose workers leave their contexts, and are unready from their start if so said.
async fn with_contexts(workers: usize, unready: bool) -> (Running, Contexts) {
    let contexts = Contexts::default();
    let left = contexts.clone();
    let pool = scripted_pool_starting_if(workers, move |at| {
        if unready {
            at.set_ready(false);
        }
        left.lock().expect("no thread panics under the lock").push(at.clone());
        true
    });
    (start(pool).await, contexts)
}

/// Returns the context of the worker in a slot.
fn context(contexts: &Contexts, slot: usize) -> WorkerContext {
    let contexts = contexts.lock().expect("no thread panics under the lock");
    contexts.iter().rfind(|at| at.slot == slot).expect("it has started").clone()
}

#[tokio::test(start_paused = true)]
async fn jobs_wait_until_a_worker_has_passed_its_readiness_probe() {
    let health = Health::new(1);
    health.set(0, false);
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.readiness(health.probe()), journal)).await;
    let begun = Instant::now();
    let waiting = running.submit(quick(1));
    let stats = running.pool.stats();
    assert_eq!((stats.workers.running, stats.workers.ready, stats.queued), (1, 0, 1));
    sleep(secs(25)).await;
    health.set(0, true);
    assert_eq!(outcome_of(waiting).await, "done 1");
    assert_eq!(begun.elapsed().as_secs(), 29, "less the millisecond of the start");
    assert_eq!(health.checks(0), [0, 10, 20, 30]);
    assert_eq!(running.pool.stats().workers.ready, 1);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_make_a_worker_unready_and_its_jobs_go_to_another() {
    let health = Health::new(2);
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.readiness(health.probe()), journal)).await;
    health.set(0, false);
    sleep(secs(28)).await;
    assert_eq!((running.pool.stats().workers.ready, health.checks(0).len()), (2, 3), "two have failed");
    sleep(secs(2)).await;
    let stats = running.pool.stats();
    assert_eq!((stats.workers.running, stats.workers.ready), (2, 1), "it is not restarted");
    for number in 0..10 {
        assert_eq!(outcome_of(running.submit(quick(number))).await, format!("done {number}"));
    }
    assert!(running.journal.take().iter().all(|begun| (begun.slot, begun.incarnation) == (1, 1)));
    health.set(0, true);
    sleep(secs(10)).await;
    assert_eq!(running.pool.stats().workers.ready, 2, "one success is sufficient");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_turns_unready_finishes_its_job() {
    let health = Health::new(1);
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.readiness(health.probe().failure_threshold(1)), journal)).await;
    let (in_flight, mut next) = (running.submit(long(1, secs(60))), running.submit(quick(2)));
    quiet().await;
    health.set(0, false);
    assert_eq!(outcome_of(in_flight).await, "done 1");
    assert_eq!(health.checks(0), [0, 10, 20, 30, 40, 50, 60], "it is checked beside its job");
    assert!(pends(&mut next).await, "and takes no other");
    assert_eq!((running.pool.stats().workers.ready, running.pool.stats().queued), (0, 1));
    health.set(0, true);
    assert_eq!(outcome_of(next).await, "done 2");
    assert_eq!(running.pool.stats().retried, 0);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_check_and_the_successes_that_count_can_be_set() {
    let health = Health::new(1);
    let probe = health.probe().initial_delay(secs(30)).success_threshold(3).period(secs(5));
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.readiness(probe), journal)).await;
    soon(running.pool.wait_ready(1)).await.expect("the pool runs");
    assert_eq!(health.checks(0), [30, 35, 40]);
    running.close().await;
}

/// Starts a pool with such a probe, and returns when its worker is ready, in seconds.
async fn ready_after(probe: WorkerProbe) -> u64 {
    let (pool, journal) = scripted_pool(1);
    let begun = Instant::now();
    let running = start((pool.readiness(probe), journal)).await;
    soon(running.pool.wait_ready(1)).await.expect("the pool runs");
    let after = begun.elapsed().as_secs();
    running.close().await;
    after
}

#[tokio::test(start_paused = true)]
async fn checks_that_hang_panic_or_return_an_error_fail() {
    let checks = Arc::new(AtomicUsize::new(0));
    let count = checks.clone();
    let after = ready_after(WorkerProbe::new(move |_| {
        let check = count.fetch_add(1, Ordering::Relaxed);
        assert_ne!(check, 3, "a bug before the first await");
        async move {
            match check {
                0 => pending().await,
                1 => panic!("a bug"),
                2 => Err("unhealthy"),
                _ => Ok(()),
            }
        }
    }));
    // The first one has a second, and each is followed by ten seconds.
    assert_eq!((after.await, checks.load(Ordering::Relaxed)), (41, 5));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_takes_too_long_is_dropped() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct CountDrop(Arc<AtomicUsize>);
    impl Drop for CountDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (pool, journal) = scripted_pool(1);
    let counter = dropped.clone();
    let probe = WorkerProbe::new(move |_| {
        let guard = CountDrop(counter.clone());
        async move {
            pending::<()>().await;
            drop(guard);
            true
        }
    });
    let running = start((pool.readiness(probe), journal)).await;
    for (after, count) in [(ms(998), 0), (ms(2), 1), (secs(11), 2)] {
        sleep(after).await;
        quiet().await;
        assert_eq!(dropped.load(Ordering::Relaxed), count);
    }
    sleep(secs(10)).await;
    running.kill(0).await;
    assert!(dropped.load(Ordering::Relaxed) >= 3, "the last one with its worker");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_incarnation_is_unready_until_it_has_passed_and_is_checked_until_its_end() {
    let health = Health::new(1);
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.readiness(health.probe()), journal)).await;
    assert_eq!(running.pool.stats().workers.ready, 1);
    sleep(secs(14)).await;
    health.set(0, false);
    running.kill(0).await;
    assert_eq!((running.pool.stats().workers.running, running.pool.stats().workers.ready), (1, 0));
    sleep(secs(15)).await;
    assert_eq!(health.checks(0), [0, 10, 14, 24], "the first one is not checked any more");
    let checks = health.clone();
    running.close().await;
    sleep(secs(100)).await;
    assert_eq!(checks.checks(0).len(), 4, "nothing is checked after the end");
}

#[tokio::test(start_paused = true)]
async fn a_worker_sets_its_readiness_itself() {
    let (running, contexts) = with_contexts(2, true).await;
    let mut waiting = running.submit(quick(1));
    quiet().await;
    assert!(pends(&mut waiting).await, "no worker is ready");
    context(&contexts, 1).set_ready(true);
    assert_eq!(outcome_of(waiting).await, "done 1");
    context(&contexts, 0).set_ready(true);
    context(&contexts, 1).set_ready(false);
    assert_eq!(outcome_of(running.submit(quick(2))).await, "done 2");
    let slots: Vec<usize> = running.journal.take().iter().map(|begun| begun.slot).collect();
    assert_eq!(slots, [1, 0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_context_of_an_ended_incarnation_changes_nothing() {
    let (running, contexts) = with_contexts(1, false).await;
    let first = context(&contexts, 0);
    running.kill(0).await;
    first.set_ready(false);
    assert_eq!(outcome_of(running.submit(quick(1))).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn routed_jobs_of_an_unready_worker_go_to_others_and_keyed_jobs_wait() {
    for routing in [Routing::RoundRobin, Routing::LeastQueued] {
        let contexts = Contexts::default();
        let left = contexts.clone();
        let (pool, journal) = scripted_pool_starting_if(2, move |at| {
            left.lock().expect("no thread panics under the lock").push(at.clone());
            true
        });
        let running = start((pool.routing(routing), journal)).await;
        let mut key = 0_u64;
        while {
            outcome_of(pool::now(running.pool.submit(quick(0)).key(&key))).await;
            running.journal.take()[0].slot != 0
        } {
            key += 1;
        }
        context(&contexts, 0).set_ready(false);
        let mut keyed = pool::now(running.pool.submit(quick(100)).key(&key));
        for number in 0..4 {
            assert_eq!(outcome_of(running.submit(quick(number))).await, format!("done {number}"));
        }
        assert!(running.journal.take().iter().all(|begun| begun.slot == 1));
        assert!(pends(&mut keyed).await);
        context(&contexts, 0).set_ready(true);
        assert_eq!(outcome_of(keyed).await, "done 100");
        assert_eq!(running.journal.take()[0].slot, 0);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ready_workers_ends_with_the_pool() {
    let running = started(2).await;
    assert_eq!(soon(running.pool.wait_ready(2)).await.map_err(drop), Ok(()));
    let pool = running.pool.clone();
    let waiting = tokio::spawn(async move { pool.wait_ready(3).await });
    quiet().await;
    assert!(!waiting.is_finished());
    running.close().await;
    let ended = soon(waiting).await.expect("it does not panic");
    assert!(matches!(ended, Err(PoolError::Stopped)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn probes_that_no_worker_could_pass_are_errors_at_the_start() {
    let probe = || WorkerProbe::new(|_| std::future::ready(true));
    let zero = Duration::ZERO;
    for wrong in [
        probe().period(zero),
        probe().timeout(zero),
        probe().failure_threshold(0),
        probe().success_threshold(0),
    ] {
        for pool in [scripted_pool(1).0.readiness(wrong.clone()), scripted_pool(1).0.probe(wrong)] {
            let error = pool.start(&System::new()).await.map(drop).expect_err("it is wrong");
            assert!(format!("{error:?}").contains("ZeroLiveness"), "{error:?}");
        }
    }
    let pool = scripted_pool(1).0.probe(probe().success_threshold(2));
    let error = pool.start(&System::new()).await.map(drop).expect_err("it is wrong");
    let expected = SpecError::LivenessSuccessThreshold { id: "pool".into() };
    assert!(format!("{error:?}").contains(&format!("{expected:?}")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_with_unready_workers_stops_as_fast_as_any() {
    let (running, _contexts) = with_contexts(2, true).await;
    let begun = Instant::now();
    let waiting = running.submit(job(1, [pool::Step::Do]));
    running.close().await;
    assert!(outcome_of(waiting).await.contains("dropped"));
    assert_eq!(begun.elapsed().as_secs(), 0);
}
