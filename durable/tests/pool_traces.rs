//! A durable job keeps the trace of its submission, and its attempts have it in their spans.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::Durable;
use perennial_durable::{JobId, MemoryStore, RunOptions, Store};
use perennial_supervision::pool::{JobContext, Pool};

use crate::support::Numbers;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// What each attempt has found: its number, and its trace.
type Seen = Arc<Mutex<Vec<(u32, Option<String>)>>>;

/// A pool whose jobs fail at the first attempt if they are odd.
fn traced(seen: &Seen) -> Pool<Numbers> {
    let seen = seen.clone();
    Pool::from_fn_with_context("traced", 1, move |job: &u64, ctx: JobContext<'static>| {
        let (job, seen) = (*job, seen.clone());
        async move {
            let trace = ctx.traceparent().map(str::to_owned);
            seen.lock().expect("no panic under the lock").push((ctx.attempt(), trace));
            if job % 2 == 1 && ctx.attempt() == 1 { Err("no".to_owned()) } else { Ok(job) }
        }
    })
}

async fn trace_of(store: &dyn Store, id: JobId) -> Option<String> {
    let record = store.job(id).await.expect("it is read");
    record.and_then(|record| record.job.options.traceparent)
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_the_trace_of_the_submission_also_in_the_next_process() {
    let (store, seen) = (Arc::new(MemoryStore::new()), Seen::default());
    let pool = traced(&seen).durable(store.clone()).retry_errors(true);
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    let retried = jobs.submit(1).traceparent(TRACE).await.unwrap();
    assert_eq!(retried.outcome().await, Ok(1));
    let later = jobs.submit(2).traceparent(OTHER).delay(Duration::from_secs(60)).await.unwrap();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(trace_of(&*store, later.id()).await.as_deref(), Some(OTHER));

    let pool = traced(&seen).durable(store.clone());
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    assert_eq!(jobs.job(later.id()).outcome().await, Ok(2));
    assert_eq!(jobs.submit(4).await.unwrap().outcome().await, Ok(4));
    assert!(app.shutdown().await.is_clean());
    let expected = [(1, Some(TRACE)), (2, Some(TRACE)), (1, Some(OTHER)), (1, None)];
    assert_eq!(*seen.lock().unwrap(), expected.map(|(attempt, trace)| (attempt, trace.map(str::to_owned))));
}

#[tokio::test(start_paused = true)]
async fn the_function_of_the_pool_gives_a_trace_to_submissions_without_their_own() {
    let (store, seen) = (Arc::new(MemoryStore::new()), Seen::default());
    let pool = traced(&seen).durable(store.clone()).traceparent_from(|| Some(TRACE.to_owned()));
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    assert_eq!(jobs.submit(2).await.unwrap().outcome().await, Ok(2));
    assert_eq!(jobs.submit(4).traceparent(OTHER).await.unwrap().outcome().await, Ok(4));
    for job in jobs.submit_many([6, 8]).await.unwrap().jobs() {
        assert_eq!(trace_of(&*store, job.id()).await.as_deref(), Some(TRACE));
    }
    assert!(app.shutdown().await.is_clean());
    let traces: Vec<_> = seen.lock().unwrap().iter().take(2).map(|(_, trace)| trace.clone()).collect();
    assert_eq!(traces, [Some(TRACE.to_owned()), Some(OTHER.to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_panics_costs_the_trace_and_not_the_job() {
    let seen = Seen::default();
    let pool = traced(&seen).durable(Arc::new(MemoryStore::new())).traceparent_from(|| panic!("no trace"));
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    assert_eq!(jobs.submit(2).await.unwrap().outcome().await, Ok(2));
    assert!(app.shutdown().await.is_clean());
    assert_eq!(*seen.lock().unwrap(), [(1, None)]);
}

/// The options of a job that was stored before there were traces.
#[test]
fn options_that_were_stored_without_a_trace_decode() {
    let stored = r#"{"time_limit":null,"soft_time_limit":null,"rate_key":"host","retain_dead":null}"#;
    let options: RunOptions = serde_json::from_str(stored).unwrap();
    assert_eq!((options.rate_key.as_deref(), options.traceparent), (Some("host"), None));
}
