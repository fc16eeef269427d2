//! Broadcasts: one copy of a job for every worker.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::pool::{
    JobContext, JobError, Pool, PoolHandle, Routing, SubmitError, Worker, WorkerContext,
};
use perennial_supervision::{App, Backoff, SupervisorHandle};
use tokio::time::sleep;

use crate::support::pool;
use crate::support::pool::{ms, quiet, secs, soon};

#[derive(Clone, Debug, PartialEq)]
enum Job {
    Note(u32),
    Take(Duration),
    /// Crashes the first incarnation of worker 1. All others note it.
    CrashOne(u32),
    /// Ends any worker.
    Crash,
}

/// The jobs that each worker noted.
type Notes = Arc<Mutex<BTreeMap<usize, Vec<u32>>>>;

struct Noter {
    at: WorkerContext,
    notes: Notes,
}

impl Worker for Noter {
    type Job = Job;
    type Output = usize;
    type Error = Infallible;
    type Args = Notes;

    async fn init(notes: &Notes, at: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { at: at.clone(), notes: notes.clone() })
    }

    async fn work(&mut self, job: &Job, _: &JobContext<'_>) -> Result<usize, Infallible> {
        match job {
            Job::Take(time) => sleep(*time).await,
            Job::CrashOne(_) if self.at.slot == 1 && self.at.pid.incarnation() == 1 => panic!("a bug"),
            Job::Crash => panic!("a bug"),
            Job::Note(note) | Job::CrashOne(note) => {
                self.notes
                    .lock()
                    .expect("no thread panics under the lock")
                    .entry(self.at.slot)
                    .or_default()
                    .push(*note);
            }
        }
        Ok(self.at.slot)
    }
}

struct Running {
    app: App<SupervisorHandle>,
    pool: PoolHandle<Noter>,
    notes: Notes,
}

async fn start(workers: usize, set: impl FnOnce(Pool<Noter>) -> Pool<Noter>) -> Running {
    let notes = Notes::default();
    let pool = set(Pool::<Noter>::new("noters", workers, notes.clone()));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    Running { app, pool: handle, notes }
}

impl Running {
    /// Broadcasts a job. Returns the worker of each copy, or its error.
    async fn broadcast(&self, job: Job) -> Vec<Result<usize, String>> {
        let batch = soon(self.pool.submit(job).broadcast()).await.expect("it takes them");
        soon(batch.join_all())
            .await
            .into_iter()
            .map(|result| result.map_err(|error| error.to_string()))
            .collect()
    }

    fn notes(&self) -> Vec<(usize, Vec<u32>)> {
        self.notes.lock().expect("no thread panics under the lock").clone().into_iter().collect()
    }

    async fn close(self) {
        assert!(soon(self.app.shutdown()).await.is_clean());
        pool::assert_accounts(&self.pool.stats());
    }
}

#[tokio::test(start_paused = true)]
async fn each_worker_has_one_copy_of_a_broadcast_however_jobs_are_routed() {
    for routing in [Routing::Shared, Routing::RoundRobin, Routing::LeastQueued] {
        let running = start(3, |pool| pool.routing(routing)).await;
        assert_eq!(running.broadcast(Job::Note(7)).await, [Ok(0), Ok(1), Ok(2)]);
        assert_eq!(running.notes(), [(0, vec![7]), (1, vec![7]), (2, vec![7])]);
        running.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_waits_for_its_own_worker_while_others_are_idle() {
    let running = start(3, |pool| pool).await;
    let busy = running.pool.submit(Job::Take(secs(5))).try_submit().expect("there is room");
    quiet().await;
    let batch = running.pool.submit(Job::Note(1)).broadcast().await.expect("it takes them");
    quiet().await;
    assert_eq!(running.notes().len(), 2, "the idle ones have theirs");
    let late = soon(busy).await.expect("it is done");
    assert_eq!(soon(batch.join_all()).await.len(), 3);
    assert_eq!(running.notes()[late], (late, vec![1]));
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_crashes_its_worker_is_done_by_the_next_incarnation_of_that() {
    let running = start(3, |pool| pool.backoff(Backoff::new(secs(1), secs(1)))).await;
    assert_eq!(running.broadcast(Job::CrashOne(4)).await, [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(running.notes(), [(0, vec![4]), (1, vec![4]), (2, vec![4])]);
    let batch = soon(running.pool.submit(Job::Crash).broadcast()).await.expect("it takes them");
    let dead = soon(batch.join_all()).await;
    let is_dead =
        |result: &Result<_, JobError<_>>| matches!(result, Err(JobError::Failed(all)) if all.len() == 3);
    assert!(dead.len() == 3 && dead.iter().all(is_dead), "{dead:?}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_dropped_when_its_worker_is_due_no_more() {
    let running = start(3, |pool| pool.shutdown(perennial_supervision::Shutdown::Timeout(ms(10)))).await;
    for _ in 0..3 {
        drop(running.pool.submit(Job::Take(secs(60))).try_submit().expect("there is room"));
    }
    quiet().await;
    let batch = running.pool.submit(Job::Note(1)).broadcast().await.expect("it takes them");
    // The running copy is pinned too, and is dropped with its worker.
    soon(running.pool.resize(1)).await.expect("it goes well");
    let results = soon(batch.join_all()).await;
    assert!(
        matches!(results[..], [Ok(0), Err(JobError::Dropped(_)), Err(JobError::Dropped(_))]),
        "{results:?}"
    );
    assert_eq!(running.broadcast(Job::Note(2)).await, [Ok(0)], "there is one");
    soon(running.pool.resize(0)).await.expect("it goes well");
    assert_eq!(running.broadcast(Job::Note(3)).await, []);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_dropped_when_its_worker_is_removed_while_it_runs() {
    let running = start(2, |pool| pool.shutdown(perennial_supervision::Shutdown::BrutalKill)).await;
    let batch = running.pool.submit(Job::Take(secs(60))).broadcast().await.expect("it takes them");
    quiet().await;
    soon(running.pool.resize(1)).await.expect("it goes well");
    let results = soon(batch.join_all()).await;
    assert!(matches!(results[..], [Ok(0), Err(JobError::Dropped(_))]), "{results:?}");
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_waits_for_room_and_an_urgent_one_comes_first() {
    let running = start(2, |pool| pool.capacity(1)).await;
    for _ in 0..2 {
        drop(soon(running.pool.submit(Job::Take(secs(1)))).await.expect("it is accepted"));
    }
    drop(soon(running.pool.submit(Job::Note(1))).await.expect("it is accepted"));
    let batch =
        soon(running.pool.submit(Job::Note(2)).priority(1).broadcast()).await.expect("they are accepted");
    assert_eq!(soon(batch.join_all()).await.len(), 2);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_pool_rejects_a_broadcast() {
    let running = start(2, |pool| pool).await;
    assert!(soon(running.app.shutdown()).await.is_clean());
    let refused = running.pool.submit(Job::Note(1)).broadcast().await.expect_err("it has stopped");
    assert_eq!(refused, SubmitError::Closed(Job::Note(1)));
}
