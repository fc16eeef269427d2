//! Submitters that wait for room: first come, first in, told at once.

#[path = "support/pool.rs"]
mod support;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{IntoFuture, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use perennial_actors::System;
use perennial_supervision::pool::{JobHandle, Pool, PoolHandle, SubmitError, SubmitFuture, WeakPoolHandle};
use support::{Promise, Running, fate, hands, long, ms, quick, quiet, secs, soon, start};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How many jobs may wait in the pool of [`sync_pool`].
const CAPACITY: u64 = 8;

/// What a job saw as it ran: its number, how many jobs waited, and whether a newcomer was let in.
type Seen = Arc<Mutex<Vec<(u64, usize, bool)>>>;

type SyncHandle = PoolHandle<u64, (), Infallible>;

/// A pool of one worker, whose jobs never await, and submit a newcomer each.
fn sync_pool() -> (Pool<u64, (), Infallible>, Seen) {
    let seen = Seen::default();
    let own: Arc<OnceLock<WeakPoolHandle<u64, (), Infallible>>> = Arc::default();
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
async fn room_made_by_jobs_that_never_await_is_given_to_each_that_waits_before_any_newcomer() {
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
        let job = soon(submitter).await.expect("it does not panic").expect("it is taken in");
        soon(job).await.expect("it is done");
    }
    soon(handle.drain()).await;
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    let numbers: Vec<u64> = seen.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers[..13], (0..13).collect::<Vec<_>>());
    // As long as five are in line, each place that is left is taken at once.
    assert!(seen[..5].iter().all(|(_, queued, entered)| *queued == 8 && !entered), "{seen:?}");
    assert!(seen[5].2, "there is room, and none waits for it: {seen:?}");
    assert!(app.shutdown().await.is_clean());
}

/// A submitter that waits for room.
fn in_line(running: &Running, number: u64) -> JoinHandle<Result<Promise, SubmitError<support::Job>>> {
    let submission = running.pool.submit(long(number, ms(10)));
    tokio::spawn(async move { submission.await })
}

