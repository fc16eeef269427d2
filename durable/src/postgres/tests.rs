//! What a group of batches needs, and addresses.

use super::plan::{Needs, Part, Unit, units};
use super::url::parse;
use crate::batch::{Batch, Op};
use crate::record::{JobId, Timestamp};

fn batch(ops: &[Op]) -> Batch {
    Batch { now: Timestamp(1), ops: ops.to_vec() }
}

fn lease(queue: &str) -> Op {
    Op::Lease { queue: queue.to_owned(), max: 3 }
}

/// Returns the units of a group: of each part the place of its batch and the number of its
/// operations, or nothing if a batch is applied step by step.
fn units_of(batches: &[Batch]) -> Vec<Vec<(usize, usize)>> {
    let of_unit = |unit| match unit {
        Unit::Plain(parts) => parts.iter().map(|part: &Part<'_>| (part.batch, part.ops.len())).collect(),
        Unit::Stepwise(_) => Vec::new(),
    };
    units(&batches.iter().collect::<Vec<_>>()).into_iter().map(of_unit).collect()
}

#[test]
fn leases_are_loaded_apart_from_what_changes_jobs() {
    let cancel = || batch(&[Op::Cancel(JobId(1))]);
    let lease_of = |queue| batch(&[lease(queue)]);
    assert_eq!(units_of(&[]), [[]; 0]);
    assert_eq!(units_of(&[batch(&[])]), [[]; 0]);
    assert_eq!(units_of(&[cancel(), cancel()]), [[(0, 1), (1, 1)]]);
    assert_eq!(units_of(&[lease_of("a"), lease_of("b")]), [[(0, 1), (1, 1)]]);
    assert_eq!(units_of(&[lease_of("a"), lease_of("a")]), [[(0, 1)], [(1, 1)]]);
    let mixed = [cancel(), lease_of("a"), cancel(), lease_of("a")];
    assert_eq!(units_of(&mixed), [[(0, 1)], [(1, 1)], [(2, 1)], [(3, 1)]]);
}

#[test]
fn a_batch_that_ends_with_leases_is_divided_before_them() {
    let cancel = || batch(&[Op::Cancel(JobId(1))]);
    let ends = || batch(&[Op::Cancel(JobId(1)), Op::Cancel(JobId(2)), lease("a"), lease("b")]);
    let expected = [vec![(0, 1), (1, 2)], vec![(1, 1), (1, 1)], vec![(2, 1)]];
    assert_eq!(units_of(&[cancel(), ends(), cancel()]), expected);
    assert_eq!(units_of(&[ends(), ends()]).len(), 4);
}

#[test]
fn a_batch_that_does_other_things_after_a_lease_is_applied_step_by_step() {
    let cancel = || batch(&[Op::Cancel(JobId(1))]);
    let begins = || batch(&[lease("a"), Op::Cancel(JobId(1))]);
    let expected = [vec![(0, 1)], vec![], vec![(2, 1)], vec![], vec![]];
    assert_eq!(units_of(&[cancel(), begins(), cancel(), begins(), begins()]), expected);
}

#[test]
fn what_a_group_needs_is_named_once() {
    let batches = [
        batch(&[Op::Cancel(JobId(1)), Op::Retry(JobId(1)), Op::Purge { max: 2 }, Op::Purge { max: 3 }]),
        batch(&[Op::Claim { journal: "j".to_owned() }, Op::Erase { journal: "k".to_owned() }]),
    ];
    let parts = batches.iter().map(|batch| Part { batch: 0, now: batch.now, ops: &batch.ops });
    let needs = Needs::of(&parts.collect::<Vec<_>>());
    assert_eq!(needs.jobs, [JobId(1)].into());
    assert_eq!(needs.purge, Some((Timestamp(1), 5)));
    assert_eq!((needs.journals, needs.claimed), (["j", "k"].into(), ["j"].into()));
    assert!(!needs.appends && needs.leases.is_empty() && needs.new_jobs == 0);
}

#[test]
fn an_address_says_how_the_server_is_verified() {
    let parsed =
        parse("postgres://me:pw@db:6543/jobs?sslmode=verify-full&sslrootcert=%2Fca%20s.pem").unwrap();
    assert!(parsed.is_encrypted);
    assert_eq!(parsed.root, Some("/ca s.pem".into()));
    assert_eq!((parsed.config.get_user(), parsed.config.get_ports()), (Some("me"), &[6543][..]));
    let parsed = parse("host=db user=me sslmode=require connect_timeout=3").unwrap();
    assert!(parsed.is_encrypted && parsed.root.is_none());
    assert_eq!(parsed.config.get_connect_timeout(), Some(&std::time::Duration::from_secs(3)));
    assert!(!parse("postgres://me@db/jobs?sslmode=disable&application_name=a").unwrap().is_encrypted);
    assert!(!parse("postgres://me@db/jobs").unwrap().is_encrypted);
    let error = parse("postgres://me:secret@db:port/jobs").unwrap_err();
    assert!(!error.contains("secret"), "{error}");
}
