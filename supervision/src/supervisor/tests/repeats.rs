//! The filter of repeated stop signals.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::supervisor::StopSignal::{Interrupt, Terminate};
use crate::supervisor::stop_signals::RepeatFilter;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn same_signal_within_half_a_second_is_a_repetition() {
    let mut repeats = RepeatFilter::default();
    assert!(repeats.is_new(Terminate, Instant::now()));
    assert!(!repeats.is_new(Terminate, Instant::now()));
    advance(ms(499)).await;
    assert!(!repeats.is_new(Terminate, Instant::now()));
    advance(ms(1)).await;
    assert!(repeats.is_new(Terminate, Instant::now()), "the repetition has not extended the window");
    advance(ms(499)).await;
    assert!(!repeats.is_new(Terminate, Instant::now()), "the second one has a window of its own");
}

#[tokio::test(start_paused = true)]
async fn different_signal_always_counts() {
    let mut repeats = RepeatFilter::default();
    assert!(repeats.is_new(Terminate, Instant::now()));
    assert!(repeats.is_new(Interrupt, Instant::now()));
    assert!(repeats.is_new(Terminate, Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn repetition_does_not_count_when_the_clock_is_behind_the_last_signal() {
    let mut repeats = RepeatFilter::default();
    let now = Instant::now();
    assert!(repeats.is_new(Interrupt, now + ms(10)));
    assert!(!repeats.is_new(Interrupt, now));
}
