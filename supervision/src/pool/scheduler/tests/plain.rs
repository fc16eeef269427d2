//! The lease of a plain job.

use super::model::{job, ms};
use super::started::{meant, started};
use crate::pool::scheduler::priority_queue::{Placement, QueuedJob, Target};
use crate::pool::scheduler::{Phase, RateKey, RateLimit, ReadinessSource, Scheduler};

fn placed(placement: Placement) -> QueuedJob<u64> {
    QueuedJob { placement, ..job(9) }
}

#[test]
fn plain_jobs_are_leased_in_order_one_to_each_worker() {
    let mut scheduler = started(2, 10);
    for number in 1..=3 {
        assert_eq!(scheduler.enqueue(job(number)), None);
    }
    assert_eq!(scheduler.lease_plain(0, 1), Some((1, Some(ms(0)))));
    assert_eq!(scheduler.lease_plain(0, 1), None, "it has one");
    assert_eq!(scheduler.lease_plain(1, 2), None, "no such incarnation runs");
    assert_eq!(scheduler.lease_plain(1, 1), Some((2, Some(ms(0)))));
    assert_eq!((scheduler.leased(), scheduler.waiting(), scheduler.room()), (2, 1, 9));
    assert_eq!(scheduler.release_lease(0, 1).map(|job| job.item), Some(1));
    assert_eq!(scheduler.lease_plain(0, 1), Some((3, Some(ms(0)))));
    assert_eq!(scheduler.release_lease(1, 1).map(|job| job.item), Some(2));
    assert_eq!(scheduler.lease_plain(1, 1), None, "no job is left");
}

#[test]
fn completed_job_is_exchanged_for_the_first_one_that_is_queued() {
    let mut scheduler = started(2, 10);
    assert_eq!(scheduler.exchange_plain(0, 1, |_| true), None, "it has no job");
    for number in 1..=3 {
        scheduler.enqueue(job(number));
    }
    assert_eq!(scheduler.lease_plain(0, 1), Some((1, Some(ms(0)))));
    let before = format!("{scheduler:?}");
    assert_eq!(scheduler.exchange_plain(0, 1, |_| false), None, "its job does not complete");
    assert_eq!(scheduler.exchange_plain(0, 2, |_| true), None, "no such incarnation runs");
    assert_eq!(format!("{scheduler:?}"), before);
    assert_eq!(scheduler.exchange_plain(0, 1, |job| *job == 1), Some((1, (2, Some(ms(0))))));
    assert_eq!(scheduler.exchange_plain(0, 1, |job| *job == 2), Some((2, (3, Some(ms(0))))));
    assert_eq!((scheduler.leased(), scheduler.waiting(), scheduler.room()), (1, 0, 10));
    assert_eq!(scheduler.exchange_plain(0, 1, |_| true), None, "no job is left");
    assert_eq!(scheduler.release_lease(0, 1).map(|job| job.item), Some(3));
}

type Change = fn(&mut Scheduler<u64>);

#[test]
fn nothing_is_leased_as_a_plain_job_if_more_has_to_be_looked_at() {
    let spoil: [(&str, Change); 12] = [
        ("priority", |scheduler| {
            scheduler.enqueue(placed(Placement { priority: 1, ..Placement::default() }));
        }),
        ("expiry", |scheduler| {
            scheduler.enqueue(placed(Placement { expires: Some(ms(5)), ..Placement::default() }));
        }),
        ("kind", |scheduler| {
            scheduler.enqueue(placed(Placement { rate_key: RateKey::new(7), ..Placement::default() }));
        }),
        ("delay", |scheduler| scheduler.delay(job(9), ms(5))),
        ("key", |scheduler| {
            scheduler.enqueue(meant(9, Target::Key(3)));
        }),
        ("route", |scheduler| {
            scheduler.enqueue(meant(9, Target::Slot(1)));
        }),
        ("failed worker", |scheduler| {
            scheduler.enqueue(meant(9, Target::Except(1)));
        }),
        ("pause", |scheduler| drop(scheduler.pause(true))),
        ("rate", |scheduler| {
            scheduler.set_rate(Some(RateLimit::per(1, ms(5))));
        }),
        ("end", |scheduler| scheduler.advance_to(Phase::Closed)),
        ("unready worker", |scheduler| {
            scheduler.set_ready(0, 1, ReadinessSource::Worker, false);
        }),
        ("surplus worker", |scheduler| drop(scheduler.set_open(0, false))),
    ];
    for (what, spoil) in spoil {
        let mut scheduler = started(2, 10);
        scheduler.enqueue(job(1));
        scheduler.enqueue(job(2));
        assert!(scheduler.lease_plain(0, 1).is_some());
        spoil(&mut scheduler);
        let before = format!("{scheduler:?}");
        let completes = |_: &u64| unreachable!("it is not exchanged");
        assert_eq!(scheduler.exchange_plain(0, 1, completes), None, "{what}");
        assert_eq!(format!("{scheduler:?}"), before, "{what}");
        scheduler.release_lease(0, 1);
        let before = format!("{scheduler:?}");
        assert_eq!(scheduler.lease_plain(0, 1), None, "{what}");
        assert_eq!(format!("{scheduler:?}"), before, "{what}");
    }
}
