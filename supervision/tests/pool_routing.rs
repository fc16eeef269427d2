//! The assignment of jobs to workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use perennial_supervision::Backoff;
use perennial_supervision::pool::Routing;

use crate::support::pool;
use crate::support::pool::{
    Running, StartedAttempt, Step, job, long, ms, now, outcome_of, quick, quiet, scripted_pool, secs, start,
    started,
};

async fn routed(workers: usize, routing: Routing) -> Running {
    let (pool, journal) = scripted_pool(workers);
    start((pool.routing(routing), journal)).await
}

/// Returns the slots of the started attempts.
fn slots(begun: &[StartedAttempt]) -> Vec<usize> {
    begun.iter().map(|begun| begun.slot).collect()
}

#[tokio::test(start_paused = true)]
async fn no_job_waits_for_a_busy_worker_while_another_is_idle_unless_it_is_routed_otherwise() {
    let running = started(4).await;
    let stuck: Vec<_> = (0..3).map(|number| running.submit(job(number, [Step::Hang]))).collect();
    quiet().await;
    for job_handle in running.submit_all(3..50) {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert!(stuck.iter().all(pool::ScriptedJob::cancel));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn shared_jobs_keep_all_workers_busy() {
    let running = started(4).await;
    let all: Vec<_> = (0..8).map(|number| running.submit(long(number, ms(10)))).collect();
    let before = tokio::time::Instant::now();
    for job_handle in all {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    assert_eq!(before.elapsed(), ms(20));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn round_robin_gives_each_worker_equally_many_jobs_even_if_one_is_busy() {
    let running = routed(3, Routing::RoundRobin).await;
    let slow = running.submit(long(0, secs(1)));
    let all = running.submit_all(1..9);
    quiet().await;
    assert_eq!(running.journal.take().len(), 7, "two wait for the one that is busy");
    for job_handle in all.into_iter().chain([slow]) {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    let late = running.journal.take();
    assert_eq!(late.iter().map(|begun| (begun.job, begun.slot)).collect::<Vec<_>>(), [(3, 0), (6, 0)]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn least_queued_routing_assigns_to_the_worker_with_the_fewest_jobs() {
    let running = routed(3, Routing::LeastQueued).await;
    let _slow = [long(0, ms(30)), long(1, ms(20)), long(2, ms(40))].map(|job| running.submit(job));
    quiet().await;
    let first = running.journal.take();
    assert_eq!(slots(&first), [0, 1, 2]);
    // Each worker gets one more job. Then the first free worker has the fewest.
    let more: Vec<_> = (3..6).map(|number| running.submit(long(number, secs(1)))).collect();
    tokio::time::sleep(ms(25)).await;
    let urgent = running.submit(quick(6));
    running.drained().await;
    let begun = running.journal.take();
    let mut by_slot: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    begun.iter().for_each(|begun| by_slot.entry(begun.slot).or_default().push(begun.job));
    assert_eq!(by_slot, BTreeMap::from([(0, vec![3]), (1, vec![4, 6]), (2, vec![5])]));
    for job_handle in more.into_iter().chain([urgent]) {
        assert!(outcome_of(job_handle).await.starts_with("done"));
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_one_key_are_done_by_one_worker_one_after_the_other_in_order() {
    for routing in [Routing::Shared, Routing::RoundRobin, Routing::LeastQueued] {
        let running = routed(4, routing).await;
        for number in 0..200_u64 {
            let key = format!("key {}", number % 10);
            drop(now(running.pool.submit(long(number, ms(number % 7))).key(&key)));
        }
        running.drained().await;
        let mut by_key: HashMap<u64, Vec<StartedAttempt>> = HashMap::new();
        let begun = running.journal.take();
        begun.iter().for_each(|begun| by_key.entry(begun.job % 10).or_default().push(*begun));
        for begun in by_key.values() {
            assert_eq!(slots(begun), [begun[0].slot].repeat(20));
            assert!(begun.is_sorted_by(|a, b| a.job < b.job && a.at + a.job % 7 <= b.at), "{begun:?}");
        }
        assert!(slots(&begun).into_iter().collect::<BTreeSet<_>>().len() > 1, "the keys are spread");
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crashed_worker_keeps_its_keys_and_the_order_of_its_jobs() {
    let (pool, journal) = scripted_pool(4);
    let running = start((pool.backoff(Backoff::new(secs(1), secs(1))), journal)).await;
    let ill = now(running.pool.submit(job(0, [Step::Panic, Step::Fail, Step::Do])).key(&"a"));
    for number in 1..5 {
        drop(now(running.pool.submit(quick(number)).key(&"a")));
    }
    running.drained().await;
    let begun = running.journal.take();
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(slots(&begun), [begun[0].slot; 7]);
    assert_eq!(begun[1].incarnation, 2);
    assert_eq!(outcome_of(ill).await, "done 0");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn keys_remap_when_the_workers_change() {
    let running = started(6).await;
    for workers in [6, 2, 5, 1] {
        running.pool.resize(workers).await.expect("it goes well");
        for number in 0..60_u64 {
            drop(now(running.pool.submit(long(number, ms(1))).key(&(number % 12))));
        }
        running.drained().await;
        let begun = running.journal.take();
        assert_eq!(begun.len(), 60);
        assert!(begun.iter().all(|begun| begun.slot < workers), "{begun:?}");
        let by_key: BTreeSet<(u64, usize)> = begun.iter().map(|begun| (begun.job % 12, begun.slot)).collect();
        assert_eq!(by_key.len(), 12, "each key has one worker");
    }
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_removed_worker_run_on_the_others_in_order() {
    let running = routed(2, Routing::RoundRobin).await;
    running.pool.pause();
    drop(running.submit_all(1..=6));
    running.pool.resize(1).await.expect("it goes well");
    running.pool.resume();
    running.drained().await;
    let begun = running.journal.take();
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(slots(&begun), [0; 6]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn only_running_workers_are_assigned_jobs() {
    for routing in [Routing::RoundRobin, Routing::LeastQueued, Routing::Shared] {
        let (pool, journal) = scripted_pool(2..=9);
        let running = start((pool.routing(routing), journal)).await;
        for number in 0..40 {
            let submission = running.pool.submit(quick(number));
            drop(now(if routing == Routing::Shared { submission.key(&number) } else { submission }));
        }
        quiet().await;
        let begun = running.journal.take();
        assert_eq!(begun.len(), 40, "{routing:?}: all were done at once");
        assert_eq!(slots(&begun).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1]));
        running.close().await;
    }
}
