//! Which jobs are leased, and when.

use std::time::Duration;

use super::opener::{Failure, Opener};
use super::steps::{
    NOW, QUEUE, apply, at, commit, enqueue, enqueue_at, ensure, error, finish, ids, job, lease, lease_of,
    lease_one, payload, record, refused, same,
};
use crate::batch::{Applied, AttemptEnd, Op};
use crate::record::{JobRecord, NewJob, RecordState};

pub(super) async fn jobs_are_leased_by_priority_and_number(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let mut stored = Vec::new();
    for priority in [0, 9, 0, 255, 9] {
        stored.push(enqueue(&*store, NewJob { priority, ..job("j") }).await?);
    }
    let leased = lease(&*store, NOW, 10).await?;
    let expected: Vec<_> = [3, 1, 4, 0, 2].into_iter().map(|index| stored[index]).collect();
    same(&ids(&leased.jobs), &expected, "the order")?;
    let first = &leased.jobs[0];
    let found = (first.state, first.attempt, first.epoch, first.started);
    same(&found, &(RecordState::Running, 1, Some(store.epoch()), Some(NOW)), "the leased job")?;
    same(first, &record(&*store, first.id).await?, "the stored job")
}

pub(super) async fn a_job_is_leased_once(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    for number in 0..10 {
        enqueue(&*store, job(&number.to_string())).await?;
    }
    let (first, second) = tokio::join!(lease(&*store, NOW, 7), lease(&*store, NOW, 7));
    let mut all = [ids(&first?.jobs), ids(&second?.jobs)].concat();
    all.sort_unstable();
    all.dedup();
    same(&all.len(), &10, "the number of leased jobs")?;
    same(&lease(&*store, NOW, 7).await?.jobs.len(), &0, "the number of jobs that are left")
}

pub(super) async fn a_delayed_job_is_not_leased_before_it_is_due(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, NewJob { due: at(10), priority: 9, ..job("later") }).await?;
    enqueue(&*store, NewJob { due: at(20), ..job("last") }).await?;
    let now = enqueue(&*store, job("now")).await?;
    let leased = lease(&*store, at(9), 10).await?;
    same(&ids(&leased.jobs), &vec![now], "what is due")?;
    same(&leased.next_due, &Some(at(10)), "when the next is due")?;
    let leased = lease(&*store, at(10), 10).await?;
    same(&(ids(&leased.jobs), leased.next_due), &(vec![id], Some(at(20))), "what is due then")
}

pub(super) async fn an_expired_job_is_over_and_dead_if_it_had_failed(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let kept = NewJob { expires: Some(at(10)), retention: Duration::from_secs(60), ..job("kept") };
    let failed = enqueue(&*store, kept.clone()).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Retry { failure: error("no"), due: at(10) }).await?;
    let unstarted = enqueue(&*store, kept).await?;
    let forgotten = enqueue(&*store, NewJob { expires: Some(at(10)), ..job("gone") }).await?;
    let last = enqueue(&*store, job("runs")).await?;
    let leased = lease(&*store, at(10), 1).await?;
    same(&ids(&leased.jobs), &vec![last], "what is leased in their place")?;
    same(&leased.expired, &vec![failed, unstarted, forgotten], "what has expired")?;
    same(&record(&*store, failed).await?.state, &RecordState::Dead, "the job that had failed")?;
    let expired = record(&*store, unstarted).await?;
    same(&(expired.state, expired.ended), &(RecordState::Expired, Some(at(10))), "the other job")?;
    same(&super::steps::get(&*store, forgotten).await?, &None, "the job without retention")
}

