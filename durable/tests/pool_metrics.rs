//! The metrics of a durable pool: what happens to its jobs, and what is counted of it.

use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use metrics_util::debugging::DebuggingRecorder;
use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle, DurablePool};
use perennial_durable::{Batch, MemoryStore, NewJob, Op, RecordState, Timestamp};
use perennial_supervision::pool::{Pool, Work};
use perennial_supervision::{App, SupervisorHandle};

use crate::support::recorded::Recorded;
use crate::support::{Numbers, hold, payload, squares};

const HOUR: Duration = Duration::from_secs(3_600);

async fn start<W>(pool: DurablePool<W>) -> (App<SupervisorHandle>, DurableHandle<W>)
where
    W: Work<Job = u64, Output = u64, Error = String> + 'static,
{
    let numbers = pool.handle();
    (pool.start(&System::new()).await.expect("it starts"), numbers)
}

/// A pool whose jobs fail, panic or wait for ever.
fn mixed() -> Pool<Numbers> {
    Pool::from_fn("squares", 4, |number: &u64| {
        let number = *number;
        async move {
            match number {
                1 => Err("no".to_owned()),
                2 => std::panic::resume_unwind(Box::new("on purpose")),
                3 => std::future::pending().await,
                _ => Ok(number * number),
            }
        }
    })
}

/// Waits until no job of a queue runs or waits.
async fn drained(numbers: &DurableHandle<Numbers>) {
    numbers.drain().await.expect("it is drained");
}

#[tokio::test(start_paused = true)]
async fn jobs_and_attempts_are_counted_by_what_has_become_of_them() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let pool = mixed().durable(Arc::new(MemoryStore::new())).retry_errors(true).attempts(3).lost_workers(2);
    let (app, numbers) = start(pool).await;
    for job in [1, 2, 7, 8] {
        numbers.submit(job).await.unwrap();
    }
    numbers.submit(3).attempts(1).time_limit(Duration::from_secs(1)).await.unwrap();
    let unreadable = NewJob::new("squares", payload("?"));
    let unreadable = Batch::of(Timestamp(1), Op::Enqueue(Box::new(unreadable)));
    numbers.store().commit(unreadable).await.unwrap();
    drained(&numbers).await;
    let late = numbers.submit(9).delay(HOUR).await.unwrap();
    assert!(late.cancel().await.unwrap());
    let seen = Recorded::of(&recorder.snapshotter());
    assert_eq!(seen.value("durable_jobs_submitted_total{queue=squares}"), Some(6.0));
    let over = |outcome: &str| seen.value(&format!("durable_jobs_total{{queue=squares,outcome={outcome}}}"));
    assert_eq!(over("completed"), Some(2.0));
    assert_eq!(over("dead"), Some(4.0));
    assert_eq!(over("cancelled"), Some(1.0));
    let why = |why: &str| seen.value(&format!("durable_job_attempts_total{{queue=squares,why={why}}}"));
    assert_eq!(why("completed"), Some(2.0));
    assert_eq!(why("failed"), Some(3.0));
    assert_eq!(why("worker_ended"), Some(2.0));
    assert_eq!(why("timed_out"), Some(1.0));
    assert_eq!(why("undecodable"), Some(1.0));
    assert_eq!(seen.value("durable_job_retries_total{queue=squares}"), Some(3.0));
    assert_eq!(seen.value("durable_jobs_rescued_total{queue=squares}"), None);
    drop(app.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn job_of_an_ended_process_is_rescued_or_unknown() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let store = MemoryStore::new();
    let (pool, _release) = hold();
    let (_old, numbers) = start(pool.durable(Arc::new(store.join()))).await;
    numbers.submit(7).await.unwrap();
    numbers.submit(8).at_most_once().await.unwrap();
    while numbers.info().await.unwrap().count(RecordState::Running) < 2 {
        tokio::task::yield_now().await;
    }
    let (app, numbers) = start(squares().durable(Arc::new(store.restart()))).await;
    drained(&numbers).await;
    let seen = Recorded::of(&recorder.snapshotter());
    assert_eq!(seen.value("durable_jobs_rescued_total{queue=squares}"), Some(1.0));
    assert_eq!(seen.value("durable_job_attempts_total{queue=squares,why=process_ended}"), Some(2.0));
    assert_eq!(seen.value("durable_job_retries_total{queue=squares}"), Some(1.0));
    assert_eq!(seen.value("durable_jobs_total{queue=squares,outcome=unknown}"), Some(1.0));
    assert_eq!(seen.value("durable_jobs_total{queue=squares,outcome=completed}"), Some(1.0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn time_until_the_lease_counts_from_when_a_job_is_due() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    numbers.submit(6).delay(HOUR).await.unwrap();
    drained(&numbers).await;
    numbers.pause().await.unwrap();
    numbers.submit(7).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    numbers.resume().await.unwrap();
    drained(&numbers).await;
    let seen = Recorded::of(&recorder.snapshotter());
    let [of_delayed, of_paused] = seen.samples("durable_job_wait_seconds{queue=squares}") else {
        panic!("{seen:?}")
    };
    assert!(*of_delayed < 1.0, "a delay is no wait: {of_delayed}");
    assert!((60.0..61.0).contains(of_paused), "{of_paused}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn stored_jobs_are_measured_by_state_five_seconds_after_a_change() {
    let recorder = DebuggingRecorder::new();
    let _guard = set_default_local_recorder(&recorder);
    let (pool, release) = hold();
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new()))).await;
    let measured = async |wanted: [f64; 5]| {
        tokio::time::sleep(Duration::from_secs(6)).await;
        let seen = Recorded::of(&recorder.snapshotter());
        let state = |state| seen.value(&format!("durable_jobs{{queue=squares,state={state}}}"));
        let states =
            ["queued", "delayed", "running", "completed"].map(|name| state(name).expect("it is set"));
        let paused = seen.value("durable_queue_paused{queue=squares}").expect("it is set");
        assert_eq!([states[0], states[1], states[2], states[3], paused], wanted);
        seen
    };
    measured([0.0; 5]).await;
    // Four are leased, by two workers.
    for job in 0..5 {
        numbers.submit(job).await.unwrap();
    }
    numbers.submit(9).delay(HOUR).await.unwrap();
    measured([1.0, 1.0, 4.0, 0.0, 0.0]).await;
    numbers.pause().await.unwrap();
    for _ in 0..3 {
        release.notify_waiters();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = measured([1.0, 1.0, 0.0, 4.0, 1.0]).await;
    for (name, unit, description) in &seen.described {
        assert!(unit.is_some() && description.is_some(), "{name}");
    }
    drop(app.shutdown().await);
}

/// A recorder that panics.
struct Panicking;

impl Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("on purpose");
    }
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("on purpose");
    }
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("on purpose");
    }
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("on purpose");
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("on purpose");
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn recorder_that_panics_is_not_noticed_by_jobs() {
    let _guard = set_default_local_recorder(&Panicking);
    let (app, numbers) = start(squares().durable(Arc::new(MemoryStore::new()))).await;
    assert_eq!(numbers.submit(7).await.unwrap().outcome().await, Ok(49));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(numbers.submit(8).await.unwrap().outcome().await, Ok(64));
    assert_eq!(app.tree().walk().map(|node| node.restarts).sum::<u64>(), 0);
    assert!(app.shutdown().await.is_clean());
}
