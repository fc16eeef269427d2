//! The events and the statistics of a pool.

use std::time::Duration;

use perennial_actors::Pid;
use perennial_supervision::Backoff;
use perennial_supervision::pool::{JobEvent, JobId, PoolShutdown};

use crate::support::pool::{
    Running, Step, assert_accounts, events, job, long, ms, now, outcome_of, quick, quiet, scripted_pool,
    secs, start, started,
};

fn worker(running: &Running, slot: &str) -> Pid {
    running.app.tree().at([slot]).expect("it is there").pid.expect("it lives")
}

/// Returns the events of one job, without the worker's pid.
fn of(received: &[JobEvent], job: JobId) -> Vec<String> {
    let line = |event: &JobEvent| match event {
        JobEvent::Started { id, .. } => (*id, "Started".to_owned()),
        JobEvent::Retried { id, cause } => (*id, format!("Retried after {cause:?}")),
        JobEvent::Submitted(id)
        | JobEvent::Done(id)
        | JobEvent::Dead(id)
        | JobEvent::Expired(id)
        | JobEvent::Cancelled(id)
        | JobEvent::Dropped(id) => {
            (*id, format!("{event:?}").split('(').next().unwrap_or_default().to_owned())
        }
        other => panic!("{other:?} is new"),
    };
    received.iter().map(line).filter(|(id, _)| *id == job).map(|(_, what)| what).collect()
}

#[tokio::test(start_paused = true)]
async fn job_events_arrive_in_order() {
    let running = started(1).await;
    let mut received = running.pool.subscribe();
    let (first, second) = (running.submit(quick(1)), running.submit(quick(2)));
    running.drained().await;
    let pid = worker(&running, "0");
    let started = |id| JobEvent::Started { id, worker: pid };
    assert_eq!(
        events(&mut received),
        [
            JobEvent::Submitted(first.id()),
            JobEvent::Submitted(second.id()),
            started(first.id()),
            JobEvent::Done(first.id()),
            started(second.id()),
            JobEvent::Done(second.id()),
        ]
    );
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_job_has_exactly_one_final_event() {
    let running = started(1).await;
    let mut received = running.pool.subscribe();
    let ill = running.submit(job(1, [Step::Fail, Step::Panic, Step::Do]));
    let dead = now(running.pool.submit(job(2, [Step::Fail])).attempts(2));
    running.drained().await;
    let busy = running.submit(long(3, secs(9)));
    quiet().await;
    let late = now(running.pool.submit(quick(4)).expires_in(secs(1)));
    let cancelled = running.submit(quick(5));
    cancelled.cancel();
    let cleared = now(running.pool.submit(quick(6)).delay(secs(20)));
    tokio::time::sleep(secs(2)).await;
    running.pool.clear();
    let waiting = running.submit(quick(7));
    running.pool.stop(PoolShutdown::Abort).await;
    let received = events(&mut received);
    let after_error = ["Started", "Retried after Error"];
    let after_crash = ["Started", "Retried after LostWorker"];
    assert_eq!(
        of(&received, ill.id()),
        [vec!["Submitted"], after_error.to_vec(), after_crash.to_vec(), vec!["Started", "Done"]].concat()
    );
    assert_eq!(
        of(&received, dead.id()),
        [vec!["Submitted"], after_error.to_vec(), vec!["Started", "Dead"]].concat()
    );
    assert_eq!(of(&received, busy.id()), ["Submitted", "Started", "Dropped"]);
    assert_eq!(of(&received, late.id()), ["Submitted", "Expired"]);
    assert_eq!(of(&received, cancelled.id()), ["Submitted", "Cancelled"]);
    assert_eq!(of(&received, cleared.id()), ["Submitted", "Dropped"]);
    assert_eq!(of(&received, waiting.id()), ["Submitted", "Dropped"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn each_subscriber_receives_all_events_from_its_subscription_on() {
    let running = started(2).await;
    drop(running.submit(quick(1)));
    running.drained().await;
    let (mut first, mut second) = (running.pool.subscribe(), running.pool.subscribe());
    drop(running.submit_all(2..20));
    running.drained().await;
    let received = events(&mut first);
    assert_eq!(received.len(), 3 * 18);
    assert_eq!(events(&mut second), received);
    drop(first);
    drop(running.submit(quick(20)));
    running.drained().await;
    assert_eq!(events(&mut second).len(), 3);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn statistics_account_for_every_job() {
    let running = started(3).await;
    assert_eq!(
        running.pool.stats().to_string().split(", waiting").next(),
        Some("0 of 0 done, 0 running, 0 queued, 0 failed, 0 retried, 0 dropped, 3 of 3 workers")
    );
    let backoff = Backoff::new(secs(60), secs(60));
    let _all = [
        now(running.pool.submit(quick(1))),
        now(running.pool.submit(job(2, [Step::Fail]))),
        now(running.pool.submit(job(3, [Step::Fail, Step::Do])).backoff(backoff)),
        now(running.pool.submit(quick(4)).delay(secs(60))),
        now(running.pool.submit(quick(5)).delay(secs(9)).expires_in(ms(0))),
    ];
    running.submit(quick(6)).cancel();
    quiet().await;
    let _busy = [running.submit(long(7, secs(9))), running.submit(long(8, secs(9)))];
    quiet().await;
    let stats = running.pool.stats();
    assert_accounts(&stats);
    assert_eq!((stats.submitted, stats.queued, stats.running, stats.workers.running), (8, 2, 2, 3));
    assert_eq!((stats.completed, stats.failed, stats.retried, stats.dropped), (1, 1, 3, 2));
    assert!(
        stats.to_string().starts_with(
            "1 of 8 done, 2 running, 2 queued, 1 failed, 3 retried, 2 dropped, 3 of 3 workers, waiting "
        ),
        "{stats}"
    );
    running.drained().await;
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn statistics_measure_wait_and_work_times() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1000), journal)).await;
    assert_eq!(
        (running.pool.stats().wait_p99, running.pool.stats().work_p99),
        (Duration::ZERO, Duration::ZERO)
    );
    // The n-th job waits for n - 1 times 10 ms.
    for number in 0..100 {
        drop(running.submit(long(number, ms(10))));
    }
    let slow = running.submit(long(100, secs(10)));
    assert_eq!(outcome_of(slow).await, "done 100");
    let stats = running.pool.stats();
    let is_about =
        |received: Duration, expected: Duration| received >= expected && received <= expected.mul_f64(1.2);
    assert!(is_about(stats.wait_p50, ms(500)), "{stats}");
    assert!(is_about(stats.wait_p99, ms(990)), "{stats}");
    assert!(is_about(stats.work_p50, ms(10)), "{stats}");
    assert!(is_about(stats.work_p99, ms(10)), "{stats}");
    running.close().await;
}
