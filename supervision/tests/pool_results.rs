//! The results of jobs, and how submitters receive them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use perennial_actors::{ExitReason, Pid, System};
use perennial_supervision::pool::{JobContext, JobError, Pool, SubmitError, Worker, WorkerContext};

use crate::support::pool;
use crate::support::pool::{
    Step, describe, job, long, ms, now, outcome_of, pends, quick, quiet, scripted_pool, soon, start, started,
};

#[tokio::test(start_paused = true)]
async fn a_job_that_is_submitted_is_a_future_of_its_result() {
    let running = started(2).await;
    let mut slow = soon(running.pool.submit(long(1, ms(10)))).await.expect("it is accepted");
    assert!(pends(&mut slow).await);
    assert_eq!(soon(slow).await.ok(), Some(1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_can_be_awaited_late_and_after_the_pool_has_ended() {
    let running = started(1).await;
    let done = running.submit(quick(1));
    running.drained().await;
    running.close().await;
    assert_eq!(outcome_of(done).await, "done 1");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_numbered_in_submission_order() {
    let running = started(1).await;
    let ids: Vec<_> = running.submit_all(1..=3).iter().map(pool::ScriptedJob::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(ids[0].to_string(), "#1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_awaited_in_two_tasks_wakes_the_last() {
    let running = started(1).await;
    let mut slow = running.submit(long(1, ms(10)));
    assert!(pends(&mut slow).await);
    let elsewhere = tokio::spawn(slow);
    assert!(soon(elsewhere).await.expect("it does not panic").is_ok());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_job_runs() {
    let running = started(1).await;
    soon(running.pool.submit(quick(1)).detach()).await.expect("it is accepted");
    drop(running.submit(quick(2)));
    drop(soon(running.pool.submit_many([quick(3), quick(4)])).await.expect("they are accepted"));
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1, 2, 3, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_submitted_before_the_start_run_after_it() {
    let (pool, journal) = scripted_pool(2);
    let early = now(pool.handle().submit(quick(1)));
    let running = start((pool, journal)).await;
    assert_eq!(outcome_of(early).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn batch_results_come_in_submission_order() {
    let running = started(3).await;
    let jobs = [long(1, ms(30)), job(2, [Step::Fail]), long(3, ms(10))];
    let batch = soon(running.pool.submit_many(jobs)).await.expect("they are accepted");
    assert_eq!((batch.len(), batch.is_empty()), (3, false));
    let results: Vec<String> = soon(batch.join_all()).await.iter().map(describe).collect();
    assert_eq!(results, ["done 1", "no luck, no luck, no luck", "done 3"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn batch_results_come_in_completion_order() {
    let running = started(3).await;
    let jobs = [long(1, ms(30)), long(2, ms(20)), long(3, ms(10))];
    let mut batch = soon(running.pool.submit_many(jobs)).await.expect("they are accepted");
    let mut places = Vec::new();
    while let Some((place, result)) = soon(batch.next_completed()).await {
        assert_eq!(result.ok(), Some(place as u64 + 1));
        places.push(place);
    }
    assert_eq!(places, [2, 1, 0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn batch_orders_can_be_mixed_without_repeating_or_losing_a_result() {
    let running = started(4).await;
    let jobs = [long(0, ms(40)), long(1, ms(10)), long(2, ms(30)), long(3, ms(20))];
    let mut batch = soon(running.pool.submit_many(jobs)).await.expect("they are accepted");
    assert_eq!(soon(batch.next_completed()).await.map(|(place, _)| place), Some(1));
    assert_eq!(soon(batch.next_ordered()).await.map(|result| result.ok()), Some(Some(0)));
    assert_eq!(soon(batch.next_ordered()).await.map(|result| result.ok()), Some(Some(2)), "1 was returned");
    assert_eq!(soon(batch.next_completed()).await.map(|(place, _)| place), Some(3));
    assert!(soon(batch.next_ordered()).await.is_none());
    assert!(soon(batch.next_completed()).await.is_none());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_has_no_results() {
    let running = started(1).await;
    let mut batch = soon(running.pool.submit_many([])).await.expect("there is nothing to refuse");
    assert!(batch.is_empty());
    assert!(soon(batch.next_completed()).await.is_none());
    assert!(soon(batch.next_ordered()).await.is_none());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_jobs_of_a_batch_are_in_its_results() {
    let running = started(1).await;
    let jobs = [long(1, ms(10)), quick(2), quick(3)];
    let batch = soon(running.pool.submit_many(jobs)).await.expect("they are accepted");
    quiet().await;
    assert_eq!(running.pool.clear(), 2);
    let results: Vec<String> = soon(batch.join_all()).await.iter().map(describe).collect();
    assert_eq!(results, ["done 1", "dropped", "dropped"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn submit_many_may_exceed_the_capacity() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.capacity(3), journal)).await;
    let jobs = (0..100).map(|number| long(number, ms(number % 3)));
    let results = soon(running.pool.submit_many(jobs)).await.expect("they are accepted").join_all();
    let numbers: Vec<u64> = soon(results).await.into_iter().flatten().collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn submit_many_returns_the_first_rejected_job_and_runs_those_before_it() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let (pool, jobs) = (running.pool.clone(), (1..=9).map(|number| long(number, ms(10))));
    let submitting = tokio::spawn(async move { pool.submit_many(jobs).await.map(drop) });
    quiet().await;
    assert!(!running.app.shutdown().await.unstopped.iter().any(|late| late.abandoned));
    let Err(SubmitError::Closed(back)) = soon(submitting).await.expect("it does not panic") else {
        panic!("the pool is closed");
    };
    assert_eq!(back.number, 3, "one is worked at, and one waits");
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

/// Returns its own context as the result.
struct ReportsContext(WorkerContext);

impl Worker for ReportsContext {
    type Job = ();
    type Output = (usize, Pid, System, &'static str);
    type Error = ();
    type Args = &'static str;

    async fn init(_: &&'static str, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(at.clone()))
    }

    async fn work(&mut self, (): &(), _: &JobContext<'_>) -> Result<Self::Output, ()> {
        // So that each worker gets one job.
        tokio::time::sleep(ms(1)).await;
        Ok((self.0.slot, self.0.pid, self.0.system.clone(), "told"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_knows_its_slot_its_incarnation_and_its_system() {
    let pool = Pool::<ReportsContext>::new("reporters", 3, "args");
    let (reporters, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    let batch = soon(reporters.submit_many([(), (), ()])).await.expect("they are accepted");
    let results: Vec<_> =
        soon(batch.join_all()).await.into_iter().map(|result| result.expect("it has a result")).collect();
    let mut slots = HashSet::new();
    for (slot, pid, its_system, word) in results {
        assert!(slots.insert(slot) && its_system == system && word == "told");
        let id = slot.to_string();
        assert_eq!(app.tree().at([id.as_str()]).expect("it is there").pid, Some(pid));
    }
    assert_eq!(slots, HashSet::from([0, 1, 2]));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn any_async_function_makes_a_pool() {
    let shout = |text: &String| {
        let text = text.to_uppercase();
        async move { if text.is_empty() { Err("nothing to say") } else { Ok(text) } }
    };
    let pool = Pool::from_fn("shouters", 2, shout).attempts(1);
    let (shouters, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    assert_eq!(soon(now(shouters.submit("hey".to_owned()))).await.expect("it is done"), "HEY");
    let Err(JobError::Failed(failures)) = soon(now(shouters.submit(String::new()))).await else {
        panic!("it fails");
    };
    assert_eq!(failures[0].to_string(), "nothing to say");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_blocking_function_runs_on_its_own_thread() {
    // A later job uses the other end: on a single thread it would never run.
    let (sender, receiver) = mpsc::channel();
    let (sender, receiver) = (Mutex::new(sender), Mutex::new(receiver));
    let meet = move |waits: bool| {
        if waits {
            receiver.lock().expect("not poisoned").recv().map_err(drop)?;
        } else {
            sender.lock().expect("not poisoned").send(()).map_err(drop)?;
        }
        Ok::<_, ()>(thread::current().id())
    };
    let pool = Pool::from_blocking_fn("blockers", 2, meet);
    let (blockers, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    let batch = blockers.submit_many([true, false]).await.expect("they are accepted");
    for thread in batch.join_all().await {
        assert_ne!(thread.expect("it is done"), thread::current().id());
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_blocking_function_that_panics_ends_its_worker_and_is_retried() {
    let first = Arc::new(Mutex::new(true));
    let pool = Pool::from_blocking_fn("blockers", 1, move |number: u64| {
        let is_first = std::mem::take(&mut *first.lock().expect("not poisoned"));
        assert!(!is_first, "a bug");
        Ok::<u64, ()>(number)
    });
    let (blockers, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    let before = app.tree().at(["0"]).expect("it is there").pid;
    assert_eq!(now(blockers.submit(7)).await.expect("it is done"), 7);
    assert_ne!(app.tree().at(["0"]).expect("it is there").pid, before);
    assert!(app.shutdown().await.is_clean());
}
