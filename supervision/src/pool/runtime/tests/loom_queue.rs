//! The protocol between submitters and workers, under loom: all interleavings of a few small
//! threads, with the queue of a real pool.
//!
//! `.ci/models supervision`
//!
//! The rules: no job waits beside an idle worker that was not woken; no job is lost or run twice;
//! jobs start in order; the queue never exceeds its capacity; and a closed pool accepts no job.
//! Each of these faults was inserted by hand and found: credit that is kept when the scheduler is
//! accessed; credit that is granted beside an idle worker, or beyond the capacity; a worker that
//! becomes idle without checking the submit buffer again; the queue locked twice by one thread.

use std::convert::Infallible;
use std::sync::Arc;

use loom::thread;
use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{ExitReason, MailboxConfig, System};

use crate::pool::runtime::admission::AdmitError;
use crate::pool::runtime::job_state::NewJob;
use crate::pool::runtime::lease::{AttemptOutcome, AttemptResult, WorkerId};
use crate::pool::runtime::result_sink::ResultSink;
use crate::pool::runtime::shared::Shared;
use crate::pool::runtime::threads::Thread;
use crate::pool::runtime::worker_exit::WorkerEnd;
use crate::pool::scheduler::{Phase, Scheduler};
use crate::supervisor::Supervisor;

type Pool = Arc<Shared<fn(u32) -> Result<(), Infallible>>>;

/// Explores the interleavings with at most 3 preemptions. Nearly all bugs need two.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 10_000;
    builder.check(model);
}

struct IgnoresChildren;

impl Parent for IgnoresChildren {
    fn started(&self, _: u64) {}
    fn ended(&self, _: u64, _: IncarnationExit) {}
}

/// A pool without a supervisor, and its workers, which receive no wakeups.
struct Model {
    pool: Pool,
    worker_ids: Vec<WorkerId>,
    alive: Vec<(Identity<u32>, MailboxConsumer<u32>)>,
}

impl Model {
    fn new(workers: usize, capacity: usize) -> Self {
        let supervisor = Supervisor::new("pool");
        let weak = supervisor.handle().downgrade();
        let pool: Pool = Arc::new(Shared::new(Scheduler::new(workers, capacity), workers, false, weak));
        let (system, mut worker_ids, mut alive) = (System::new(), Vec::new(), Vec::new());
        for slot in 0..workers {
            let identity = Identity::new(MailboxConfig::default());
            identity.open(&system, || "worker".into());
            let consumer = identity.attach(Arc::new(IgnoresChildren), 1).expect("it is open and detached");
            let worker_id = WorkerId { slot, pid: consumer.pid() };
            pool.worker_started(worker_id);
            worker_ids.push(worker_id);
            alive.push((identity, consumer));
        }
        Self { pool, worker_ids, alive }
    }

    /// Replaces the last worker by its next incarnation.
    fn restart_last_worker(&mut self) -> WorkerId {
        let (identity, consumer) = self.alive.pop().expect("there is one");
        consumer.end(ExitReason::Killed);
        let consumer = identity.attach(Arc::new(IgnoresChildren), 2).expect("it is open and detached");
        let worker_id = WorkerId { slot: self.alive.len(), pid: consumer.pid() };
        self.pool.worker_started(worker_id);
        self.alive.push((identity, consumer));
        worker_id
    }
}

fn submit(pool: &Pool, job: u32) -> bool {
    let new_job = NewJob { options: None, job, sink: ResultSink::Discard };
    !matches!(pool.admit(new_job, |_| ()), Err(AdmitError::Closed(_) | AdmitError::Full(_)))
}

/// Runs jobs until none is left, as a woken worker does. Returns the jobs.
fn run_until_idle(pool: &Pool, worker_id: WorkerId) -> Vec<u32> {
    let (mut done, mut finished) = (Vec::new(), None);
    while let Some(leased) = pool.complete_and_lease(worker_id, finished.take()) {
        done.push(*leased.task.job);
        finished = Some(AttemptResult { attempt: AttemptOutcome::Done(()), since: None });
    }
    done
}

