//! The slot of a call, used at once by the caller, the reply and the ticker, under loom.
//!
//! A wake-up that is lost leaves the caller waiting for ever, which loom reports.

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::Arc as LoomArc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::system::call_slot::{AnySlot, ReplyState, Timeout, Waiting, with_call};
use crate::system::hand_over::Due;
use crate::system::{CallWaiter, Polled, Slot};

/// Explores the interleavings of three threads. Nearly all bugs need two preemptions.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Waits for the answer, or returns `None` if the reply is dropped.
fn wait<T>(waiter: &mut CallWaiter<T>) -> Option<T> {
    let mut is_begun = false;
    block_on(poll_fn(|cx| {
        if !is_begun {
            is_begun = true;
            waiter.begin(None, cx.waker());
        }
        match waiter.poll(cx.waker()) {
            Polled::Answered(answer) => Poll::Ready(Some(answer)),
            Polled::Dropped { .. } => Poll::Ready(None),
            Polled::Pending { .. } => Poll::Pending,
        }
    }))
}

/// Counts its drops.
struct Counted(LoomArc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A runtime whose timers the ticker uses. No timer of this test fires.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

#[test]
fn a_caller_is_woken_for_its_answer() {
    explore(|| {
        let (mut waiter, slot) = CallWaiter::new();
        let replies = thread::spawn(move || assert!(slot.answer(1).is_none(), "the caller waits"));
        assert_eq!(wait(&mut waiter), Some(1));
        replies.join().expect("the reply is sent");
    });
}

#[test]
fn a_caller_is_woken_when_its_reply_is_dropped() {
    explore(|| {
        let (mut waiter, slot) = CallWaiter::<u64>::new();
        let replies = thread::spawn(move || slot.drop_reply());
        assert_eq!(wait(&mut waiter), None);
        replies.join().expect("the reply is dropped");
    });
}

#[test]
fn a_caller_is_woken_for_an_answer_that_comes_while_its_timeout_is_handed_over() {
    let runtime = runtime();
    let _inside = runtime.enter();
    explore(|| {
        let (mut waiter, slot) = CallWaiter::new();
        let ticked = slot.clone();
        let now = Instant::now();
        let timeout = Waiting { deadline: now + Duration::from_secs(3_600), hand_over_at: now };
        slot.change(&mut |call| call.timeout = Timeout::Waiting(timeout));
        let ticker = thread::spawn(move || {
            let handed_over = with_call(&*ticked, |call| call.begin_hand_over()).flatten();
            let due = handed_over.map(|(deadline, waker)| Due { slot: ticked, deadline, waker });
            due.into_iter().for_each(Due::hand_over);
        });
        let replies = thread::spawn(move || assert!(slot.answer(1).is_none(), "the caller waits"));
        assert_eq!(wait(&mut waiter), Some(1));
        replies.join().expect("the reply is sent");
        ticker.join().expect("the timeout is handed over");
    });
}

#[test]
fn an_answer_to_a_caller_that_stops_waiting_is_dropped_once() {
    explore(|| {
        let drops = LoomArc::new(AtomicUsize::new(0));
        let (mut waiter, slot) = CallWaiter::new();
        waiter.begin(None, Waker::noop());
        let (reply, answer) = (slot.clone(), Counted(drops.clone()));
        let replies = thread::spawn(move || drop(reply.answer(answer)));
        drop(waiter);
        replies.join().expect("the reply is sent");
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_is_unused(&slot);
    });
}

/// Checks that a slot whose call has ended has neither a waker nor a timeout.
fn assert_is_unused(slot: &Slot<Counted>) {
    slot.change(&mut |call| {
        assert!(call.waker.is_none() && matches!(call.timeout, Timeout::Unset));
        assert!(matches!(call.reply, ReplyState::Open | ReplyState::Abandoned));
    });
}
