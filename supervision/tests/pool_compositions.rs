//! Groups, chains and chords: compositions of jobs that need one worker and room for one job.

use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};

use perennial_actors::System;
use perennial_supervision::pool::{AttemptError, JobError, Pool, PoolHandle, WeakPoolHandle};
use perennial_supervision::{App, SupervisorHandle};

use crate::support::pool::{
    Step, describe, job, long, ms, pends, quick, quiet, scripted_pool, secs, soon, start, started,
};

type Sum = fn(Vec<u64>) -> Result<u64, &'static str>;

#[expect(clippy::ptr_arg, reason = "the function of a pool takes a reference to its job")]
fn sum(numbers: &Vec<u64>) -> Ready<Result<u64, &'static str>> {
    ready(if numbers.contains(&666) { Err("no luck") } else { Ok(numbers.iter().sum()) })
}

/// A pool of one worker whose queue has room for one job.
async fn narrow_pool() -> (PoolHandle<Sum>, App<SupervisorHandle>) {
    let pool = Pool::from_fn("sums", 1, sum).capacity(1);
    (pool.handle(), pool.start(&System::new()).await.expect("it starts"))
}

async fn chord(sums: &PoolHandle<Sum>, parts: Vec<Vec<u64>>) -> Result<u64, JobError<&'static str>> {
    let group = sums.submit_many(parts).await.expect("they are accepted");
    let outputs = group.join_all().await.into_iter().collect::<Result<Vec<u64>, _>>()?;
    sums.submit(outputs).await.expect("it is accepted").await
}

