//! Jobs are submitted by the time of day, once per slot, whatever the processes do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::pool::{Durable, DurableHandle, DurablePool, Missed, Schedule};
use perennial_durable::{JobFilter, MemoryStore, Store};
use perennial_supervision::{App, StartError, SupervisorHandle};
use tokio::time::sleep;

use crate::support::{Numbers, squares};

const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_MILLIS: u64 = 3_600_000;

/// A pool with a job every hour.
fn hourly(store: Arc<dyn Store>, missed: Missed) -> DurablePool<Numbers> {
    let schedule = Schedule::every(HOUR).missed(missed);
    let pool = squares().durable(store).retain_results(HOUR * 10_000);
    pool.schedule("hourly", schedule, |slot| slot.0 / HOUR_MILLIS % 1_000)
}

async fn start(pool: DurablePool<Numbers>) -> (App<SupervisorHandle>, DurableHandle<Numbers>) {
    let handle = pool.handle();
    (pool.start(&System::new()).await.expect("a pool"), handle)
}

/// Returns the hours of which there is a job, in the order of their submission.
async fn hours(store: &dyn Store) -> Vec<u64> {
    let records = store.jobs(JobFilter::default()).await.expect("the store can be read");
    let hour = |key: &str| {
        key.rsplit(' ').next().expect("the key of a slot").parse::<u64>().expect("the key of a slot")
            / HOUR_MILLIS
    };
    records.iter().map(|record| hour(&record.job.unique.as_ref().expect("the key of a slot").key)).collect()
}

fn ascend_by_one(hours: &[u64]) -> bool {
    hours.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

#[tokio::test(start_paused = true)]
async fn each_slot_has_one_job_also_with_many_processes() {
    let store = MemoryStore::new();
    let mut processes = Vec::new();
    for _ in 0..5 {
        processes.push(start(hourly(Arc::new(store.join()), Missed::Once)).await);
    }
    sleep(HOUR * 10).await;
    let submitted = hours(&store).await;
    assert_eq!((submitted.len(), ascend_by_one(&submitted)), (10, true), "{submitted:?}");
    processes[0].1.drain().await.unwrap();
    for (app, _) in processes {
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_no_process_ran_is_made_up_for_as_the_rule_says() {
    for (missed, expected) in [(Missed::Skip, 0), (Missed::Once, 1), (Missed::All, 240)] {
        let store = MemoryStore::new();
        // The clock of a pool goes on from when it is made.
        let later = hourly(Arc::new(store.join()), missed);
        let (app, _) = start(hourly(Arc::new(store.join()), missed)).await;
        sleep(HOUR + Duration::from_secs(1)).await;
        assert!(app.shutdown().await.is_clean());
        let before = hours(&store).await;
        assert_eq!(before.len(), 1);
        // Ten days, and not at the time of a slot.
        sleep(HOUR * 240).await;
        if hours_are_about_to_change(&later.handle()) {
            sleep(Duration::from_secs(180)).await;
        }
        let (app, _) = start(later).await;
        sleep(Duration::from_secs(5)).await;
        let after = hours(&store).await;
        let made_up = after.len() - 1;
        assert!(made_up == expected || expected == 240 && made_up == 241, "{missed:?}: {made_up}");
        assert_eq!(ascend_by_one(&after), missed != Missed::Once, "{after:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// Returns `true` if a slot is due within two minutes, or was.
fn hours_are_about_to_change(numbers: &DurableHandle<Numbers>) -> bool {
    let now =
        numbers.submit(0).delay(Duration::from_millis(1)).prepare().expect("a number").due.0 % HOUR_MILLIS;
    !(120_000..HOUR_MILLIS - 120_000).contains(&now)
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_lost_or_doubled_while_the_store_fails_and_pools_are_killed() {
    const FAULTS: Faults = Faults {
        full: 100,
        busy: 100,
        disconnected: 100,
        lost_answer: 100,
        failed_sync: 100,
        sync_time: Duration::from_millis(20),
        acknowledges_early: false,
    };
    for seed in 0..50 {
        let store = Arc::new(FaultStore::new(seed, FAULTS));
        let pools: Vec<_> = (0..3).map(|_| hourly(store.clone(), Missed::All)).collect();
        for pool in pools {
            let (app, _) = start(pool).await;
            sleep(HOUR * 4).await;
            app.handle().kill().unwrap();
            sleep(HOUR * 4).await;
        }
        store.set_faults(Faults::default());
        let submitted = hours(&*store).await;
        assert!((19..=21).contains(&submitted.len()), "seed {seed}: {submitted:?}");
        assert!(ascend_by_one(&submitted), "seed {seed}: {submitted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_made_is_made_later_and_options_are_its_own() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let store = Arc::new(MemoryStore::new());
    let pool = squares().durable(store.clone());
    let pool = pool.schedule_with("hourly", Schedule::every(HOUR), move |_, pool| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 5, "not yet");
        pool.submit(7).priority(9)
    });
    let (app, numbers) = start(pool).await;
    sleep(HOUR * 3).await;
    let records = numbers.jobs(JobFilter::default()).await.unwrap();
    assert!((2..=3).contains(&records.len()), "{records:?}");
    assert!(records.iter().all(|record| record.job.priority == 9));
    assert!(calls.load(Ordering::SeqCst) > 6);
    let other = numbers.submit(3).await.unwrap();
    assert_eq!(other.outcome().await, Ok(9), "the pool goes on");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn two_schedules_of_one_name_are_an_error_of_the_start() {
    let pool = hourly(Arc::new(MemoryStore::new()), Missed::Skip);
    let pool = pool.schedule("hourly", Schedule::every(HOUR), |slot| slot.0);
    let refused = pool.start(&System::new()).await;
    assert!(matches!(refused, Err(StartError::Spec(_))), "{:?}", refused.err());
}
