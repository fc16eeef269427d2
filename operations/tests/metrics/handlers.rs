//! The times of messages, and calls that time out.

use std::time::Duration;

use perennial_actors::{Address, CallError, System};
use perennial_operations::Metrics;

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

/// Starts an actor and has it handle the 254 messages before the one that asks for a time.
async fn nearly_sampled(system: &System) -> Address<Msg> {
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    for _ in 0..254 {
        unit.call(Msg::Ping).await.expect("it answers");
    }
    unit
}

#[tokio::test(start_paused = true)]
async fn time_of_a_handler_and_the_wait_of_its_message_are_those_of_the_same_message() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = nearly_sampled(&system).await;
    unit.cast(Msg::Sleep(Duration::from_secs(2))).expect("it is open");
    tokio::task::yield_now().await;
    // While the first is being handled, the time of the next is asked for.
    unit.cast(Msg::Sleep(Duration::from_secs(3))).expect("it is open");
    unit.call(Msg::Ping).no_timeout().await.expect("it answers");
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.samples("mailbox_wait_seconds{actor=unit}"), [2.0]);
    assert_eq!(seen.samples("handle_seconds{actor=unit}"), [3.0]);
    assert!(Recorded::collect(&metrics).samples("handle_seconds{actor=unit}").is_empty(), "published once");
}

#[tokio::test(start_paused = true)]
async fn one_of_256_messages_of_an_actor_is_sampled() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    for _ in 0..1_024 {
        unit.call(Msg::Ping).await.expect("it answers");
    }
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.samples("handle_seconds{actor=unit}").len(), 4);
    assert_eq!(seen.samples("mailbox_wait_seconds{actor=unit}").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn handler_that_does_not_return_has_no_time() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = nearly_sampled(&system).await;
    let exit = unit.monitor();
    unit.call(Msg::Ping).await.expect("it answers");
    unit.cast(Msg::Panic).expect("it is open");
    exit.await;
    assert!(Recorded::collect(&metrics).samples("handle_seconds{actor=unit}").is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_that_time_out_are_counted_for_the_called_actor() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    let other = system.spawn::<Unit>(true).label("other").await.expect("it starts");
    unit.cast(Msg::Sleep(Duration::from_secs(60))).expect("it is open");
    for _ in 0..3 {
        let called = unit.call(Msg::Ping).timeout(Duration::from_secs(1)).await;
        assert!(matches!(called, Err(CallError::TimedOut(_))));
        other.call(Msg::Ping).timeout(Duration::from_secs(1)).await.expect("it answers");
    }
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("call_timeouts_total{actor=unit}"), Some(3.0));
    assert_eq!(seen.value("call_timeouts_total{actor=other}"), None);
}

#[tokio::test(start_paused = true)]
async fn timeouts_that_were_lost_are_counted_as_those_of_other_actors() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    unit.cast(Msg::Sleep(Duration::from_secs(3_600))).expect("it is open");
    tokio::task::yield_now().await;
    for _ in 0..5_000 {
        drop(unit.call(Msg::Ping).timeout(Duration::ZERO).await);
    }
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("call_timeouts_total{actor=unit}"), Some(4_096.0));
    assert_eq!(seen.value("call_timeouts_total{actor=other}"), Some(904.0));
}
