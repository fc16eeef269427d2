//! What is stored is there.

use std::time::Duration;

use super::opener::{Failure, Opener};
use super::steps::{
    NOW, QUEUE, apply, at, commit, enqueue, enqueue_at, ensure, finish, get, ids, job, lease_one, payload,
    read, record, refused, same,
};
use crate::batch::{Applied, AttemptEnd, Batch, Conflict, Op};
use crate::record::{JobId, JobRecord, NewJob, RecordState, Unique};
use crate::run_options::RunOptions;
use crate::store::{JobFilter, QueueInfo};

fn all_run_options() -> RunOptions {
    RunOptions {
        time_limit: Some(Duration::from_millis(1_001)),
        soft_time_limit: Some(Duration::from_nanos(1)),
        rate_key: Some("'r\"".to_owned()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        retain_dead: Some(Duration::from_secs(9)),
    }
}

fn with_all_options() -> NewJob {
    NewJob {
        priority: 255,
        due: at(60),
        expires: Some(at(120)),
        key: Some("k".to_owned()),
        unique: Some(Unique {
            key: "u".to_owned(),
            over_counts: true,
            period: Some(Duration::from_millis(1_500)),
        }),
        at_most_once: true,
        retention: Duration::from_millis(7_001),
        attempts: 5,
        lost_attempts: 2,
        options: all_run_options(),
        ..job("\u{0}'; -- \u{1f600}")
    }
}

pub(super) async fn a_job_is_read_back_as_it_was_stored(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    for new in [job(""), with_all_options()] {
        let id = enqueue(&*store, new.clone()).await?;
        same(&record(&*store, id).await?, &JobRecord::new(id, new, NOW), "the job")?;
    }
    same(&get(&*store, JobId(99)).await?, &None, "a job that was not stored")
}

pub(super) async fn jobs_outlive_the_process(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let id = enqueue(&*store, with_all_options()).await?;
    let before = record(&*store, id).await?;
    drop(store);
    let store = opener.open().await?;
    same(&record(&*store, id).await?, &before, "the job")
}

pub(super) async fn numbers_ascend_and_are_never_used_again(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let first = enqueue(&*store, job("a")).await?;
    let second = enqueue(&*store, job("b")).await?;
    ensure(first < second, "a later job has a greater number")?;
    same(&apply(&*store, NOW, Op::Remove(second)).await?, &Applied::Changed(true), "the removal")?;
    drop(store);
    let store = opener.open().await?;
    let third = enqueue(&*store, job("c")).await?;
    ensure(second < third, "the number of a job that was removed is not used again")
}

pub(super) async fn the_jobs_of_one_batch_are_numbered_in_its_order(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let before = enqueue(&*store, unique("a", false, None)).await?;
    let texts = ["b", "c", "d"];
    let mut ops: Vec<_> = texts.into_iter().map(|text| Op::Enqueue(Box::new(job(text)))).collect();
    ops.insert(1, Op::Enqueue(Box::new(unique("e", false, None))));
    let applied = commit(&*store, NOW, ops).await?;
    let [
        Applied::Enqueued(first),
        Applied::Existing(existing),
        Applied::Enqueued(second),
        Applied::Enqueued(third),
    ] = applied[..]
    else {
        return Err(format!("the effects are {applied:?}"));
    };
    same(&existing, &before, "the job that is there")?;
    ensure(before < first && first < second && second < third, "numbers ascend in the order of a batch")?;
    for (id, text) in [first, second, third].into_iter().zip(texts) {
        same(&record(&*store, id).await?.job, &job(text), "the job of a number")?;
    }
    Ok(())
}

pub(super) async fn a_number_that_no_job_has_names_none(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    // A store may give jobs such numbers within a transaction.
    for number in [0, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX] {
        let absent = JobId(number);
        let ops = vec![Op::Enqueue(Box::new(job("new"))), Op::Cancel(absent), Op::Remove(absent)];
        let applied = commit(&*store, NOW, ops).await?;
        let [Applied::Enqueued(id), Applied::Changed(false), Applied::Changed(false)] = applied[..] else {
            return Err(format!("the effects with {absent:?} are {applied:?}"));
        };
        same(&record(&*store, id).await?.state, &RecordState::Queued, "the new job")?;
        same(&get(&*store, absent).await?, &None, "the absent job")?;
    }
    Ok(())
}

pub(super) async fn a_batch_with_a_conflict_changes_nothing(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let waiting = enqueue(&*store, job("waiting")).await?;
    let before = read(store.jobs(JobFilter::default())).await?;
    let ops = vec![
        Op::Enqueue(Box::new(job("new"))),
        Op::Cancel(waiting),
        Op::Pause { queue: QUEUE.to_owned(), paused: true },
        Op::Claim { journal: "j".to_owned() },
        Op::Append { journal: "j".to_owned(), writer: 1, expected: 0, events: vec![payload("e")] },
        Op::Finish { job: JobId(99), attempt: 1, end: AttemptEnd::Completed(None) },
        Op::Enqueue(Box::new(job("after"))),
    ];
    let conflict = refused(&*store, NOW, ops, 5).await?;
    same(&conflict, &Conflict::NoSuchJob(JobId(99)), "the conflict")?;
    same(&read(store.jobs(JobFilter::default())).await?, &before, "the list of jobs")?;
    ensure(!read(store.queue(QUEUE)).await?.paused, "the pause was not applied")?;
    let events = read(store.events(crate::store::EventFilter::default())).await?;
    ensure(events.is_empty(), "the event was not appended")
}

pub(super) async fn a_dropped_future_does_not_undo_its_commit(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    drop(store.commit(Batch::of(NOW, Op::Enqueue(Box::new(job("dropped"))))));
    // Commits of one handle are applied in the order in which they were handed over.
    enqueue(&*store, job("after")).await?;
    same(&read(store.queue(QUEUE)).await?.count(RecordState::Queued), &2, "the number of jobs")
}

pub(super) async fn concurrent_commits_are_all_applied(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let new = |number: u32| Batch::of(NOW, Op::Enqueue(Box::new(job(&number.to_string()))));
    let commits: Vec<_> = (0..64).map(|number| store.commit(new(number))).collect();
    let mut numbers = Vec::new();
    for commit in commits {
        match commit.await.map_err(|error| error.to_string())?.as_slice() {
            [Applied::Enqueued(id)] => numbers.push(*id),
            other => return Err(format!("the effect is {other:?}")),
        }
    }
    ensure(numbers.windows(2).all(|pair| pair[0] < pair[1]), "they were applied in order")?;
    same(&ids(&read(store.jobs(JobFilter::default())).await?), &numbers, "the list of jobs")
}

fn unique(text: &str, over_counts: bool, period: Option<Duration>) -> NewJob {
    let unique = Unique { key: "u".to_owned(), over_counts, period };
    NewJob { unique: Some(unique), retention: Duration::from_secs(600), ..job(text) }
}

pub(super) async fn a_unique_job_is_stored_once_while_it_is_not_over(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let first = enqueue(&*store, unique("a", false, None)).await?;
    let again = || Op::Enqueue(Box::new(unique("b", false, None)));
    same(&apply(&*store, NOW, again()).await?, &Applied::Existing(first), "the second")?;
    let other_queue = NewJob { queue: "others".to_owned(), ..unique("c", false, None) };
    enqueue(&*store, other_queue).await?;
    let leased = lease_one(&*store, NOW).await?;
    same(&apply(&*store, NOW, again()).await?, &Applied::Existing(first), "one while the first runs")?;
    finish(&*store, NOW, &leased, AttemptEnd::Completed(None)).await?;
    enqueue(&*store, unique("d", false, None)).await.map(drop)
}

pub(super) async fn a_unique_job_that_is_over_counts_if_asked_and_only_within_its_period(
    opener: &Opener,
) -> Result<(), Failure> {
    let store = opener.open().await?;
    let minute = Some(Duration::from_secs(60));
    let first = enqueue(&*store, unique("a", true, minute)).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Completed(None)).await?;
    let again = Op::Enqueue(Box::new(unique("b", true, minute)));
    same(&apply(&*store, at(60), again).await?, &Applied::Existing(first), "one within the period")?;
    enqueue_at(&*store, at(61), unique("c", true, minute)).await.map(drop)
}

