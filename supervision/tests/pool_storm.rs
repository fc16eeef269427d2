//! Under random kills and changes, each of a hundred thousand jobs ends exactly once.
//!
//! On several threads real time is used, because paused time needs one thread. Only jobs and the
//! fault generator sleep there; no assertion depends on a sleep.

use crate::support::storm::{Loss, storm};
use crate::support::threads;

async fn run_storm(seed: u64) {
    let logbook = storm(seed, Loss::Nothing).await;
    logbook.check(Loss::Nothing);
    logbook.check_weather();
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_in_the_first_storm() {
    run_storm(1).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_in_the_second_storm() {
    run_storm(22).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_in_the_third_storm() {
    run_storm(333).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_in_the_fourth_storm() {
    run_storm(4444).await;
}

#[tokio::test(start_paused = true)]
async fn each_job_ends_once_if_some_are_cancelled_expire_or_are_cleared() {
    storm(666_666, Loss::Some).await.check(Loss::Some);
}

#[test]
fn each_job_ends_once_in_a_storm_on_several_threads() {
    threads::on_threads(3, async {
        storm(55_555, Loss::Nothing).await.check(Loss::Nothing);
    });
}

#[test]
fn each_job_ends_once_with_cancels_on_several_threads() {
    threads::on_threads(3, async {
        storm(7_777_777, Loss::Some).await.check(Loss::Some);
    });
}