pub(super) async fn jobs_of_one_key_run_one_after_the_other(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let keyed = |key: &str| NewJob { key: Some(key.to_owned()), ..job(key) };
    let first = enqueue(&*store, keyed("a")).await?;
    let second = enqueue(&*store, keyed("a")).await?;
    let other = enqueue(&*store, keyed("b")).await?;
    let elsewhere = NewJob { queue: "others".to_owned(), ..keyed("a") };
    enqueue(&*store, elsewhere).await?;
    let leased = lease(&*store, NOW, 10).await?;
    same(&ids(&leased.jobs), &vec![first, other], "the first of each key")?;
    same(&lease(&*store, NOW, 10).await?.jobs.len(), &0, "the number of jobs while both run")?;
    same(&lease_of(&*store, "others", NOW, 10).await?.jobs.len(), &1, "the jobs of the other queue")?;
    finish(&*store, NOW, &leased.jobs[0], AttemptEnd::Completed(None)).await?;
    same(&ids(&lease(&*store, NOW, 10).await?.jobs), &vec![second], "the next of the key")
}

fn pause(paused: bool) -> Op {
    Op::Pause { queue: QUEUE.to_owned(), paused }
}

pub(super) async fn a_paused_queue_leases_nothing_and_others_do(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    enqueue(&*store, job("a")).await?;
    enqueue_at(&*store, NOW, NewJob::new("others", payload("b"))).await?;
    apply(&*store, NOW, pause(true)).await?;
    same(&lease(&*store, NOW, 10).await?.jobs.len(), &0, "the number of jobs of the paused queue")?;
    same(&lease_of(&*store, "others", NOW, 10).await?.jobs.len(), &1, "the jobs of the other")?;
    apply(&*store, NOW, pause(false)).await?;
    same(&lease(&*store, NOW, 10).await?.jobs.len(), &1, "the number of jobs after it")
}

pub(super) async fn a_lease_sees_what_its_batch_did_before(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    enqueue(&*store, job("a")).await?;
    let first = lease_one(&*store, NOW).await?;
    let finish = |of: &JobRecord, end| Op::Finish { job: of.id, attempt: of.attempt, end };
    let lease = || Op::Lease { queue: QUEUE.to_owned(), max: 3 };
    let retry = finish(&first, AttemptEnd::Retry { failure: error("no"), due: NOW });
    let applied = commit(&*store, NOW, vec![Op::Enqueue(Box::new(job("b"))), retry, lease()]).await?;
    let [Applied::Enqueued(second), Applied::Done, Applied::Leased(leased)] = &applied[..] else {
        return Err(format!("the effects are {applied:?}"));
    };
    same(&ids(&leased.jobs), &vec![first.id, *second], "the leased jobs")?;
    same(&leased.jobs[0].attempt, &2, "the attempt")?;
    // What follows a lease sees it, too.
    let ends = leased.jobs.iter().map(|job| finish(job, AttemptEnd::Completed(None))).collect();
    let third = enqueue(&*store, job("c")).await?;
    let cancel = Op::Cancel(third);
    let applied = commit(&*store, NOW, [ends, vec![lease(), cancel, lease()]].concat()).await?;
    let [Applied::Done, Applied::Done, Applied::Leased(one), Applied::Changed(true), Applied::Leased(none)] =
        &applied[..]
    else {
        return Err(format!("the effects are {applied:?}"));
    };
    same(&(ids(&one.jobs), none.jobs.len()), &(vec![third], 0), "the leases around a cancellation")
}

pub(super) async fn a_batch_with_a_conflict_leases_nothing(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let waiting = enqueue(&*store, job("a")).await?;
    let lease = || Op::Lease { queue: QUEUE.to_owned(), max: 3 };
    let late = || Op::Finish { job: waiting, attempt: 7, end: AttemptEnd::Completed(None) };
    for (ops, op) in [(vec![late(), lease()], 0), (vec![lease(), late()], 1)] {
        refused(&*store, NOW, ops, op).await?;
        let found = record(&*store, waiting).await?;
        same(&(found.state, found.attempt), &(RecordState::Queued, 0), "the waiting job")?;
    }
    same(&lease_one(&*store, NOW).await?.id, &waiting, "the job that is leased then")
}

pub(super) async fn a_pause_outlives_the_process(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    apply(&*store, NOW, pause(true)).await?;
    drop(store);
    let store = opener.open().await?;
    let info = store.queue(QUEUE).await.map_err(|error| error.to_string())?;
    ensure(info.paused, "the queue is paused")
}