pub(super) async fn jobs_are_listed_by_queue_and_state_in_pages(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(enqueue(&*store, job(&number.to_string())).await?);
    }
    enqueue(&*store, NewJob::new("others", payload("x"))).await?;
    let leased = lease_one(&*store, NOW).await?;
    let of_queue = JobFilter { queue: Some(QUEUE.to_owned()), max: 2, ..JobFilter::default() };
    same(&ids(&read(store.jobs(of_queue.clone())).await?), &all[..2].to_vec(), "the first page")?;
    let next = JobFilter { after: Some(all[1]), max: 0, ..of_queue.clone() };
    same(&ids(&read(store.jobs(next)).await?), &all[2..].to_vec(), "the rest")?;
    let running = JobFilter { state: Some(RecordState::Running), ..of_queue };
    same(&ids(&read(store.jobs(running)).await?), &vec![leased.id], "the running jobs")?;
    let info = read(store.queue(QUEUE)).await?;
    let counts = (info.count(RecordState::Queued), info.count(RecordState::Running), info.jobs.len());
    same(&counts, &(4, 1, 2), "the counts of the queue")
}

pub(super) async fn the_jobs_of_all_queues_are_counted_by_state(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    for new in [job("a"), job("b"), NewJob { due: at(60), ..job("c") }, job("d")] {
        enqueue(&*store, new).await?;
    }
    let completed = NewJob { retention: Duration::from_secs(60), priority: 9, ..job("e") };
    enqueue(&*store, completed).await?;
    let leased = lease_one(&*store, NOW).await?;
    finish(&*store, NOW, &leased, AttemptEnd::Completed(None)).await?;
    lease_one(&*store, NOW).await?;
    enqueue(&*store, NewJob::new("others", payload("x"))).await?;
    for queue in ["others", "paused"] {
        apply(&*store, NOW, Op::Pause { queue: queue.to_owned(), paused: true }).await?;
    }
    let queues = read(store.queues()).await?;
    let jobs = [
        (RecordState::Queued, 2),
        (RecordState::Delayed, 1),
        (RecordState::Running, 1),
        (RecordState::Completed, 1),
    ];
    let expected = [
        (QUEUE.to_owned(), QueueInfo { jobs: jobs.into(), paused: false }),
        ("others".to_owned(), QueueInfo { jobs: [(RecordState::Queued, 1)].into(), paused: true }),
        ("paused".to_owned(), QueueInfo { jobs: [].into(), paused: true }),
    ];
    same(&queues, &expected.into(), "the queues")?;
    for (queue, info) in queues {
        same(&read(store.queue(&queue)).await?, &info, "one of them")?;
    }
    Ok(())
}

pub(super) async fn a_commit_changes_the_number_of_changes(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    let mut changes = store.changes();
    changes.mark_unchanged();
    commit(&*store, NOW, vec![Op::Enqueue(Box::new(job("a")))]).await?;
    changes.changed().await.map_err(|_| "the store sends no changes any more".to_owned())
}

pub(super) async fn the_check_of_a_sound_store_passes(opener: &Opener) -> Result<(), Failure> {
    let store = opener.open().await?;
    enqueue(&*store, with_all_options()).await?;
    read(store.check()).await
}
