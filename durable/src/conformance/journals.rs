//! Events and snapshots.

use super::opener::{Failure, Opener};
use super::steps::{NOW, apply, commit, ensure, job, payload, read, refused, same};
use crate::batch::{Applied, Conflict, Op};
use crate::store::{EventFilter, Store, StoredSnapshot};

fn claim(journal: &str) -> Op {
    Op::Claim { journal: journal.to_owned() }
}

fn append(journal: &str, writer: u64, expected: u64, events: &[&str]) -> Op {
    let events = events.iter().map(|event| payload(event)).collect();
    Op::Append { journal: journal.to_owned(), writer, expected, events }
}

fn snapshot(journal: &str, writer: u64, sequence: u64, state: &str) -> Op {
    Op::Snapshot { journal: journal.to_owned(), writer, sequence, state: payload(state) }
}

/// Returns the sequence numbers and the texts of the events of a journal.
async fn journal(store: &dyn Store, journal: &str, after: u64) -> Result<Vec<(u64, String)>, Failure> {
    let filter = EventFilter { journal: Some(journal.to_owned()), after, max: 0 };
    let events = read(store.events(filter)).await?.into_iter();
    let text = |bytes| String::from_utf8(bytes).unwrap_or_default();
    Ok(events.map(|event| (event.sequence, text(event.payload.bytes))).collect())
}

fn owned(events: &[(u64, &str)]) -> Vec<(u64, String)> {
    events.iter().map(|(sequence, text)| (*sequence, (*text).to_owned())).collect()
}

pub(super) async fn events_are_numbered_without_gaps_and_outlive_the_process(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let claimed = Applied::Claimed { writer: 1, sequence: 0 };
    same(&apply(&*store, NOW, claim("a")).await?, &claimed, "the first claim")?;
    same(&apply(&*store, NOW, append("a", 1, 0, &["x", "y"])).await?, &Applied::Appended(2), "the end")?;
    same(&apply(&*store, NOW, append("a", 1, 2, &["z"])).await?, &Applied::Appended(3), "the next end")?;
    drop(store);
    let store = opener.open().await?;
    same(&journal(&*store, "a", 0).await?, &owned(&[(1, "x"), (2, "y"), (3, "z")]), "the journal")?;
    same(&journal(&*store, "a", 2).await?, &owned(&[(3, "z")]), "its end")?;
    same(&journal(&*store, "b", 0).await?, &Vec::new(), "a journal that does not exist")?;
    let claimed = Applied::Claimed { writer: 2, sequence: 3 };
    same(&apply(&*store, NOW, claim("a")).await?, &claimed, "the next claim")
}

pub(super) async fn an_event_at_the_wrong_place_is_refused(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    commit(&*store, NOW, vec![claim("a"), append("a", 1, 0, &["x"])]).await?;
    for expected in [0, 2] {
        let conflict = refused(&*store, NOW, vec![append("a", 1, expected, &["y"])], 0).await?;
        let wrong = Conflict::WrongSequence { journal: "a".to_owned(), expected, found: 1 };
        same(&conflict, &wrong, "the conflict")?;
    }
    same(&journal(&*store, "a", 0).await?, &owned(&[(1, "x")]), "the journal")
}

pub(super) async fn a_new_writer_fences_the_one_before(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    commit(&*store, NOW, vec![claim("a"), append("a", 1, 0, &["x"]), claim("a")]).await?;
    let stale = |writer, latest| Conflict::StaleWriter { journal: "a".to_owned(), writer, latest };
    let late = vec![append("a", 1, 1, &["y"])];
    same(&refused(&*store, NOW, late, 0).await?, &stale(1, 2), "the event of the first")?;
    let late = vec![snapshot("a", 1, 1, "s")];
    same(&refused(&*store, NOW, late, 0).await?, &stale(1, 2), "the snapshot of the first")?;
    let unclaimed = refused(&*store, NOW, vec![append("b", 0, 0, &["y"])], 0).await?;
    ensure(matches!(unclaimed, Conflict::StaleWriter { .. }), "a journal is claimed first")?;
    same(&apply(&*store, NOW, append("a", 2, 1, &["y"])).await?, &Applied::Appended(2), "the second")
}

pub(super) async fn a_snapshot_replaces_the_one_before_and_is_not_ahead_of_the_events(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    same(&read(store.snapshot("a")).await?, &None, "the snapshot of a journal that does not exist")?;
    let ops = vec![claim("a"), snapshot("a", 1, 0, "s0"), append("a", 1, 0, &["x", "y"])];
    commit(&*store, NOW, ops).await?;
    commit(&*store, NOW, vec![snapshot("a", 1, 2, "s2")]).await?;
    let conflict = refused(&*store, NOW, vec![snapshot("a", 1, 3, "s3")], 0).await?;
    let wrong = Conflict::WrongSequence { journal: "a".to_owned(), expected: 3, found: 2 };
    same(&conflict, &wrong, "the conflict")?;
    drop(store);
    let store = opener.open().await?;
    let latest = StoredSnapshot { sequence: 2, state: payload("s2") };
    same(&read(store.snapshot("a")).await?, &Some(latest), "the snapshot")?;
    same(&journal(&*store, "a", 0).await?.len(), &2, "the number of events")
}

