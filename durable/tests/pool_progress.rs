//! A job of a durable pool knows the number of its attempt, and its progress outlives the attempt
//! and the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle};
use perennial_durable::{MemoryStore, RecordState, RecordedProgress};
use perennial_supervision::pool::{JobContext, Pool};
use perennial_supervision::{App, SupervisorHandle};
use tokio::time::sleep;

use crate::support::Numbers;

const SECOND: Duration = Duration::from_secs(1);

/// What each attempt has seen: its job, its number, and the progress before it.
type Seen = Arc<Mutex<Vec<(u64, u32, Option<u64>)>>>;

/// A pool whose jobs do a step per 100 ms, and fail as often as they say, each time after 15 steps.
fn steps(failures: u64) -> (Pool<Numbers>, Seen) {
    let (seen, failed) = (Seen::default(), Arc::new(AtomicU64::new(0)));
    let seen_by_jobs = seen.clone();
    let pool = Pool::from_fn_with_context("steps", 1, move |total: &u64, ctx: JobContext<'static>| {
        let (total, seen, failed) = (*total, seen_by_jobs.clone(), failed.clone());
        async move {
            let before = ctx.progress().map(|progress| progress.done);
            seen.lock().expect("no panic under the lock").push((ctx.id().as_u64(), ctx.attempt(), before));
            for done in before.unwrap_or(0)..total {
                if done % 15 == 14 && failed.fetch_add(1, Ordering::SeqCst) < failures {
                    return Err("no".to_owned());
                }
                sleep(Duration::from_millis(100)).await;
                ctx.set_progress(done + 1, total);
            }
            Ok(total)
        }
    });
    (pool, seen)
}

async fn start(
    pool: perennial_durable::pool::DurablePool<Numbers>,
) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

#[tokio::test(start_paused = true)]
async fn a_retried_job_knows_its_attempt_and_goes_on_where_it_was() {
    let (pool, seen) = steps(1);
    let (app, numbers) = start(pool.durable(Arc::new(MemoryStore::new())).retry_errors(true)).await;
    numbers.submit(0).await.unwrap().outcome().await.unwrap();
    let job = numbers.submit(20).await.unwrap();
    assert_eq!(job.outcome().await, Ok(20));
    let id = job.id().0;
    assert_eq!(*seen.lock().unwrap(), [(1, 1, None), (id, 1, None), (id, 2, Some(14))]);
    let history = job.record().await.unwrap().unwrap().history;
    let progress: Vec<_> = history.iter().map(|attempt| attempt.progress).collect();
    let at = |done| Some(RecordedProgress { done, total: 20 });
    assert_eq!(progress, [at(14), at(20)]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn progress_is_stored_once_a_second_and_outlives_the_process() {
    let store = MemoryStore::new();
    let (pool, _) = steps(0);
    let (_old, numbers) = start(pool.durable(Arc::new(store.join()))).await;
    let job = numbers.submit(1_000).await.unwrap();
    let mut commits = Vec::new();
    for _ in 0..500 {
        sleep(Duration::from_millis(10)).await;
        let progress = job.progress().await.unwrap().map(|progress| progress.done);
        if commits.last() != Some(&progress) {
            commits.push(progress);
        }
    }
    // 50 steps in 5 seconds, and at most one commit in each of them.
    assert!((5..=6).contains(&commits.len()), "{commits:?}");
    let (pool, seen) = steps(0);
    let (app, next) = start(pool.durable(Arc::new(store.restart()))).await;
    let job = next.job(job.id());
    sleep(SECOND).await;
    assert_eq!(job.record().await.unwrap().unwrap().state, RecordState::Running);
    let before = *commits.last().unwrap();
    assert!(before.is_some_and(|before| before >= 30), "{before:?}");
    assert_eq!(*seen.lock().unwrap(), [(job.id().0, 2, before)]);
    app.handle().kill().unwrap();
}
