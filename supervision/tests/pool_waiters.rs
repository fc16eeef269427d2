//! Submitters that wait for room: admitted in arrival order, and woken at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{IntoFuture, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use perennial_actors::System;
use perennial_supervision::pool::{JobHandle, Pool, PoolHandle, SubmitError, SubmitFuture, WeakPoolHandle};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::pool;
use crate::support::pool::{
    Running, ScriptedJob, long, ms, outcome_of, quick, quiet, scripted_pool, secs, soon, start,
};

/// The capacity of the pool of [`sync_pool`].
const CAPACITY: u64 = 8;

/// What each job observed: its number, the number of queued jobs, and whether a new submission was
/// admitted.
type Observed = Arc<Mutex<Vec<(u64, usize, bool)>>>;

type Sync = fn(u64) -> Result<(), Infallible>;

type SyncHandle = PoolHandle<Sync>;

/// A pool with one worker whose jobs never await. Each job tries to submit another.
fn sync_pool() -> (Pool<Sync>, Observed) {
    let seen = Observed::default();
    let own: Arc<OnceLock<WeakPoolHandle<Sync>>> = Arc::default();
    let (notes, weak) = (seen.clone(), own.clone());
    let pool = Pool::from_fn("sync", 1, move |number: &u64| {
        let pool: SyncHandle = weak.get().and_then(WeakPoolHandle::upgrade).expect("it runs");
        let queued = pool.stats().queued;
        let entered = *number < 100 && pool.submit(100 + number).try_submit().is_ok();
        notes.lock().expect("not poisoned").push((*number, queued, entered));
        ready(Ok(()))
    });
    own.set(pool.handle().downgrade()).expect("it is set once");
    (pool.capacity(CAPACITY as usize), seen)
}

#[tokio::test(start_paused = true)]
async fn room_made_by_jobs_that_never_await_goes_to_waiting_submitters_first() {
    let (pool, seen) = sync_pool();
    let handle = pool.handle();
    for number in 0..CAPACITY {
        drop(handle.submit(number).try_submit().expect("there is room"));
    }
    let mut waiting = Vec::new();
    for number in CAPACITY..CAPACITY + 5 {
        let submission = handle.submit(number);
        waiting.push(tokio::spawn(async move { submission.await }));
        quiet().await;
    }
    let app = pool.start(&System::new()).await.expect("it starts");
    for submitter in waiting {
        let job = soon(submitter).await.expect("it does not panic").expect("it is accepted");
        soon(job).await.expect("it is done");
    }
    soon(handle.drain()).await;
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    let numbers: Vec<u64> = seen.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers[..13], (0..13).collect::<Vec<_>>());
    // While five submitters wait, each free place is taken at once.
    assert!(seen[..5].iter().all(|(_, queued, entered)| *queued == 8 && !entered), "{seen:?}");
    assert!(seen[5].2, "there is room, and none waits for it: {seen:?}");
    assert!(app.shutdown().await.is_clean());
}

/// A submission that waits for room.
fn waiting_submission(
    running: &Running,
    number: u64,
) -> JoinHandle<Result<ScriptedJob, SubmitError<pool::Job>>> {
    let submission = running.pool.submit(long(number, ms(10)));
    tokio::spawn(async move { submission.await })
}

