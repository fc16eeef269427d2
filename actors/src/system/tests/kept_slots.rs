//! The slots of calls that a thread keeps, and that the same task uses again.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::timeouts::{TimeoutState, Timeouts};
use super::timer_wheel::{HOUR, SECOND, paused, set, wait_for, wheel};
use crate::system::timer_wheel::TimerWheel;
use crate::system::{CallWaiter, Polled, Slot};

struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

/// Runs a future in a task, because only a task uses its slot again.
async fn in_task<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(future).await.expect("it does not panic")
}

/// Makes a call once the ticker has begun, and answers it. Its slot is kept.
async fn use_slot(wheel: &Arc<TimerWheel>, after: Duration) {
    let first = set(wheel, HOUR);
    yield_now().await;
    wheel.answer(first);
    wheel.answer(set(wheel, after));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_in_a_slot_that_is_used_again_elapses_in_time() {
    for first in [1, 2, 60, 3_600] {
        for pause in [0, 100, 400, 700, 1_300] {
            for next in [1_000, 1_049, 2_000, 5_000, 3_600_000] {
                in_task(async move {
                    let wheel = wheel();
                    use_slot(&wheel, SECOND * first).await;
                    sleep(Duration::from_millis(pause)).await;
                    let late = wait_for(&wheel, Duration::from_millis(next)).await;
                    assert_eq!(late, (Duration::ZERO, 2), "{first} s, {pause} ms, {next} ms");
                })
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_calls_again_and_again_uses_one_slot() {
    in_task(async {
        let wheel = wheel();
        use_slot(&wheel, SECOND * 4).await;
        let begun = Instant::now();
        while begun.elapsed() < SECOND * 60 {
            for _ in 0..100 {
                wheel.answer(set(&wheel, SECOND * 4));
                assert!(wheel.waiting() <= 1);
            }
            sleep(Duration::from_millis(10)).await;
        }
        let polls = wheel.ticker_polls();
        assert!((20..=70).contains(&polls), "the ticker checks a slot once in each half, not {polls} times");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_ticker_ends_when_only_kept_slots_are_left() {
    let wheel = wheel();
    let used = wheel.clone();
    in_task(async move { use_slot(&used, SECOND * 4).await }).await;
    assert_eq!(wheel.waiting(), 1);
    sleep(SECOND * 3).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!((wheel.waiting(), tasks), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_kept_slot_keeps_no_waker() {
    in_task(async {
        let (wheel, quiet) = (wheel(), Arc::new(Quiet));
        use_slot(&wheel, SECOND).await;
        let waker = Waker::from(quiet.clone());
        let id = wheel.set(SECOND, &waker).expect("the ticker runs here");
        assert_eq!(Arc::strong_count(&quiet), 3);
        wheel.answer(id);
        assert_eq!((Arc::strong_count(&quiet), wheel.waiting()), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_thread_keeps_few_slots_however_many_tasks_call() {
    let wheel = wheel();
    let _ticker = set(&wheel, HOUR);
    yield_now().await;
    for _ in 0..1_000 {
        let wheel = wheel.clone();
        in_task(async move { wheel.answer(set(&wheel, HOUR)) }).await;
    }
    assert!((2..=65).contains(&wheel.waiting()), "{}", wheel.waiting());
}

#[tokio::test(start_paused = true)]
async fn timeouts_that_a_task_sets_together_have_a_slot_each() {
    in_task(async {
        let wheel = wheel();
        use_slot(&wheel, SECOND).await;
        let (long, short) = (set(&wheel, SECOND * 10), set(&wheel, SECOND));
        advance(SECOND).await;
        assert_eq!(wheel.poll(&short, Waker::noop()), TimeoutState::Elapsed);
        wheel.answer(short);
        assert_eq!(wheel.poll(&long, Waker::noop()), TimeoutState::Pending);
        wheel.answer(long);
        assert_eq!(wait_for(&wheel, SECOND * 3).await, (Duration::ZERO, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_not_used_for_another_system() {
    in_task(async {
        let (one, other) = (wheel(), wheel());
        for wheel in [&one, &other, &one] {
            use_slot(wheel, SECOND * 2).await;
            assert_eq!(wait_for(wheel, SECOND * 3).await, (Duration::ZERO, 2));
        }
        // The slot of the other system has left its wheel, or the ticker has found it unused.
        drop(one);
        assert_eq!(wait_for(&other, SECOND).await, (Duration::ZERO, 2));
    })
    .await;
}

#[test]
fn a_slot_of_a_runtime_that_is_gone_does_not_serve_the_next_runtime() {
    let wheel = wheel();
    for _ in 0..2 {
        let used = wheel.clone();
        paused().block_on(in_task(async move { use_slot(&used, HOUR).await }));
        assert_eq!(wheel.waiting(), 0);
        let used = wheel.clone();
        let late = paused().block_on(in_task(async move { wait_for(&used, SECOND).await }));
        assert_eq!(late, (Duration::ZERO, 2));
    }
}

#[test]
fn a_thread_that_ends_leaves_its_slots_to_the_ticker() {
    let (wheel, runtime) = (wheel(), paused());
    let used = wheel.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(in_task(async move { use_slot(&used, SECOND * 4).await })));
    });
    assert_eq!(wheel.waiting(), 1);
    runtime.block_on(async {
        advance(SECOND * 3).await;
        yield_now().await;
    });
    assert_eq!(wheel.waiting(), 0);
}

/// Returns `true` if two calls of the same task, one after the other, have the same slot.
fn is_used_again<T: Send + 'static>(end: impl FnOnce(&mut CallWaiter<T>, &Slot<T>)) -> bool {
    let (mut waiter, slot) = CallWaiter::<T>::new();
    waiter.begin(None, Waker::noop());
    end(&mut waiter, &slot);
    drop(waiter);
    let (_next, next_slot) = CallWaiter::<T>::new();
    Arc::ptr_eq(&slot, &next_slot)
}

#[tokio::test]
async fn a_slot_whose_reply_outlives_its_call_is_not_used_again() {
    in_task(async {
        assert!(!is_used_again::<u64>(|_, _| ()), "the caller stops waiting");
        let late = in_task(async {
            let (waiter, slot) = CallWaiter::<u64>::new();
            drop(waiter);
            (slot.is_closed(), slot.answer(1))
        });
        assert_eq!(late.await, (true, Some(1)), "a late answer is returned");
        assert!(is_used_again::<u64>(|_, slot| slot.drop_reply()));
        assert!(
            is_used_again::<u64>(|_, slot| assert!(slot.answer(1).is_none())),
            "an answer that is not taken"
        );
        assert!(is_used_again::<u64>(|waiter, slot| {
            assert!(slot.answer(1).is_none());
            assert!(matches!(waiter.poll(Waker::noop()), Polled::Answered(1)));
        }));
    })
    .await;
}

#[tokio::test]
async fn a_slot_of_another_type_of_answers_is_not_used() {
    in_task(async {
        for _ in 0..2 {
            assert!(is_used_again::<u64>(|_, slot| slot.drop_reply()));
            assert!(is_used_again::<u32>(|_, slot| slot.drop_reply()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_is_too_large_is_not_kept() {
    in_task(async {
        assert!(is_used_again::<[u8; 512]>(|_, slot| slot.drop_reply()));
        assert!(!is_used_again::<[u8; 1_024]>(|_, slot| slot.drop_reply()));
    })
    .await;
}
