//! Which incarnations may begin a call on the thread of a slot.

use perennial_actors::System;
use tokio::task::yield_now;

use crate::pool::runtime::Thread;

#[tokio::test(start_paused = true)]
async fn an_incarnation_that_has_ended_begins_no_call_and_leaves_the_thread_free() {
    let thread = Thread::default();
    thread.end_incarnation(1);
    assert!(thread.occupy(1, System::new()).await.is_none());
    assert!(thread.is_free());
    assert!(thread.occupy(2, System::new()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_late_end_of_an_earlier_incarnation_does_not_permit_calls_of_one_that_has_ended() {
    let thread = Thread::default();
    thread.end_incarnation(2);
    thread.end_incarnation(1);
    assert!(thread.occupy(2, System::new()).await.is_none());
    assert!(thread.occupy(3, System::new()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_incarnation_that_ends_while_it_waits_for_the_thread_begins_no_call() {
    let thread = Thread::default();
    let earlier = thread.occupy(1, System::new()).await.expect("it has not ended");
    let waiting = thread.clone();
    let waiter = tokio::spawn(async move { waiting.occupy(2, System::new()).await.is_some() });
    yield_now().await;
    thread.end_incarnation(2);
    drop(earlier);
    assert!(!waiter.await.expect("it does not panic"));
    assert!(thread.is_free());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_incarnation_finds_the_call_that_it_has_begun() {
    let thread = Thread::default();
    let (returned, mut is_returned) = tokio::sync::oneshot::channel();
    let occupied = thread.occupy(1, System::new()).await.expect("it has not ended");
    thread.end_incarnation(1);
    assert!(thread.on_return(move || returned.send(()).unwrap_or_default()).is_some());
    assert!(is_returned.try_recv().is_err());
    drop(occupied);
    assert_eq!(is_returned.try_recv(), Ok(()));
}
