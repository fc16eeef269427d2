//! Which of the signals that arrive is a request of its own.

use std::time::Duration;

use tokio::time::{Instant, advance};

use crate::supervisor::StopSignal::{Interrupt, Terminate};
use crate::supervisor::stop_signals::Repeats;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn the_same_signal_within_half_a_second_is_one_and_later_it_is_another() {
    let mut repeats = Repeats::default();
    assert!(repeats.counts(Terminate, Instant::now()));
    assert!(!repeats.counts(Terminate, Instant::now()));
    advance(ms(499)).await;
    assert!(!repeats.counts(Terminate, Instant::now()));
    advance(ms(1)).await;
    assert!(repeats.counts(Terminate, Instant::now()), "the repetition has not extended the window");
    advance(ms(499)).await;
    assert!(!repeats.counts(Terminate, Instant::now()), "the second one has a window of its own");
}

#[tokio::test(start_paused = true)]
async fn another_signal_is_another_request_at_any_time() {
    let mut repeats = Repeats::default();
    assert!(repeats.counts(Terminate, Instant::now()));
    assert!(repeats.counts(Interrupt, Instant::now()));
    assert!(repeats.counts(Terminate, Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_behind_the_last_signal_does_not_make_a_repetition_count() {
    let mut repeats = Repeats::default();
    let now = Instant::now();
    assert!(repeats.counts(Interrupt, now + ms(10)));
    assert!(!repeats.counts(Interrupt, now));
}
