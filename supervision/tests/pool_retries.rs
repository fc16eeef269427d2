//! Retries: the worker of the next attempt, and the result if there is none in time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use perennial_actors::{ExitReason, System};
use perennial_supervision::Backoff;
use perennial_supervision::pool::{
    JobContext, JobError, JobEvent, Pool, PoolHandle, Routing, Worker, WorkerContext,
};
use tokio::time::sleep;

use crate::support::pool::{
    Step, events, job, ms, now, outcome_of, quick, quiet, scripted_pool, secs, soon, start, started,
};

/// The attempts of a pool in order: the job and the slot of the worker.
type Attempts = Arc<Mutex<Vec<(u64, usize)>>>;

/// A worker that fails every job at once in slot 0. In the others each job takes 10 ms.
struct Uneven {
    slot: usize,
    attempts: Attempts,
}

impl Worker for Uneven {
    type Job = u64;
    type Output = usize;
    type Error = &'static str;
    type Args = Attempts;

    async fn init(attempts: &Attempts, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { slot: at.slot, attempts: attempts.clone() })
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<usize, &'static str> {
        self.attempts.lock().expect("not poisoned").push((*job, self.slot));
        if self.slot == 0 {
            return Err("broken worker");
        }
        sleep(ms(10)).await;
        Ok(self.slot)
    }
}

async fn submit_each(pool: &PoolHandle<Uneven>, jobs: u64) {
    let mut handles = Vec::new();
    for job in 0..jobs {
        handles.push(pool.submit(job).await.expect("it is accepted"));
    }
    for handle in handles {
        let slot = soon(handle).await.expect("a healthy worker does it");
        assert_ne!(slot, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_failing_worker_costs_each_job_at_most_one_attempt() {
    for routing in [Routing::Shared, Routing::RoundRobin, Routing::LeastQueued] {
        let attempts = Attempts::default();
        let pool = Pool::<Uneven>::new("uneven", 4, attempts.clone())
            .attempts(2)
            .retry_errors(true)
            .routing(routing);
        let handle = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        submit_each(&handle, 200).await;
        let mut by_job: HashMap<u64, Vec<usize>> = HashMap::new();
        for (job, slot) in attempts.lock().expect("not poisoned").drain(..) {
            by_job.entry(job).or_default().push(slot);
        }
        for slots in by_job.values() {
            assert!(slots.len() == 1 || slots[0] == 0 && slots[1] != 0, "{routing:?}: {slots:?}");
        }
        assert!(by_job.values().any(|slots| slots.len() == 2), "{routing:?}: none failed");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_another_running_worker_though_the_same_one_is_idle() {
    let running = started(2).await;
    let busy = running.submit(job(1, [Step::Take(secs(5))]));
    quiet().await;
    let retried = running.submit(job(2, [Step::Fail, Step::Do]));
    let other = running.submit(quick(3));
    assert_eq!(outcome_of(other).await, "done 3", "the worker that failed it goes on with other jobs");
    assert_eq!(outcome_of(retried).await, "done 2");
    assert_eq!(outcome_of(busy).await, "done 1");
    let begun = running.journal.take();
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [1, 2, 3, 2]);
    assert_eq!((begun[0].slot, begun[1].slot), (begun[3].slot, 1 - begun[3].slot));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_runs_on_the_same_worker_if_no_other_runs() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.backoff(Backoff::new(secs(60), secs(60))), journal)).await;
    let stuck = running.submit(job(1, [Step::Hang, Step::Do]));
    quiet().await;
    let slot = running.journal.take()[0].slot;
    let retried = running.submit(job(2, [Step::Fail, Step::Do]));
    quiet().await;
    assert_eq!(running.journal.jobs(), [2], "it waits for the other worker");
    running.kill(slot).await;
    for handle in [stuck, retried] {
        assert!(outcome_of(handle).await.starts_with("done"));
    }
    let begun = running.journal.take();
    assert_eq!(
        begun.iter().map(|begun| (begun.job, begun.slot)).collect::<Vec<_>>(),
        [(1, 1 - slot), (2, 1 - slot)]
    );
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_with_a_key_stays_with_the_worker_of_the_key() {
    let running = started(4).await;
    let first = now(running.pool.submit(job(1, [Step::Fail, Step::Do])).key(&"a"));
    let second = now(running.pool.submit(quick(2)).key(&"a"));
    assert_eq!(
        (outcome_of(first).await, outcome_of(second).await),
        ("done 1".to_owned(), "done 2".to_owned())
    );
    let begun = running.journal.take();
    assert_eq!(begun.iter().map(|begun| begun.job).collect::<Vec<_>>(), [1, 1, 2]);
    assert!(begun.iter().all(|attempt| attempt.slot == begun[0].slot), "{begun:?}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_that_expires_before_its_retry_is_a_dead_job() {
    for backoff in [ms(0), secs(60)] {
        let running = started(1).await;
        let mut received = running.pool.subscribe();
        let ill = running.pool.submit(job(1, [Step::FailAfter(ms(50)), Step::Do])).expires_in(ms(100));
        let ill = now(ill.backoff(Backoff::new(backoff, backoff)));
        quiet().await;
        // It gets the worker as soon as that is free.
        let urgent = now(running.pool.submit(job(2, [Step::Take(secs(9))])).priority(1));
        let (id, error) = (ill.id(), soon(ill).await.expect_err("it failed"));
        assert_eq!(error.to_string(), "the job expired after it failed (1 attempt), last failure: no luck");
        let JobError::Expired(failures) = error else { panic!("{error:?}") };
        assert_eq!(failures.len(), 1);
        let dead = running.pool.drain_dead_jobs();
        assert_eq!((dead.len(), dead[0].id, dead[0].job.number), (1, id, 1));
        assert_eq!(dead[0].failures[0].to_string(), "no luck");
        assert_eq!(outcome_of(urgent).await, "done 2");
        let of_it = |event: &JobEvent| matches!(event, JobEvent::Dead(dead) if *dead == id);
        assert_eq!(events(&mut received).iter().filter(|event| of_it(event)).count(), 1);
        let stats = running.pool.stats();
        assert_eq!((stats.failed, stats.dropped), (1, 0));
        assert_eq!(running.journal.jobs(), [1, 2]);
        running.close().await;
    }
}