/// Checks that no worker is idle beside a queued job without having been woken. Then the woken
/// workers run: all jobs are done, after those that were done before.
fn check_and_finish(model: &Model, done: &mut Vec<u32>) {
    let (waiting, idle) =
        model.pool.with_queue(|queue| (queue.state.scheduler.waiting(), queue.state.scheduler.idle()));
    assert!(waiting == 0 || idle < model.worker_ids.len(), "{waiting} jobs wait, and no worker was woken");
    if waiting > 0 {
        done.extend(model.worker_ids.iter().flat_map(|worker_id| run_until_idle(&model.pool, *worker_id)));
    }
    let stats = model.pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0));
    assert_eq!(stats.submitted, stats.completed + stats.dropped);
}

#[test]
fn a_job_submitted_while_a_worker_becomes_idle_is_leased_or_wakes_it() {
    explore(|| {
        let model = Model::new(1, usize::MAX);
        let (pool, worker_id) = (model.pool.clone(), model.worker_ids[0]);
        assert!(submit(&pool, 1));
        let worker = thread::spawn(move || run_until_idle(&pool, worker_id));
        assert!(submit(&model.pool, 2));
        assert!(submit(&model.pool, 3));
        let mut done = worker.join().expect("it is done");
        check_and_finish(&model, &mut done);
        assert_eq!(done, [1, 2, 3]);
    });
}

#[test]
fn two_workers_and_one_submitter_lose_no_job_and_no_wakeup() {
    explore(|| {
        let model = Model::new(2, usize::MAX);
        let workers: Vec<_> = model
            .worker_ids
            .iter()
            .map(|worker_id| {
                let (pool, worker_id) = (model.pool.clone(), *worker_id);
                thread::spawn(move || run_until_idle(&pool, worker_id))
            })
            .collect();
        assert!(submit(&model.pool, 1));
        assert!(submit(&model.pool, 2));
        let mut done: Vec<u32> =
            workers.into_iter().flat_map(|worker| worker.join().expect("it is done")).collect();
        check_and_finish(&model, &mut done);
        done.sort_unstable();
        assert_eq!(done, [1, 2]);
    });
}

#[test]
fn concurrent_submitters_never_exceed_the_capacity_and_keep_their_order() {
    explore(|| {
        let model = Model::new(1, 3);
        let pool = model.pool.clone();
        let other = thread::spawn(move || [submit(&pool, 11), submit(&pool, 12)]);
        let own = [submit(&model.pool, 21), submit(&model.pool, 22)];
        let other = other.join().expect("it is done");
        let taken = own.into_iter().chain(other).filter(|taken| *taken).count();
        assert_eq!(taken, 3);
        let mut done = Vec::new();
        check_and_finish(&model, &mut done);
        assert_eq!(done.len(), 3);
        let of = |tens: u32| done.iter().copied().filter(|job| job / 10 == tens).collect::<Vec<_>>();
        assert!(of(1).is_sorted() && of(2).is_sorted(), "{done:?}");
    });
}

#[test]
fn a_job_submitted_while_the_pool_closes_is_dropped_or_returned() {
    explore(|| {
        let model = Model::new(1, usize::MAX);
        assert!(submit(&model.pool, 1));
        let pool = model.pool.clone();
        let submitter = thread::spawn(move || u64::from(submit(&pool, 2)) + u64::from(submit(&pool, 3)));
        let dropped = model.pool.with_queue(|queue| {
            queue.state.scheduler.advance_to(Phase::Closed);
            queue.clear() as u64
        });
        let taken = submitter.join().expect("it is done");
        assert_eq!(dropped, 1 + taken);
        assert!(!submit(&model.pool, 4));
        assert_eq!(model.pool.stats().queued, 0);
    });
}

#[test]
fn a_job_submitted_while_its_worker_ends_runs_on_the_next_incarnation() {
    explore(|| {
        let mut model = Model::new(1, usize::MAX);
        assert!(submit(&model.pool, 1));
        let (pool, worker_id) = (model.pool.clone(), model.worker_ids[0]);
        let worker = thread::spawn(move || {
            // The worker ends during the job, or before it looks for one.
            let leased = pool.complete_and_lease(worker_id, None).is_some();
            pool.worker_exited(worker_id, &ExitReason::Killed, WorkerEnd::Lost, &Thread::default());
            leased
        });
        assert!(submit(&model.pool, 2));
        assert!(worker.join().expect("it is done"));
        let next = model.restart_last_worker();
        assert_eq!(run_until_idle(&model.pool, next), [1, 2]);
    });
}
