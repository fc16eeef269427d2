//! The timer wheel, compared with timers of tokio.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::timeouts::{TimeoutId, TimeoutState, Timeouts};
use crate::system::timer_wheel::TimerWheel;
use crate::system::wheel::TICK;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// Counts how often it is woken.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl CountingWaker {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Panics when it is woken and again when it is dropped.
struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("this waker panics");
    }
}

impl Drop for PanickingWaker {
    fn drop(&mut self) {
        panic!("this waker panics when it is dropped");
    }
}

/// Uses the wheel whenever it is woken or dropped: it deadlocks if that happens under the lock.
struct ReentrantWaker(Arc<TimerWheel>, Arc<CountingWaker>);

impl Wake for ReentrantWaker {
    fn wake(self: Arc<Self>) {
        self.1.wake_by_ref();
    }
}

impl Drop for ReentrantWaker {
    fn drop(&mut self) {
        let _ = self.0.set(SECOND, Waker::noop()).map(|id| self.0.cancel(id));
    }
}

fn counting_waker() -> (Arc<CountingWaker>, Waker) {
    let count = Arc::new(CountingWaker::default());
    (count.clone(), Waker::from(count))
}

pub(super) fn wheel() -> Arc<TimerWheel> {
    Arc::new(TimerWheel::new())
}

pub(super) fn set(wheel: &Arc<TimerWheel>, after: Duration) -> TimeoutId {
    wheel.set(after, Waker::noop()).expect("the ticker runs here")
}

pub(super) fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Waits for a timeout. Returns how late it was, and how often it was polled.
pub(super) async fn wait_for(wheel: &Arc<TimerWheel>, after: Duration) -> (Duration, usize) {
    let (begun, mut set, mut polls) = (Instant::now(), None, 0);
    poll_fn(|cx| {
        polls += 1;
        let id = set.get_or_insert_with(|| wheel.set(after, cx.waker()).expect("the ticker runs here"));
        match wheel.poll(id, cx.waker()) {
            TimeoutState::Pending => Poll::Pending,
            TimeoutState::Elapsed => Poll::Ready(()),
            TimeoutState::Detached => panic!("nothing happened to the ticker"),
        }
    })
    .await;
    set.into_iter().for_each(|id| wheel.answer(id));
    (begun.elapsed().checked_sub(after).expect("it is never early"), polls)
}

/// Waits for a timer of tokio. Returns how late it was, and how often it was polled.
async fn wait_for_tokio(after: Duration) -> (Duration, usize) {
    let (begun, mut polls) = (Instant::now(), 0);
    let mut timer = std::pin::pin!(sleep(after));
    poll_fn(|cx| {
        polls += 1;
        timer.as_mut().poll(cx)
    })
    .await;
    (begun.elapsed() - after, polls)
}