#[tokio::test(start_paused = true)]
async fn five_that_wait_beside_a_newcomer_that_tries_all_the_time_are_let_in_in_their_order() {
    let (pool, journal) = hands(2);
    let running = start((pool.capacity(2), journal)).await;
    let _busy = [0, 1, 2, 3].map(|number| in_line(&running, number));
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
    let line: Vec<_> = (4..9).map(|number| in_line(&running, number)).collect();
    for submitter in line {
        let handle = soon(submitter).await.expect("it does not panic").expect("it is taken in");
        assert!(fate(handle).await.starts_with("done"));
    }
    let outcome = soon(newcomer).await.expect("it does not panic");
    assert_eq!(outcome.expect("it is done"), 99);
    assert_eq!(running.journal.jobs(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_waits_stands_in_the_queue_from_the_moment_at_which_there_is_room() {
    let (pool, journal) = hands(1);
    let running = start((pool.capacity(1), journal)).await;
    let _busy = running.submit(long(0, secs(60)));
    quiet().await;
    let waiting = running.submit_all([1]);
    let mut first = Box::pin(running.pool.submit(quick(2)).into_future());
    assert!(support::pends(&mut first).await);
    assert!(waiting[0].cancel());
    // It is not polled yet, and has the place.
    assert_eq!(running.pool.stats().queued, 1);
    assert!(matches!(running.pool.submit(quick(3)).try_submit(), Err(SubmitError::Full(_))));
    let second = in_line(&running, 4);
    quiet().await;
    assert!(!second.is_finished());
    // Given up, it leaves the place to the next.
    drop(first);
    quiet().await;
    assert!(second.is_finished());
    running.drained().await;
    assert_eq!(running.journal.jobs(), [0, 4]);
    running.close().await;
}

#[tokio::test(start_paused = true)]
async fn all_that_wait_are_given_their_jobs_back_when_the_pool_stops_or_its_tree_ends() {
    for stops in [false, true] {
        let (pool, journal) = hands(1);
        let running = start((pool.capacity(1), journal)).await;
        let _busy = running.submit(long(0, ms(10)));
        quiet().await;
        let _waiting = running.submit_all([1]);
        let line: Vec<_> = (2..5).map(|number| in_line(&running, number)).collect();
        quiet().await;
        let Running { app, pool, .. } = running;
        if stops {
            let _ = soon(pool.stop(perennial_supervision::pool::PoolShutdown::Drain)).await;
        } else {
            let _ = app.shutdown().await;
        }
        for (number, submitter) in (2..5).zip(line) {
            let refused = soon(submitter).await.expect("it does not panic").expect_err("it is over");
            assert!(matches!(refused, SubmitError::Closed(_)));
            assert_eq!(refused.into_job().number, number);
        }
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Job = JobHandle<(), Infallible>;

/// A submitter that was polled once, and waits for room.
struct Submitter {
    number: u64,
    future: SubmitFuture<u64, (), Infallible>,
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

/// A pool that is never started, and what it should be: the jobs that wait, and the line.
struct Model {
    pool: SyncHandle,
    capacity: usize,
    queued: Vec<(u64, Job)>,
    /// Submitters that were let in and were not polled since.
    admitted: Vec<Submitter>,
    line: VecDeque<Submitter>,
    next: u64,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - self.queued.len() - self.admitted.len()
    }

    /// A newcomer that does not wait.
    fn newcomer(&mut self) {
        let outcome = self.pool.submit(self.next).try_submit();
        assert_eq!(outcome.is_ok(), self.line.is_empty() && self.room() > 0);
        self.queued.extend(outcome.ok().map(|job| (self.next, job)));
        self.next += 1;
    }

    /// A newcomer that waits.
    fn join(&mut self) {
        let future = self.pool.submit(self.next).into_future();
        let mut submitter = Submitter { number: self.next, future, wakes: Arc::default() };
        self.next += 1;
        match submitter.poll() {
            Poll::Ready(job) => {
                assert!(self.line.is_empty() && self.room() > 0);
                self.queued.push((submitter.number, job.expect("it is open")));
            }
            Poll::Pending => {
                assert!(!self.line.is_empty() || self.room() == 0);
                self.line.push_back(submitter);
            }
        }
    }

    /// The first in line have the room that there is, and have been told.
    fn settle(&mut self) {
        while self.room() > 0 {
            let Some(first) = self.line.pop_front() else { break };
            assert!(first.is_woken(), "{} was not told", first.number);
            self.admitted.push(first);
        }
        assert!(self.line.iter().all(|waits| !waits.is_woken()), "one was told too early");
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
            7 if !self.line.is_empty() => drop(self.line.remove(nth(self.line.len()))),
            8 if !self.admitted.is_empty() => drop(self.admitted.remove(nth(self.admitted.len()))),
            9 if random >> 8 & 7 == 0 => {
                assert_eq!(self.pool.clear(), self.queued.len() + self.admitted.len());
                self.queued.clear();
                // They hear that they were let in, and what became of the job.
                for mut submitter in std::mem::take(&mut self.admitted) {
                    assert!(matches!(submitter.poll(), Poll::Ready(Ok(_))));
                }
            }
            10.. if !self.admitted.is_empty() => {
                let mut submitter = self.admitted.remove(nth(self.admitted.len()));
                let Poll::Ready(Ok(job)) = submitter.poll() else { panic!("it was let in") };
                self.queued.push((submitter.number, job));
            }
            _ => {}
        }
        self.settle();
    }
}

#[test]
fn whichever_come_give_up_and_make_room_the_first_in_line_has_the_next_place_and_is_told_at_once() {
    for seed in 0..200_u64 {
        let capacity = 1 + seed as usize % 5;
        let pool: Pool<u64, (), Infallible> =
            Pool::from_fn("line", 1, |_: &u64| ready(Ok(()))).capacity(capacity);
        let (queued, admitted) = (Vec::new(), Vec::new());
        let (pool, line) = (pool.handle(), VecDeque::new());
        let mut model = Model { pool, capacity, queued, admitted, line, next: 0 };
        let mut random = seed;
        for _ in 0..300 {
            random = mixed(random);
            model.step(random);
        }
    }
}

/// The next number of SplitMix64.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