pub(super) async fn the_feed_has_the_events_of_all_journals_in_the_order_of_commits(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    commit(&*store, NOW, vec![claim("a"), claim("b")]).await?;
    for op in [append("b", 1, 0, &["b1"]), append("a", 1, 0, &["a1", "a2"]), append("b", 1, 1, &["b2"])] {
        apply(&*store, NOW, op).await?;
    }
    let all = read(store.events(EventFilter::default())).await?;
    let texts: Vec<_> = all.iter().map(|event| (event.journal.as_str(), event.sequence)).collect();
    same(&texts, &vec![("b", 1), ("a", 1), ("a", 2), ("b", 2)], "the feed")?;
    ensure(all.windows(2).all(|pair| pair[0].position < pair[1].position), "positions ascend")?;
    let rest = EventFilter { journal: None, after: all[1].position, max: 1 };
    same(&read(store.events(rest)).await?, &all[2..3].to_vec(), "the feed after a position")
}

pub(super) async fn events_a_snapshot_and_a_job_are_one_commit(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    apply(&*store, NOW, claim("a")).await?;
    let job = || Op::Enqueue(Box::new(job("outbox")));
    let ops = vec![append("a", 1, 0, &["x"]), snapshot("a", 1, 1, "s"), job()];
    commit(&*store, NOW, ops).await?;
    refused(&*store, NOW, vec![job(), append("a", 1, 0, &["late"])], 1).await?;
    let jobs = read(store.jobs(crate::store::JobFilter::default())).await?;
    same(&jobs.len(), &1, "the number of jobs")?;
    same(&journal(&*store, "a", 0).await?, &owned(&[(1, "x")]), "the journal")
}

pub(super) async fn an_erased_journal_is_empty_and_its_writer_fenced(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let erase = || Op::Erase { journal: "a".to_owned() };
    same(&apply(&*store, NOW, erase()).await?, &Applied::Changed(false), "one that does not exist")?;
    let ops = vec![claim("a"), append("a", 1, 0, &["x"]), snapshot("a", 1, 1, "s")];
    commit(&*store, NOW, ops).await?;
    same(&apply(&*store, NOW, erase()).await?, &Applied::Changed(true), "one that exists")?;
    same(&journal(&*store, "a", 0).await?, &Vec::new(), "the journal")?;
    same(&read(store.snapshot("a")).await?, &None, "the snapshot")?;
    same(&read(store.events(EventFilter::default())).await?, &Vec::new(), "the feed")?;
    let late = refused(&*store, NOW, vec![append("a", 1, 0, &["y"])], 0).await?;
    ensure(matches!(late, Conflict::StaleWriter { .. }), "the writer is fenced")?;
    let claimed = apply(&*store, NOW, claim("a")).await?;
    ensure(matches!(claimed, Applied::Claimed { writer: 3.., sequence: 0 }), "it begins anew")
}

pub(super) async fn a_refused_batch_leaves_the_ends_of_its_journals(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    commit(&*store, NOW, vec![claim("a"), append("a", 1, 0, &["x"])]).await?;
    let late = vec![append("a", 1, 1, &["y"]), claim("a"), claim("b"), append("a", 2, 1, &["z"])];
    refused(&*store, NOW, late, 3).await?;
    same(&apply(&*store, NOW, append("a", 1, 1, &["y"])).await?, &Applied::Appended(2), "the next event")?;
    let claimed = Applied::Claimed { writer: 1, sequence: 0 };
    same(&apply(&*store, NOW, claim("b")).await?, &claimed, "the journal that was not made")
}

pub(super) async fn the_position_of_an_erased_event_is_not_given_again(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let ops = vec![claim("a"), claim("b"), append("b", 1, 0, &["x"]), append("a", 1, 0, &["y", "z"])];
    commit(&*store, NOW, ops).await?;
    let last = read(store.events(EventFilter::default())).await?.pop().map(|event| event.position);
    apply(&*store, NOW, Op::Erase { journal: "a".to_owned() }).await?;
    drop(store);
    let store = opener.open().await?;
    apply(&*store, NOW, append("b", 1, 1, &["next"])).await?;
    let next = read(store.events(EventFilter::default())).await?.pop().map(|event| event.position);
    ensure(next > last, "the next position is greater")
}
