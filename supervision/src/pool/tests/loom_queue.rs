//! What those who submit and those who work agree on, under loom: the interleavings of a few small threads, with the queue of a real pool.
//!
//! `.ci/models supervision`
//!
//! The rules: no job waits beside an idle worker that nobody has woken; none is lost, or done twice; they are begun in order; no more wait than
//! may; and nothing is taken in once a pool is closed. Broken by hand, each of these shows here: credit that is kept when somebody looks at the
//! board; credit that is given beside an idle worker, or for more than there is room for; a worker that goes idle and does not look at the
//! intake once more; the queue locked by who has it locked.

use std::convert::Infallible;
use std::sync::Arc;

use loom::thread;
use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{ExitReason, MailboxConfig, System};

use crate::pool::admission::AdmitError;
use crate::pool::job_state::ResultSink;
use crate::pool::lease::{AttemptOutcome, AttemptResult, WorkerId};
use crate::pool::new_job::NewJob;
use crate::pool::scheduler::{Phase, Scheduler};
use crate::pool::shared::Shared;
use crate::supervisor::Supervisor;

type Pool = Arc<Shared<u32, (), Infallible>>;

/// Explores those interleavings that have at most so many switches which no thread asked for: nearly all bugs need two.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 10_000;
    builder.check(model);
}

struct Silent;

impl Parent for Silent {
    fn started(&self, _: u64) {}
    fn ended(&self, _: u64, _: IncarnationExit) {}
}

/// A pool without supervisor, and those who sit in it: their bells ring unheard.
struct Model {
    pool: Pool,
    seats: Vec<WorkerId>,
    alive: Vec<(Identity<u32>, MailboxConsumer<u32>)>,
}

impl Model {
    fn new(workers: usize, capacity: usize) -> Self {
        let supervisor = Supervisor::new("pool");
        let weak = supervisor.handle().downgrade();
        let pool: Pool =
            Arc::new(Shared::new(Scheduler::new(workers, capacity), workers, false, 0, weak, drop));
        let (system, mut seats, mut alive) = (System::new(), Vec::new(), Vec::new());
        for slot in 0..workers {
            let identity = Identity::new(MailboxConfig::default());
            identity.open(&system, || "worker".into());
            let attachment = identity.attach(Arc::new(Silent), 1).expect("it is open, and nobody is there");
            let seat = WorkerId { slot, pid: attachment.pid() };
            pool.worker_started(seat);
            seats.push(seat);
            alive.push((identity, attachment));
        }
        Self { pool, seats, alive }
    }

    /// The last worker is followed by its next incarnation.
    fn succeed(&mut self) -> WorkerId {
        let (identity, attachment) = self.alive.pop().expect("there is one");
        attachment.end(ExitReason::Killed);
        let attachment = identity.attach(Arc::new(Silent), 2).expect("it is open, and nobody is there");
        let seat = WorkerId { slot: self.alive.len(), pid: attachment.pid() };
        self.pool.worker_started(seat);
        self.alive.push((identity, attachment));
        seat
    }
}

fn submit(pool: &Pool, job: u32) -> bool {
    let draft = NewJob { terms: None, job, sink: ResultSink::Nobody };
    !matches!(pool.admit(draft, |_| ()), Err(AdmitError::Closed(_) | AdmitError::Full(_)))
}

/// Works until there is nothing more, as a worker does that is woken; what it has done.
fn work(pool: &Pool, seat: WorkerId) -> Vec<u32> {
    let (mut done, mut made) = (Vec::new(), None);
    while let Some(leased) = pool.complete_and_lease(seat, made.take()) {
        done.push(*leased.task.job);
        made = Some(AttemptResult { attempt: AttemptOutcome::Done(()), since: None });
    }
    done
}

/// Nobody is idle beside a job that waits: somebody was told of it. When those who were told have come, all is done, and what they do comes
/// after what was done before.
fn check_and_finish(model: &Model, done: &mut Vec<u32>) {
    let session = model.pool.lock_synced();
    let (waiting, idle) = (session.state.board.waiting(), session.state.board.idle());
    session.end();
    assert!(waiting == 0 || idle < model.seats.len(), "{waiting} jobs wait, and nobody was told");
    if waiting > 0 {
        done.extend(model.seats.iter().flat_map(|seat| work(&model.pool, *seat)));
    }
    let stats = model.pool.stats();
    assert_eq!((stats.queued, stats.running), (0, 0));
    assert_eq!(stats.submitted, stats.completed + stats.dropped);
}

#[test]
fn a_job_that_is_submitted_as_a_worker_goes_idle_is_seen_by_it_or_wakes_it() {
    explore(|| {
        let model = Model::new(1, usize::MAX);
        let (pool, seat) = (model.pool.clone(), model.seats[0]);
        assert!(submit(&pool, 1));
        let worker = thread::spawn(move || work(&pool, seat));
        assert!(submit(&model.pool, 2));
        assert!(submit(&model.pool, 3));
        let mut done = worker.join().expect("it is done");
        check_and_finish(&model, &mut done);
        assert_eq!(done, [1, 2, 3]);
    });
}

#[test]
fn of_two_who_work_and_one_who_submits_nobody_is_forgotten() {
    explore(|| {
        let model = Model::new(2, usize::MAX);
        let workers: Vec<_> = model
            .seats
            .iter()
            .map(|seat| {
                let (pool, seat) = (model.pool.clone(), *seat);
                thread::spawn(move || work(&pool, seat))
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
fn two_who_submit_at_once_find_no_more_room_than_there_is_and_keep_their_own_order() {
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
fn what_is_submitted_as_a_pool_closes_is_dropped_or_given_back() {
    explore(|| {
        let model = Model::new(1, usize::MAX);
        assert!(submit(&model.pool, 1));
        let pool = model.pool.clone();
        let submitter = thread::spawn(move || u64::from(submit(&pool, 2)) + u64::from(submit(&pool, 3)));
        let mut session = model.pool.lock_synced();
        session.state.board.enter(Phase::Closed);
        let dropped = session.clear() as u64;
        session.end();
        let taken = submitter.join().expect("it is done");
        assert_eq!(dropped, 1 + taken);
        assert!(!submit(&model.pool, 4));
        assert_eq!(model.pool.stats().queued, 0);
    });
}

#[test]
fn a_job_that_is_submitted_as_its_worker_ends_is_done_by_the_next() {
    explore(|| {
        let mut model = Model::new(1, usize::MAX);
        assert!(submit(&model.pool, 1));
        let (pool, seat) = (model.pool.clone(), model.seats[0]);
        let worker = thread::spawn(move || {
            // It is gone with the job in hand, or before it has looked.
            let leased = pool.complete_and_lease(seat, None).is_some();
            pool.worker_gone(seat, &ExitReason::Killed);
            leased
        });
        assert!(submit(&model.pool, 2));
        assert!(worker.join().expect("it is done"));
        let next = model.succeed();
        assert_eq!(work(&model.pool, next), [1, 2]);
    });
}
