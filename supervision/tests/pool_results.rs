//! What comes of jobs, and how whoever submitted them hears of it.

#[path = "support/pool.rs"]
mod support;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use perennial_actors::{ExitReason, Pid, System};
use perennial_supervision::pool::{JobError, Pool, SubmitError, Worker, WorkerContext};
use support::{Deed, fate, hands, job, long, ms, now, pends, quick, quiet, soon, start, started, told};

#[tokio::test(start_paused = true)]
async fn a_job_that_is_submitted_is_a_future_of_its_result() {
    let running = started(2).await;
    let mut slow = soon(running.pool.submit(long(1, ms(10)))).await.expect("it is taken in");
    assert!(pends(&mut slow).await);
    assert_eq!(soon(slow).await.ok(), Some(1));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_waits_for_whoever_comes_for_it_late_also_after_the_pool_has_ended() {
    let running = started(1).await;
    let done = running.submit(quick(1));
    running.drained().await;
    running.close().await;
    assert_eq!(fate(done).await, "done 1");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_numbered_in_the_order_in_which_they_come() {
    let running = started(1).await;
    let ids: Vec<_> = running.submit_all(1..=3).iter().map(support::Promise::id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(ids[0].to_string(), "#1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_waited_for_in_one_task_and_then_in_another_wakes_the_last() {
    let running = started(1).await;
    let mut slow = running.submit(long(1, ms(10)));
    assert!(pends(&mut slow).await);
    let elsewhere = tokio::spawn(slow);
    assert!(soon(elsewhere).await.expect("it does not panic").is_ok());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_is_done_also_if_nobody_wants_to_hear_of_it() {
    let running = started(1).await;
    soon(running.pool.submit(quick(1)).detach()).await.expect("it is taken in");
    drop(running.submit(quick(2)));
    drop(soon(running.pool.submit_many([quick(3), quick(4)])).await.expect("they are taken in"));
    running.drained().await;
    assert_eq!(running.journal.jobs(), [1, 2, 3, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_that_are_submitted_before_the_pool_is_started_are_done_when_it_is() {
    let (pool, journal) = hands(2);
    let early = now(pool.handle().submit(quick(1)));
    let running = start((pool, journal)).await;
    assert_eq!(fate(early).await, "done 1");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_results_of_many_come_in_the_order_in_which_the_jobs_were_submitted() {
    let running = started(3).await;
    let jobs = [long(1, ms(30)), job(2, [Deed::Fail]), long(3, ms(10))];
    let batch = soon(running.pool.submit_many(jobs)).await.expect("they are taken in");
    assert_eq!((batch.len(), batch.is_empty()), (3, false));
    let results: Vec<String> = soon(batch.join_all()).await.iter().map(told).collect();
    assert_eq!(results, ["done 1", "no luck, no luck, no luck", "done 3"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn or_in_the_order_in_which_they_come() {
    let running = started(3).await;
    let jobs = [long(1, ms(30)), long(2, ms(20)), long(3, ms(10))];
    let mut batch = soon(running.pool.submit_many(jobs)).await.expect("they are taken in");
    let mut places = Vec::new();
    while let Some((place, result)) = soon(batch.next_completed()).await {
        assert_eq!(result.ok(), Some(place as u64 + 1));
        places.push(place);
    }
    assert_eq!(places, [2, 1, 0]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn or_first_so_and_then_so_and_none_is_told_twice_or_missed() {
    let running = started(4).await;
    let jobs = [long(0, ms(40)), long(1, ms(10)), long(2, ms(30)), long(3, ms(20))];
    let mut batch = soon(running.pool.submit_many(jobs)).await.expect("they are taken in");
    assert_eq!(soon(batch.next_completed()).await.map(|(place, _)| place), Some(1));
    assert_eq!(soon(batch.next_ordered()).await.map(|result| result.ok()), Some(Some(0)));
    assert_eq!(soon(batch.next_ordered()).await.map(|result| result.ok()), Some(Some(2)), "1 was told");
    assert_eq!(soon(batch.next_completed()).await.map(|(place, _)| place), Some(3));
    assert!(soon(batch.next_ordered()).await.is_none());
    assert!(soon(batch.next_completed()).await.is_none());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_no_jobs_there_are_no_results() {
    let running = started(1).await;
    let mut batch = soon(running.pool.submit_many([])).await.expect("there is nothing to refuse");
    assert!(batch.is_empty());
    assert!(soon(batch.next_completed()).await.is_none());
    assert!(soon(batch.next_ordered()).await.is_none());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_batch_that_are_dropped_are_told_of_with_the_others() {
    let running = started(1).await;
    let jobs = [long(1, ms(10)), quick(2), quick(3)];
    let batch = soon(running.pool.submit_many(jobs)).await.expect("they are taken in");
    quiet().await;
    assert_eq!(running.pool.clear(), 2);
    let results: Vec<String> = soon(batch.join_all()).await.iter().map(told).collect();
    assert_eq!(results, ["done 1", "dropped", "dropped"]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn more_jobs_than_there_is_room_for_go_in_as_there_is_and_none_is_missed() {
    let (pool, journal) = hands(2);
    let running = start((pool.capacity(3), journal)).await;
    let jobs = (0..100).map(|number| long(number, ms(number % 3)));
    let results = soon(running.pool.submit_many(jobs)).await.expect("they are taken in").join_all();
    let numbers: Vec<u64> = soon(results).await.into_iter().flatten().collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_the_first_that_is_not_taken_in_comes_back_and_those_before_it_are_done() {
    let (pool, journal) = hands(1);
    let running = start((pool.capacity(1), journal)).await;
    let (pool, jobs) = (running.pool.clone(), (1..=9).map(|number| long(number, ms(10))));
    let submitting = tokio::spawn(async move { pool.submit_many(jobs).await.map(drop) });
    quiet().await;
    assert!(!running.app.shutdown().await.stragglers.iter().any(|late| late.abandoned));
    let Err(SubmitError::Closed(back)) = soon(submitting).await.expect("it does not panic") else {
        panic!("the pool is closed");
    };
    assert_eq!(back.number, 3, "one is worked at, and one waits");
    assert_eq!(running.journal.jobs(), [1]);
    running.close().await;
}

/// Tells where it works.
struct Teller(WorkerContext);

impl Worker for Teller {
    type Job = ();
    type Output = (usize, Pid, System, &'static str);
    type Error = ();
    type Args = &'static str;

    async fn init(_: &&'static str, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self(at.clone()))
    }

    async fn work(&mut self, (): &()) -> Result<Self::Output, ()> {
        // So that each of them has one.
        tokio::time::sleep(ms(1)).await;
        Ok((self.0.slot, self.0.pid, self.0.system.clone(), "told"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_knows_its_slot_its_incarnation_and_its_system() {
    let pool = Pool::new::<Teller>("tellers", 3, "args");
    let (tellers, system) = (pool.handle(), System::new());
    let app = pool.start(&system).await.expect("it starts");
    let batch = soon(tellers.submit_many([(), (), ()])).await.expect("they are taken in");
    let told: Vec<_> =
        soon(batch.join_all()).await.into_iter().map(|told| told.expect("it is told")).collect();
    let mut slots = HashSet::new();
    for (slot, pid, its_system, word) in told {
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
async fn a_function_that_blocks_does_so_on_a_thread_of_its_own() {
    // The other end is used by a job that comes later: on one thread it would never get there.
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
    let batch = blockers.submit_many([true, false]).await.expect("they are taken in");
    for thread in batch.join_all().await {
        assert_ne!(thread.expect("it is done"), thread::current().id());
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_function_that_blocks_and_panics_ends_its_worker_and_is_tried_again() {
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