#[tokio::test(start_paused = true)]
async fn a_chord_of_ten_completes_with_one_worker_and_room_for_one_job() {
    let (sums, app) = narrow_pool().await;
    let parts = (1..=10).map(|number| vec![number; 2]).collect();
    assert_eq!(soon(chord(&sums, parts)).await, Ok(110));
    assert_eq!(sums.stats().completed, 11);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn many_chords_at_once_complete_with_one_worker_and_room_for_one_job() {
    let (sums, app) = narrow_pool().await;
    let chords: Vec<_> = (1..=20)
        .map(|number| {
            let sums = sums.clone();
            tokio::spawn(async move { chord(&sums, vec![vec![number]; 5]).await })
        })
        .collect();
    for (place, chord) in chords.into_iter().enumerate() {
        assert_eq!(soon(chord).await.expect("it does not panic"), Ok(5 * (place as u64 + 1)));
    }
    assert_eq!(sums.stats().completed, 120);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_chain_passes_each_output_on_to_the_next_job() {
    let (sums, app) = narrow_pool().await;
    let mut output = 1;
    for step in [2, 3, 4] {
        let next = soon(sums.submit(vec![output, step])).await.expect("it is accepted");
        output = soon(next).await.expect("it is done");
    }
    assert_eq!((output, sums.stats().completed), (10, 3));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_chord_whose_group_fails_ends_with_that_error_and_without_its_last_job() {
    let (sums, app) = narrow_pool().await;
    let failed = soon(chord(&sums, vec![vec![1], vec![666], vec![2]])).await.unwrap_err();
    assert_eq!(failed.failures()[..], [AttemptError::Error("no luck")]);
    let stats = sums.stats();
    assert_eq!((stats.submitted, stats.completed, stats.failed), (3, 2, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_group_that_fails_leaves_the_others() {
    let running = started(1).await;
    let group = [long(1, secs(9)), job(2, [Step::Panic]), job(3, [Step::Fail]), long(4, secs(5))];
    let group = soon(running.pool.submit_many(group).attempts(1)).await.expect("they are accepted");
    let ends: Vec<String> = soon(group.join_all()).await.iter().map(describe).collect();
    assert_eq!(ends, ["done 1", "panicked", "no luck", "done 4"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_job_of_a_cancelled_chord_never_runs() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let pool = running.pool.clone();
    let chord = tokio::spawn(async move {
        let group = pool.submit_many((1..=3).map(|number| long(number, secs(1)))).await;
        let mut group = group.expect("they are accepted");
        let first = group.next_completed().await;
        assert!(first.is_some_and(|(place, first)| (place, first.ok()) == (0, Some(1))));
        let cancelled = group.cancel();
        let outputs = group.join_all().await.into_iter().collect::<Result<Vec<u64>, _>>();
        if outputs.is_ok() {
            pool.submit(quick(99)).detach().await.expect("it is accepted");
        }
        (cancelled, outputs.map_err(|error| describe(&Err(error))))
    });
    let (cancelled, outputs) = soon(chord).await.expect("it does not panic");
    assert_eq!(outputs, Err("cancelled".to_owned()));
    assert_eq!(cancelled, 2);
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1, 2]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_aborted_composition_submits_no_later_job() {
    let (sums, app) = narrow_pool().await;
    sums.pause();
    let pool = sums.clone();
    let composing = tokio::spawn(async move { chord(&pool, vec![vec![1]; 5]).await });
    quiet().await;
    composing.abort();
    assert!(soon(composing).await.is_err_and(|error| error.is_cancelled()));
    sums.resume();
    soon(sums.drain()).await;
    assert_eq!(sums.stats().completed, 1, "there was room for one");
    assert!(app.shutdown().await.is_clean());
}

/// What a job returns: its output, or the job that follows.
enum Then {
    Done(u64),
    Next(u64),
}

#[tokio::test(start_paused = true)]
async fn a_job_returns_the_job_that_follows_instead_of_waiting_for_it() {
    let halve = |number: &u64| {
        ready(Ok::<_, &str>(if number % 2 == 0 { Then::Next(number / 2) } else { Then::Done(*number) }))
    };
    let pool = Pool::from_fn("halves", 1, halve).capacity(1);
    let (halves, app) = (pool.handle(), pool.start(&System::new()).await.expect("it starts"));
    let mut next = 48;
    let odd = loop {
        match soon(soon(halves.submit(next)).await.expect("it is accepted")).await.expect("it is done") {
            Then::Next(number) => next = number,
            Then::Done(odd) => break odd,
        }
    };
    assert_eq!((odd, halves.stats().completed), (3, 5));
    assert!(app.shutdown().await.is_clean());
}

/// This is why workers compose nothing.
#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_another_one_of_its_only_worker_waits_until_its_time_limit() {
    type Waits = fn(bool) -> Result<bool, &'static str>;
    let own: Arc<OnceLock<WeakPoolHandle<Waits>>> = Arc::default();
    let found = own.clone();
    let pool = Pool::from_fn("waiters", 1, move |waits: &bool| {
        let (waits, own) = (*waits, found.get().and_then(WeakPoolHandle::upgrade));
        async move {
            if let Some(own) = own.filter(|_| waits) {
                let inner = own.submit(false).await.map_err(|_| "it is closed")?;
                inner.await.map_err(|_| "it failed")?;
            }
            Ok(waits)
        }
    });
    let (waiters, pool) = (pool.handle(), pool.time_limit(secs(60)).attempts(1));
    own.set(waiters.downgrade()).unwrap_or_else(|_| panic!("it is set once"));
    let app = pool.start(&System::new()).await.expect("it starts");
    let mut outer = soon(waiters.submit(true)).await.expect("it is accepted");
    tokio::time::sleep(secs(59)).await;
    assert!(pends(&mut outer).await);
    assert_eq!((waiters.stats().running, waiters.stats().queued), (1, 1));
    tokio::time::sleep(secs(1) + ms(1)).await;
    assert_eq!(soon(outer).await.unwrap_err().failures()[..], [AttemptError::TimedOut]);
    soon(waiters.drain()).await;
    assert_eq!(waiters.stats().completed, 1, "the worker is free for it then");
    assert!(app.shutdown().await.is_clean());
}
