//! Liveness probes that run beside the work, and inits that hang. The numbers are the defaults of
//! Kubernetes: `periodSeconds` 10, `timeoutSeconds` 1, `failureThreshold` 3,
//! `initialDelaySeconds` 0.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use perennial_actors::System;
use perennial_supervision::pool::{WorkerContext, WorkerProbe};
use perennial_supervision::{Child, Probe, Shutdown, Supervisor};
use tokio::time::{Instant, sleep};

use crate::support::pool;
use crate::support::pool::{
    Step, job, long, ms, outcome_of, scripted_pool, scripted_pool_starting_if, secs, start,
};
use crate::support::reports::Reports;
use crate::support::threads::on_threads;

/// A probe that fails for the first incarnation of each worker, and counts the checks.
fn failing_first(checks: &Arc<AtomicU32>) -> WorkerProbe {
    let checks = checks.clone();
    WorkerProbe::new(move |at: WorkerContext| {
        checks.fetch_add(1, Ordering::Relaxed);
        std::future::ready(at.pid.incarnation() > 1)
    })
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_fails_three_checks_is_replaced_and_its_job_retried() {
    let (checks, (pool, journal)) = (Arc::new(AtomicU32::new(0)), scripted_pool(1));
    let running = start((pool.probe(failing_first(&checks)), journal)).await;
    let mut reports = Reports::of(&running.system);
    let begun = Instant::now();
    let stuck = running.submit(job(1, [Step::Hang, Step::Do]));
    sleep(secs(19)).await;
    assert_eq!((checks.load(Ordering::Relaxed), running.pool.stats().retried), (2, 0), "two have failed");
    assert_eq!(outcome_of(stuck).await, "done 1");
    // The checks at 0, 10 and 20 seconds failed, and then the worker had five seconds to stop.
    assert_eq!((begun.elapsed() + ms(1)).as_secs(), 25);
    let reported = reports.until("pool/0: killed").await;
    assert!(reported.contains(&"pool/0: unresponsive: 3 misses".to_owned()), "{reported:?}");
    assert_eq!(running.pool.stats().retried, 1);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_does_not_wait_behind_a_long_job() {
    let (pool, journal) = scripted_pool(1);
    let probe = WorkerProbe::new(|_| std::future::ready(true)).failure_threshold(1);
    let running = start((pool.probe(probe), journal)).await;
    assert_eq!(outcome_of(running.submit(long(1, secs(1000)))).await, "done 1");
    assert_eq!(running.pool.stats().retried, 0);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_success_resets_the_failures() {
    let checks = Arc::new(AtomicU32::new(0));
    let count = checks.clone();
    let (pool, journal) = scripted_pool(1);
    let probe = WorkerProbe::new(move |_| std::future::ready(count.fetch_add(1, Ordering::Relaxed) % 3 == 2));
    let running = start((pool.probe(probe), journal)).await;
    sleep(secs(1000)).await;
    assert_eq!(checks.load(Ordering::Relaxed), 101);
    let tree = running.app.tree();
    assert_eq!(tree.at(["0"]).expect("it is there").restarts, 0);
    running.close().await;
}

/// Returns when the worker of a pool with this probe is replaced, in seconds.
async fn replaced_after(probe: WorkerProbe) -> u64 {
    let (pool, journal) = scripted_pool(1);
    let begun = Instant::now();
    let running = start((pool.probe(probe).shutdown(Shutdown::BrutalKill), journal)).await;
    while running.app.tree().at(["0"]).expect("it is there").restarts == 0 {
        sleep(ms(10)).await;
    }
    let after = begun.elapsed().as_secs();
    running.close().await;
    after
}

#[tokio::test(start_paused = true)]
async fn a_liveness_check_that_hangs_or_panics_fails() {
    let hangs = WorkerProbe::new(|_| pending::<bool>());
    // At 0, 11 and 22 seconds, with a second for each.
    assert_eq!(replaced_after(hangs).await, 23);
    let panics = WorkerProbe::new(|_| async { if true { panic!("a bug") } else { true } });
    assert_eq!(replaced_after(panics).await, 20);
    let error = WorkerProbe::new(|_| std::future::ready(Err::<(), _>("unhealthy")));
    assert_eq!(replaced_after(error.initial_delay(secs(30)).failure_threshold(1)).await, 30);
}

#[test]
fn a_liveness_check_that_blocks_its_thread_fails_and_is_not_begun_twice() {
    on_threads(3, async {
        let (go, gate) = mpsc::channel::<()>();
        let (gate, blocked) = (Arc::new(Mutex::new(gate)), Arc::new(AtomicU32::new(0)));
        let count = blocked.clone();
        let probe = WorkerProbe::new(move |at: WorkerContext| {
            let is_first = at.pid.incarnation() == 1;
            let (gate, count) = (gate.clone(), count.clone());
            async move {
                if is_first {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = gate.lock().expect("no thread panics under the lock").recv();
                }
                true
            }
        });
        let (pool, _) = scripted_pool(1);
        let probe = probe.period(ms(10)).timeout(ms(20));
        let pool = pool.probe(probe).shutdown(Shutdown::BrutalKill);
        let (system, handle) = (System::new(), pool.handle());
        let app = pool.start(&system).await.expect("it starts");
        while app.tree().at(["0"]).expect("it is there").restarts == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(blocked.load(Ordering::Relaxed), 1);
        assert_eq!(pool::now(handle.submit(pool::quick(1))).await.ok(), Some(1));
        drop(go);
        drop(app);
    });
}

#[test]
fn an_init_that_never_awaits_exceeds_the_start_timeout_and_is_replaced() {
    on_threads(3, async {
        let (go, gate) = mpsc::channel::<()>();
        let (gate, is_first) = (Mutex::new(gate), AtomicBool::new(true));
        let (pool, _) = scripted_pool_starting_if(2, move |at| {
            if at.slot == 0 && at.pid.incarnation() == 2 && is_first.swap(false, Ordering::Relaxed) {
                let _ = gate.lock().expect("no thread panics under the lock").recv();
            }
            true
        });
        let pool = pool.start_timeout(ms(100)).abandon_after(ms(50)).shutdown(Shutdown::BrutalKill);
        let (system, handle) = (System::new(), pool.handle());
        let app = pool.start(&system).await.expect("it starts");
        let worker = app.tree().at(["0"]).expect("it is there").handle.clone();
        worker.kill().expect("it lives");
        while worker.pid().is_none_or(|pid| pid.incarnation() < 3) {
            tokio::task::yield_now().await;
        }
        handle.wait_ready(2).await.expect("the pool runs");
        drop(go);
        drop(app);
    });
}

#[tokio::test(start_paused = true)]
async fn a_check_also_probes_a_task_which_has_no_mailbox() {
    let (system, begun) = (System::new(), Instant::now());
    let mut reports = Reports::of(&system);
    let healthy = Arc::new(AtomicBool::new(true));
    let health = healthy.clone();
    let probe = Probe::from_fn(move || std::future::ready(health.load(Ordering::Relaxed)));
    let task = Child::task("task", |_| pending()).probe(probe.initial_delay(secs(25)));
    let app = Supervisor::new("app").child(task).start(&system).await.expect("it starts");
    sleep(secs(30)).await;
    healthy.store(false, Ordering::Relaxed);
    let reported = reports.until("app/task: terminated: unresponsive").await;
    assert!(reported.contains(&"app/task: unresponsive: 3 misses".to_owned()), "{reported:?}");
    // It passed at 25 seconds and failed at 35, 45 and 55.
    assert_eq!(begun.elapsed().as_secs(), 55);
    assert!(app.shutdown().await.is_clean());
}
