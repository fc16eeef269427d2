//! How a group of batches is applied within one transaction.

use rusqlite::{Connection, Error};

use super::cache::Cache;
use super::tables::SqliteTables;
use crate::batch::{Applied, Batch, Op};
use crate::engine::{ApplyError, apply};
use crate::error::CommitErrorKind;
use crate::record::{Epoch, NewJob};
use crate::request::Request;

/// The effects of a batch, or its conflict.
type Outcome = Result<Vec<Applied>, CommitErrorKind>;

/// Puts batches that store a job and do nothing else before those that store none, so that a lease
/// takes new jobs in the transaction that stores them. Jobs keep their order.
pub(super) fn put_new_jobs_first(group: &mut [Request]) {
    let stores_jobs = |batch: &Batch| batch.ops.iter().any(|op| matches!(op, Op::Enqueue(_)));
    let may_pass = |next: &Batch| !stores_jobs(next) || only_job(next).is_some();
    for part in group.chunk_by_mut(|_, next| may_pass(next.batch())) {
        part.sort_by_key(|request| !stores_jobs(request.batch()));
    }
}

/// Applies batches within the transaction, in order. Returns `None` if one of several operations
/// has a conflict and they are not guarded: the transaction is to be undone then. Conflicts are
/// rare, and a savepoint for each batch copies pages.
pub(super) fn apply_all(
    connection: &Connection,
    cache: &mut Cache,
    group: &[Request],
    (epoch, are_guarded): (Epoch, bool),
) -> Result<Option<Vec<Outcome>>, Error> {
    let mut tables = SqliteTables::new(connection, cache);
    let mut outcomes = Vec::with_capacity(group.len());
    let new_job = |request: &'_ Request| only_job(request.batch()).is_some();
    for run in group.chunk_by(|request, next| new_job(request) && new_job(next)) {
        let batches = run.iter().map(Request::batch);
        let jobs: Vec<_> = batches.filter_map(|batch| Some((only_job(batch)?, batch.now))).collect();
        if !jobs.is_empty() {
            let ids = tables.insert_new(&jobs)?;
            outcomes.extend(ids.into_iter().map(|id| Ok(vec![Applied::Enqueued(id)])));
            continue;
        }
        for batch in run.iter().map(Request::batch) {
            // An operation that conflicts has changed nothing itself.
            let is_guarded = are_guarded && batch.ops.len() > 1;
            if is_guarded {
                // What is undone is a part of this batch.
                tables.place()?;
            }
            let outcome = apply_one(connection, &mut tables, batch, epoch, is_guarded)?;
            if outcome.is_err() && batch.ops.len() > 1 && !is_guarded {
                tables.roll_back();
                return Ok(None);
            }
            outcomes.push(outcome);
        }
    }
    tables.place()?;
    Ok(Some(outcomes))
}

/// Applies one batch within the transaction. A conflict undoes what the batch had changed if it is
/// guarded.
fn apply_one(
    connection: &Connection,
    tables: &mut SqliteTables<'_>,
    batch: &Batch,
    epoch: Epoch,
    is_guarded: bool,
) -> Result<Outcome, Error> {
    if is_guarded {
        connection.prepare_cached("SAVEPOINT batch")?.execute([])?;
    }
    let outcome = match apply(tables, batch.now, &batch.ops, epoch) {
        Ok(applied) => Ok(applied),
        Err(ApplyError::Conflict { op, conflict }) => {
            if is_guarded {
                connection.execute_batch("ROLLBACK TO batch")?;
                tables.roll_back();
            }
            Err(CommitErrorKind::Conflict { op, conflict })
        }
        Err(ApplyError::Store(error)) => return Err(error),
    };
    if is_guarded {
        connection.prepare_cached("RELEASE batch")?.execute([])?;
    }
    Ok(outcome)
}

