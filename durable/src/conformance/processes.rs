//! What remains of a process that has ended.

use super::opener::{Failure, Opener};
use super::steps::{
    NOW, QUEUE, at, enqueue, ensure, finish, ids, job, lease, lease_one, read, refused_as_stale, same,
};
use crate::batch::AttemptEnd;
use crate::history::AttemptFailure;
use crate::record::NewJob;

fn lost(due: crate::record::Timestamp) -> AttemptEnd {
    AttemptEnd::Retry { failure: AttemptFailure::ProcessEnded, due }
}

pub(super) async fn epochs_ascend(opener: &Opener) -> Result<(), Failure> {
    let first = opener.open().await?.epoch();
    let second = opener.open().await?.epoch();
    let third = opener.open().await?.epoch();
    ensure(first < second && second < third, "a later process has a greater number")
}

pub(super) async fn running_jobs_of_an_ended_process_are_orphans_and_those_of_this_one_are_not(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let first = enqueue(&*store, job("a")).await?;
    let second = enqueue(&*store, job("b")).await?;
    let third = enqueue(&*store, job("c")).await?;
    enqueue(&*store, job("d")).await?;
    lease(&*store, NOW, 2).await?;
    same(&read(store.orphans(QUEUE, 9)).await?, &Vec::new(), "the orphans of a process that lives")?;
    drop(store);
    let store = opener.open().await?;
    same(&ids(&lease(&*store, NOW, 1).await?.jobs), &vec![third], "what is leased next")?;
    same(&ids(&read(store.orphans(QUEUE, 9)).await?), &vec![first, second], "the orphans")?;
    same(&ids(&read(store.orphans(QUEUE, 1)).await?), &vec![first], "the first of the orphans")?;
    same(&read(store.orphans("others", 9)).await?, &Vec::new(), "the orphans of another queue")
}

pub(super) async fn an_orphan_is_finished_once_and_its_next_attempt_has_the_next_number(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    enqueue(&*store, job("a")).await?;
    let before = lease_one(&*store, NOW).await?;
    drop(store);
    let store = opener.open().await?;
    let mut orphans = read(store.orphans(QUEUE, 9)).await?;
    let orphan = orphans.pop().ok_or("there is no orphan")?;
    same(&orphan, &before, "the orphan")?;
    finish(&*store, at(1), &orphan, lost(at(1))).await?;
    refused_as_stale(&*store, at(1), &orphan).await?;
    same(&read(store.orphans(QUEUE, 9)).await?, &Vec::new(), "the orphans after it")?;
    let again = lease_one(&*store, at(1)).await?;
    same(&(again.attempt, again.epoch), &(2, Some(store.epoch())), "the next attempt")?;
    let epochs: Vec<_> = again.history.iter().map(|attempt| Some(attempt.epoch)).collect();
    same(&epochs, &vec![before.epoch], "the process of the first attempt")
}

pub(super) async fn a_key_is_free_when_its_orphan_is_finished(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let keyed = || NewJob { key: Some("k".to_owned()), ..job("a") };
    let first = enqueue(&*store, keyed()).await?;
    enqueue(&*store, keyed()).await?;
    lease_one(&*store, NOW).await?;
    drop(store);
    let store = opener.open().await?;
    same(&lease(&*store, NOW, 9).await?.jobs.len(), &0, "the number of jobs while the orphan is there")?;
    for orphan in read(store.orphans(QUEUE, 9)).await? {
        finish(&*store, NOW, &orphan, lost(NOW)).await?;
    }
    same(&ids(&lease(&*store, NOW, 9).await?.jobs), &vec![first], "what is leased then")
}
