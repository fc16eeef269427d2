//! What a group of batches needs, and addresses.

use super::plan::{Needs, Unit, units};
use super::url::parse;
use crate::batch::{Batch, Op};
use crate::record::{JobId, Timestamp};

fn batch(ops: &[Op]) -> Batch {
    Batch { now: Timestamp(1), ops: ops.to_vec() }
}

fn lease(queue: &str) -> Op {
    Op::Lease { queue: queue.to_owned(), max: 3 }
}

fn units_of(batches: &[Batch]) -> Vec<Unit> {
    units(&batches.iter().collect::<Vec<_>>())
}

#[test]
fn leases_are_loaded_apart_from_what_changes_jobs() {
    let cancel = || batch(&[Op::Cancel(JobId(1))]);
    let lease_of = |queue| batch(&[lease(queue)]);
    let both = || batch(&[Op::Cancel(JobId(1)), lease("a")]);
    assert_eq!(units_of(&[]), []);
    assert_eq!(units_of(&[cancel(), cancel()]), [Unit::Plain(0..2)]);
    assert_eq!(units_of(&[lease_of("a"), lease_of("b")]), [Unit::Plain(0..2)]);
    assert_eq!(units_of(&[lease_of("a"), lease_of("a")]), [Unit::Plain(0..1), Unit::Plain(1..2)]);
    let mixed = [cancel(), lease_of("a"), cancel(), lease_of("a")];
    let expected = [Unit::Plain(0..1), Unit::Plain(1..2), Unit::Plain(2..3), Unit::Plain(3..4)];
    assert_eq!(units_of(&mixed), expected);
    let stepwise = [cancel(), both(), cancel(), both(), lease_of("a")];
    let expected =
        [Unit::Plain(0..1), Unit::Stepwise(1), Unit::Plain(2..3), Unit::Stepwise(3), Unit::Plain(4..5)];
    assert_eq!(units_of(&stepwise), expected);
}

#[test]
fn what_a_group_needs_is_named_once() {
    let batches = [
        batch(&[Op::Cancel(JobId(1)), Op::Retry(JobId(1)), Op::Purge { max: 2 }, Op::Purge { max: 3 }]),
        batch(&[Op::Claim { journal: "j".to_owned() }, Op::Erase { journal: "k".to_owned() }]),
    ];
    let needs = Needs::of(&batches);
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