/// Returns the job of a batch that stores this job and does nothing else.
fn only_job(batch: &Batch) -> Option<&NewJob> {
    match &batch.ops[..] {
        [Op::Enqueue(job)] if job.unique.is_none() => Some(job),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::batch::AttemptEnd;
    use crate::history::AttemptFailure;
    use crate::memory::MemoryStore;
    use crate::payload::Payload;
    use crate::record::{JobId, JobRecord, Timestamp, Unique};
    use crate::sqlite::open::open;
    use crate::sqlite::writer::{begin, commit};
    use crate::store::{JobFilter, Store};

    const QUEUES: [&str; 2] = ["q", "r"];

    fn payload() -> Payload {
        Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: vec![7] }
    }

    /// A job that is ready at once.
    fn ready_job() -> impl Strategy<Value = NewJob> {
        (0..2_usize, 0..3_u8, any::<bool>()).prop_map(|(queue, priority, is_kept)| NewJob {
            priority,
            attempts: 2,
            retention: Duration::from_secs(u64::from(is_kept)),
            ..NewJob::new(QUEUES[queue], payload())
        })
    }

    /// A job of any kind: most are ready at once.
    fn any_job() -> impl Strategy<Value = NewJob> {
        let unique = || Some(Unique { key: "u".into(), over_counts: false, period: None });
        prop_oneof![
            4 => ready_job(),
            1 => ready_job().prop_map(|job| NewJob { key: Some("k".into()), ..job }),
            1 => (ready_job(), 0..40_u64).prop_map(|(job, due)| NewJob { due: Timestamp(due), ..job }),
            1 => (ready_job(), 0..40_u64).prop_map(|(job, at)| NewJob { expires: Some(Timestamp(at)), ..job }),
            1 => ready_job().prop_map(move |job| NewJob { unique: unique(), ..job }),
        ]
    }

    fn end() -> impl Strategy<Value = AttemptEnd> {
        let failure = AttemptFailure::Error("no".to_owned());
        let again = AttemptEnd::Retry { failure: failure.clone(), due: Timestamp(0) };
        prop_oneof![
            3 => Just(AttemptEnd::Completed(None)),
            1 => Just(AttemptEnd::Completed(Some(payload()))),
            1 => Just(again),
            1 => Just(AttemptEnd::Dead(failure)),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        let job = || (1..30_u64).prop_map(JobId);
        prop_oneof![
            2 => any_job().prop_map(|job| Op::Enqueue(Box::new(job))),
            4 => (0..2_usize, 1..9_usize)
                .prop_map(|(queue, max)| Op::Lease { queue: QUEUES[queue].to_owned(), max }),
            4 => (job(), 1..3_u32, end()).prop_map(|(job, attempt, end)| Op::Finish { job, attempt, end }),
            1 => job().prop_map(Op::Cancel),
            1 => job().prop_map(Op::Retry),
            1 => job().prop_map(Op::Remove),
            1 => (0..2_usize, any::<bool>())
                .prop_map(|(queue, paused)| Op::Pause { queue: QUEUES[queue].to_owned(), paused }),
            1 => Just(Op::Purge { max: 3 }),
        ]
    }

    fn group() -> impl Strategy<Value = Vec<Vec<Op>>> {
        let new = any_job().prop_map(|job| vec![Op::Enqueue(Box::new(job))]);
        vec(prop_oneof![3 => new, 2 => vec(op(), 1..5)], 1..12)
    }

    /// Applies groups to a file. Returns the batches in the order of their transactions with their
    /// outcomes, and all jobs.
    fn apply_to_file(groups: Vec<Vec<Batch>>) -> (Vec<(Batch, Outcome)>, Vec<JobRecord>) {
        let folder = TempDir::new().unwrap();
        let (connection, epoch) = open(&folder.path().join("jobs.db")).unwrap();
        let (mut cache, mut applied) = (Cache::default(), Vec::new());
        for batches in groups {
            let mut group: Vec<_> = batches.into_iter().map(|batch| Request::new(batch).0).collect();
            put_new_jobs_first(&mut group);
            begin(&connection).unwrap();
            let mut outcomes = apply_all(&connection, &mut cache, &group, (epoch, false)).unwrap();
            if outcomes.is_none() {
                connection.execute_batch("ROLLBACK").unwrap();
                begin(&connection).unwrap();
                outcomes = apply_all(&connection, &mut cache, &group, (epoch, true)).unwrap();
            }
            commit(&connection).unwrap();
            for (mut request, outcome) in group.into_iter().zip(outcomes.unwrap()) {
                applied.push((request.batch().clone(), outcome));
                if let (_, Ok(effects)) = applied.last().unwrap() {
                    cache.recent.keep(request.batch_mut(), effects);
                }
            }
        }
        crate::sqlite::queries::check(&connection).unwrap();
        (applied, crate::sqlite::queries::jobs(&connection, &JobFilter::default()).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn a_group_has_the_effects_of_its_batches_one_after_the_other(groups in vec(group(), 1..6)) {
            let at = |time: u64, ops| Batch { now: Timestamp(10 * time), ops };
            let groups = (1..).zip(groups).map(|(time, group)| {
                group.into_iter().map(|ops| at(time, ops)).collect()
            });
            let (applied, found) = apply_to_file(groups.collect());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let expected = runtime.block_on(async {
                let model = MemoryStore::new();
                for (batch, outcome) in applied {
                    let expected = model.commit(batch.clone()).await.map_err(|error| error.kind);
                    assert_eq!(outcome, expected, "of {batch:?}");
                }
                model.jobs(JobFilter::default()).await.unwrap()
            });
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn new_jobs_pass_what_stores_none_and_keep_their_order() {
        let job = |number: u32| {
            Op::Enqueue(Box::new(NewJob { lost_attempts: number, ..NewJob::new("q", payload()) }))
        };
        let lease = || Op::Lease { queue: "q".to_owned(), max: 1 };
        let requests =
            [vec![lease()], vec![job(1)], vec![Op::Purge { max: 1 }, job(2)], vec![lease()], vec![job(3)]];
        let request = |ops| Request::new(Batch { now: Timestamp(1), ops }).0;
        let mut group: Vec<_> = requests.into_iter().map(request).collect();
        put_new_jobs_first(&mut group);
        let ops: Vec<_> = group.iter().map(|request| request.batch().ops.clone()).collect();
        let expected =
            [vec![job(1)], vec![lease()], vec![Op::Purge { max: 1 }, job(2)], vec![job(3)], vec![lease()]];
        assert_eq!(ops, expected);
    }
}