#[tokio::test(start_paused = true)]
async fn five_waiting_submitters_are_admitted_in_order_beside_a_busy_newcomer() {
    let (pool, journal) = scripted_pool(2);
    let running = start((pool.capacity(2), journal)).await;
    let _busy = [0, 1, 2, 3].map(|number| waiting_submission(&running, number));
    quiet().await;
    let pool = running.pool.clone();
    let newcomer = tokio::spawn(async move {
        loop {
            if let Ok(handle) = pool.submit(quick(99)).try_submit() {
                return soon(handle).await;
            }
            sleep(ms(1)).await;
        }
    });
    let waiting: Vec<_> = (4..9).map(|number| waiting_submission(&running, number)).collect();
    for submitter in waiting {
        let handle = soon(submitter).await.expect("it does not panic").expect("it is accepted");
        assert!(outcome_of(handle).await.starts_with("done"));
    }
    let outcome = soon(newcomer).await.expect("it does not panic");
    assert_eq!(outcome.expect("it is done"), 99);
    assert_eq!(running.journal.jobs(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_submission_is_queued_as_soon_as_there_is_room() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let _busy = running.submit(long(0, secs(60)));
    quiet().await;
    let waiting = running.submit_all([1]);
    let mut first = Box::pin(running.pool.submit(quick(2)).into_future());
    assert!(pool::pends(&mut first).await);
    assert!(waiting[0].cancel());
    // The submission was not polled since, and is admitted.
    assert_eq!(running.pool.stats().queued, 1);
    assert!(matches!(running.pool.submit(quick(3)).try_submit(), Err(SubmitError::Full(_))));
    let second = waiting_submission(&running, 4);
    quiet().await;
    assert!(!second.is_finished());
    // If it is dropped, the next gets its place.
    drop(first);
    quiet().await;
    assert!(second.is_finished());
    running.drained().await;
    assert_eq!(running.journal.jobs(), [0, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn waiting_submitters_get_their_jobs_back_when_the_pool_stops_or_its_tree_ends() {
    for stops in [false, true] {
        let (pool, journal) = scripted_pool(1);
        let running = start((pool.capacity(1), journal)).await;
        let _busy = running.submit(long(0, ms(10)));
        quiet().await;
        let _waiting = running.submit_all([1]);
        let waiting: Vec<_> = (2..5).map(|number| waiting_submission(&running, number)).collect();
        quiet().await;
        let Running { app, pool, .. } = running;
        if stops {
            let _ = soon(pool.stop(perennial_supervision::pool::PoolShutdown::Drain)).await;
        } else {
            let _ = app.shutdown().await;
        }
        for (number, submitter) in (2..5).zip(waiting) {
            let refused = soon(submitter).await.expect("it does not panic").expect_err("it is over");
            assert!(matches!(refused, SubmitError::Closed(_)));
            assert_eq!(refused.into_job().number, number);
        }
    }
}

/// A waker that counts its calls.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Job = JobHandle<Sync>;

/// A submission that was polled once and waits for room.
struct Submitter {
    number: u64,
    future: SubmitFuture<Sync>,
    wakes: Arc<Wakes>,
}

impl Submitter {
    fn poll(&mut self) -> Poll<Result<Job, SubmitError<u64>>> {
        let waker = Waker::from(self.wakes.clone());
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.wakes.0.load(Ordering::Relaxed) > 0
    }
}

/// A pool that is never started, and a model of it: the queued jobs and the waiting submissions.
struct Model {
    pool: SyncHandle,
    capacity: usize,
    queued: Vec<(u64, Job)>,
    /// Submissions that were admitted and not polled since.
    admitted: Vec<Submitter>,
    waiting: VecDeque<Submitter>,
    next: u64,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - self.queued.len() - self.admitted.len()
    }

    /// Submits a job without waiting.
    fn newcomer(&mut self) {
        let outcome = self.pool.submit(self.next).try_submit();
        assert_eq!(outcome.is_ok(), self.waiting.is_empty() && self.room() > 0);
        self.queued.extend(outcome.ok().map(|job| (self.next, job)));
        self.next += 1;
    }

    /// Submits a job and waits for room.
    fn join(&mut self) {
        let future = self.pool.submit(self.next).into_future();
        let mut submitter = Submitter { number: self.next, future, wakes: Arc::default() };
        self.next += 1;
        match submitter.poll() {
            Poll::Ready(job) => {
                assert!(self.waiting.is_empty() && self.room() > 0);
                self.queued.push((submitter.number, job.expect("it is open")));
            }
            Poll::Pending => {
                assert!(!self.waiting.is_empty() || self.room() == 0);
                self.waiting.push_back(submitter);
            }
        }
    }

    /// Checks that the first waiting submissions were admitted, and that they and no others were
    /// woken.
    fn check_waiting(&mut self) {
        while self.room() > 0 {
            let Some(first) = self.waiting.pop_front() else { break };
            assert!(first.is_woken(), "{} was not woken", first.number);
            self.admitted.push(first);
        }
        assert!(self.waiting.iter().all(|waits| !waits.is_woken()), "one was woken too early");
        assert_eq!(self.pool.stats().queued, self.queued.len() + self.admitted.len());
    }

    fn step(&mut self, random: u64) {
        let nth = |len: usize| (random >> 8) as usize % len.max(1);
        match random % 12 {
            0..2 => self.newcomer(),
            2..5 => self.join(),
            5..7 if !self.queued.is_empty() => {
                let (_, job) = self.queued.swap_remove(nth(self.queued.len()));
                assert!(job.cancel());
            }
            7 if !self.waiting.is_empty() => drop(self.waiting.remove(nth(self.waiting.len()))),
            8 if !self.admitted.is_empty() => drop(self.admitted.remove(nth(self.admitted.len()))),
            9 if random >> 8 & 7 == 0 => {
                assert_eq!(self.pool.clear(), self.queued.len() + self.admitted.len());
                self.queued.clear();
                // They resolve with the handles of the dropped jobs.
                for mut submitter in std::mem::take(&mut self.admitted) {
                    assert!(matches!(submitter.poll(), Poll::Ready(Ok(_))));
                }
            }
            10.. if !self.admitted.is_empty() => {
                let mut submitter = self.admitted.remove(nth(self.admitted.len()));
                let Poll::Ready(Ok(job)) = submitter.poll() else { panic!("it was admitted") };
                self.queued.push((submitter.number, job));
            }
            _ => {}
        }
        self.check_waiting();
    }
}

#[test]
fn the_first_waiting_submitter_always_gets_the_next_room_and_is_woken_at_once() {
    for seed in 0..200_u64 {
        let capacity = 1 + seed as usize % 5;
        let pool: Pool<Sync> = Pool::from_fn("waiting", 1, |_: &u64| ready(Ok(()))).capacity(capacity);
        let (queued, admitted) = (Vec::new(), Vec::new());
        let (pool, waiting) = (pool.handle(), VecDeque::new());
        let mut model = Model { pool, capacity, queued, admitted, waiting, next: 0 };
        let mut random = seed;
        for _ in 0..300 {
            random = mixed(random);
            model.step(random);
        }
    }
}

/// Returns the next number of SplitMix64.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A waker that panics when it is dropped.
struct Fragile;

impl Wake for Fragile {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Fragile {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("dropped"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_submission_and_a_drain_whose_waker_panics_as_it_is_dropped_leave_the_pool() {
    let (pool, journal) = scripted_pool(1);
    let running = start((pool.capacity(1), journal)).await;
    let _busy = running.submit(long(0, ms(10)));
    quiet().await;
    let _queued = running.submit(quick(1));
    let mut submission = Box::pin(running.pool.submit(quick(2)).into_future());
    let mut drained = Box::pin(running.pool.drain());
    let (first, second) = (Waker::from(Arc::new(Fragile)), Waker::from(Arc::new(Fragile)));
    assert!(submission.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
    assert!(drained.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
    drop((first, second));
    drop(submission);
    drop(drained);
    running.drained().await;
    assert_eq!(running.journal.jobs(), [0, 1]);
    running.close().await;
}