/// Returns the number of tasks of this runtime that have not ended.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_elapses_when_a_timer_of_tokio_does_and_costs_its_waiter_as_many_polls() {
    let wheel = wheel();
    for millis in [1_000, 1_001, 1_049, 1_051, 1_099, 2_559, 2_560, 2_561, 5_000, 60_000, 3_600_000] {
        // It is set while no ticker runs, and while the ticker sleeps.
        for offset in [0, 1, 7, 25] {
            sleep(Duration::from_millis(offset)).await;
            let after = Duration::from_millis(millis);
            let (ours, tokios) = tokio::join!(wait_for(&wheel, after), wait_for_tokio(after));
            assert_eq!(ours, tokios, "{millis} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_waiting_costs_the_ticker_no_more_polls_than_a_timer_of_tokio() {
    let (_, tokios) = wait_for_tokio(HOUR).await;
    let (wheel, waits) = (wheel(), 1_000);
    let all: Vec<_> = (0..waits)
        .map(|_| {
            let wheel = wheel.clone();
            tokio::spawn(async move { wait_for(&wheel, HOUR).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.expect("it ends"), (Duration::ZERO, tokios));
    }
    assert!(wheel.ticker_polls() <= tokios, "{} polls", wheel.ticker_polls());
}

#[tokio::test(start_paused = true)]
async fn the_ticker_sleeps_as_long_as_no_first_half_is_over_however_many_are_set_and_cancelled() {
    let wheel = wheel();
    let (_first, mut polls) = (set(&wheel, HOUR), 0);
    for _ in 0..10_000 {
        wheel.cancel(set(&wheel, HOUR * 2));
        sleep(Duration::from_millis(100)).await;
        if polls == 0 {
            polls = wheel.ticker_polls();
        }
    }
    assert_eq!((polls, wheel.ticker_polls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_earlier_timeout_brings_the_ticker_forward() {
    let wheel = wheel();
    let _hour = set(&wheel, HOUR);
    sleep(SECOND).await;
    assert_eq!(wait_for(&wheel, SECOND).await, (Duration::ZERO, 2));
    let _minute = set(&wheel, Duration::from_secs(60));
    assert_eq!(wait_for(&wheel, SECOND * 5).await, (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn a_ticker_that_is_late_by_less_than_half_of_a_timeout_costs_nothing() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let (begun, id) = (Instant::now(), wheel.set(SECOND * 2, &waker).expect("the ticker runs here"));
    yield_now().await;
    advance(Duration::from_millis(1_990)).await;
    yield_now().await;
    assert_eq!((count.wakes(), begun.elapsed()), (0, Duration::from_millis(1_990)));
    sleep(Duration::from_millis(10)).await;
    assert_eq!((count.wakes(), wheel.poll(&id, &waker)), (1, TimeoutState::Elapsed));
}

#[tokio::test(start_paused = true)]
async fn a_ticker_that_is_too_late_wakes_the_waiter_at_once() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let id = wheel.set(SECOND, &waker).expect("the ticker runs here");
    yield_now().await;
    advance(SECOND * 3).await;
    yield_now().await;
    assert_eq!((count.wakes(), wheel.poll(&id, &waker)), (1, TimeoutState::Elapsed));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_polled_sees_that_its_time_is_up_before_the_ticker_does() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let id = wheel.set(SECOND, &waker).expect("the ticker runs here");
    // The ticker has not had its first poll yet.
    advance(SECOND).await;
    let before = wheel.poll(&id, &waker);
    assert_eq!((count.wakes().min(1), before), (count.wakes(), TimeoutState::Elapsed));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_timeout_wakes_nothing_and_keeps_no_waker() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let early = wheel.set(SECOND, &waker).expect("the ticker runs here");
    let late = wheel.set(SECOND * 10, &waker).expect("the ticker runs here");
    wheel.cancel(early);
    sleep(SECOND * 6).await;
    assert_eq!(Arc::strong_count(&count), 3, "the waker, and a timer that was made for the second half");
    wheel.cancel(late);
    assert_eq!(Arc::strong_count(&count), 2);
    let next = set(&wheel, SECOND);
    assert_eq!(wheel.poll(&next, Waker::noop()), TimeoutState::Pending);
    sleep(SECOND * 60).await;
    assert_eq!(count.wakes(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_waker_is_the_one_that_is_woken() {
    let (wheel, (old, old_waker), (new, new_waker)) = (wheel(), counting_waker(), counting_waker());
    let id = wheel.set(SECOND, &old_waker).expect("the ticker runs here");
    assert_eq!(wheel.poll(&id, &new_waker), TimeoutState::Pending);
    assert_eq!(Arc::strong_count(&old), 2, "the old one is dropped");
    sleep(SECOND * 2).await;
    assert_eq!((old.wakes(), new.wakes()), (0, 1));
    assert_eq!(wheel.poll(&id, &new_waker), TimeoutState::Elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_polled_in_the_second_half_needs_a_timer_of_its_own() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let id = wheel.set(SECOND, &waker).expect("the ticker runs here");
    sleep(Duration::from_millis(600)).await;
    assert_eq!((count.wakes(), wheel.poll(&id, &waker)), (0, TimeoutState::Detached));
    assert_eq!(id.deadline() - Instant::now(), Duration::from_millis(400));
}

#[tokio::test(start_paused = true)]
async fn the_ticker_ends_when_nothing_waits_and_starts_again() {
    let wheel = wheel();
    wheel.cancel(set(&wheel, SECOND));
    sleep(SECOND).await;
    assert_eq!(tasks(), 0);
    assert_eq!(wait_for(&wheel, SECOND).await, (Duration::ZERO, 2));
    yield_now().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_ticker_ends_with_its_system() {
    let (wheel, begun) = (wheel(), Instant::now());
    let _never = set(&wheel, HOUR);
    yield_now().await;
    assert_eq!((tasks(), Arc::strong_count(&wheel)), (1, 1));
    drop(wheel);
    yield_now().await;
    assert_eq!((tasks(), begun.elapsed()), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_does_not_elapse() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let id = wheel.set(Duration::MAX, &waker).expect("the ticker runs here");
    sleep(HOUR * 24 * 365).await;
    assert_eq!((count.wakes(), wheel.poll(&id, &waker)), (0, TimeoutState::Pending));
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    let (wheel, (count, waker)) = (wheel(), counting_waker());
    let panicking: Vec<_> = (0..3).map(|_| Waker::from(Arc::new(PanickingWaker))).collect();
    let before = wheel.set(SECOND, &waker).expect("the ticker runs here");
    let ids: Vec<_> =
        panicking.iter().map(|waker| wheel.set(SECOND, waker).expect("the ticker runs here")).collect();
    let after = wheel.set(SECOND, &waker).expect("the ticker runs here");
    panicking.into_iter().for_each(drop);
    sleep(SECOND).await;
    assert_eq!(count.wakes(), 2);
    for id in [before, after].iter().chain(&ids) {
        assert_eq!(wheel.poll(id, Waker::noop()), TimeoutState::Elapsed);
    }
    // Past the deadline: the ticker wakes them itself.
    let late: Vec<_> = [Waker::from(Arc::new(PanickingWaker)), waker]
        .into_iter()
        .map(|waker| wheel.set(SECOND, &waker).expect("the ticker runs here"))
        .collect();
    yield_now().await;
    advance(SECOND * 2).await;
    yield_now().await;
    assert_eq!(count.wakes(), 3);
    late.into_iter().for_each(|id| wheel.cancel(id));
}

#[tokio::test(start_paused = true)]
async fn a_waker_is_woken_and_dropped_under_no_lock() {
    let (wheel, (count, _)) = (wheel(), counting_waker());
    let reentrant = || Waker::from(Arc::new(ReentrantWaker(wheel.clone(), count.clone())));
    let replaced = wheel.set(SECOND, &reentrant()).expect("the ticker runs here");
    assert_eq!(wheel.poll(&replaced, &reentrant()), TimeoutState::Pending);
    let cancelled = wheel.set(SECOND, &reentrant()).expect("the ticker runs here");
    wheel.cancel(cancelled);
    let handed_over = wheel.set(SECOND, &reentrant()).expect("the ticker runs here");
    sleep(SECOND).await;
    assert_eq!(count.wakes(), 2);
    for id in [replaced, handed_over] {
        wheel.cancel(id);
    }
}

#[test]
fn a_runtime_that_is_shut_down_detaches_its_waiters_and_the_next_one_has_a_ticker() {
    let (wheel, (count, waker), first) = (wheel(), counting_waker(), paused());
    let (waiting, second_half) = first.block_on(async {
        let second_half = wheel.set(SECOND, &waker).expect("the ticker runs here");
        let waiting = wheel.set(HOUR, &waker).expect("the ticker runs here");
        yield_now().await;
        advance(SECOND / 2 + TICK).await;
        yield_now().await;
        (waiting, second_half)
    });
    assert_eq!(count.wakes(), 0);
    drop(first);
    assert_eq!(count.wakes(), 2, "each is woken, whichever half of its time it is in");
    let second = paused();
    second.block_on(async {
        for id in [&waiting, &second_half] {
            assert_ne!(wheel.poll(id, &waker), TimeoutState::Pending);
        }
        assert_eq!(wheel.poll(&waiting, &waker), TimeoutState::Detached);
        assert_eq!(wait_for(&wheel, SECOND).await, (Duration::ZERO, 2));
        assert_eq!(wheel.poll(&waiting, &waker), TimeoutState::Detached);
    });
}

#[test]
fn a_waiter_on_another_runtime_or_on_none_is_refused_and_so_is_a_short_timeout() {
    let (wheel, first) = (wheel(), paused());
    let short = Duration::from_millis(999);
    let id = first.block_on(async {
        assert!(wheel.set(short, Waker::noop()).is_none());
        set(&wheel, HOUR)
    });
    // The first runtime is not polled: a waiter that relied on it would wait for ever.
    assert!(paused().block_on(async { wheel.set(SECOND, Waker::noop()) }).is_none());
    assert!(wheel.set(SECOND, Waker::noop()).is_none());
    assert_eq!(first.block_on(async { wheel.poll(&id, Waker::noop()) }), TimeoutState::Pending);
}

#[test]
fn until_the_ticker_is_polled_only_the_thread_that_spawned_it_relies_on_it() {
    let (wheel, runtime) = (wheel(), paused());
    let set_elsewhere = || {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                let _inside = runtime.enter();
                wheel.set(HOUR, Waker::noop()).map(|id| wheel.cancel(id))
            });
            there.join().expect("the thread ends well")
        })
    };
    let inside = runtime.enter();
    let id = set(&wheel, HOUR);
    assert!(wheel.set(HOUR, Waker::noop()).is_some());
    assert!(set_elsewhere().is_none(), "this thread may block before the ticker has begun");
    drop(inside);
    runtime.block_on(yield_now());
    assert!(set_elsewhere().is_some());
    wheel.cancel(id);
}

#[test]
fn a_runtime_without_timers_leaves_the_wheel_as_it_was() {
    let wheel = wheel();
    let without = Builder::new_current_thread().build().expect("a runtime");
    assert!(
        without.block_on(async { wheel.set(SECOND, Waker::noop()).is_none() }),
        "it needs a timer of its own"
    );
    assert_eq!(paused().block_on(wait_for(&wheel, SECOND)), (Duration::ZERO, 2));
}
