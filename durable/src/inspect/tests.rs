//! Selections, payloads as text, and changes.

use std::time::Duration;

use super::{JobChange, Selection, escape, payload_text, set_paused};
use crate::MemoryStore;
use crate::batch::{Applied, Batch, Op};
use crate::codec::Bincode;
use crate::payload::Payload;
use crate::record::{JobId, JobRecord, NewJob, RecordState, Timestamp};
use crate::store::Store;
use crate::wire::encode;

fn raw(codec: &str, bytes: &[u8]) -> Payload {
    Payload { tag: "t".into(), version: 1, codec: codec.into(), bytes: bytes.to_owned() }
}

#[test]
fn a_payload_is_one_line_of_text_whatever_its_bytes_are() {
    let rows = [
        (raw("json", br#"{"to":"ann"}"#), r#"{"to":"ann"}"#.to_owned()),
        (raw("json", b"\x1b[2J\n"), r"\u{1b}[2J\n".to_owned()),
        (raw("json", b"\xff"), "0xff".to_owned()),
        (raw("bincode2", b"\x01\x02"), "0x0102".to_owned()),
        (raw("other", &[0; 70]), format!("0x{}... and 6 bytes more", "0".repeat(128))),
    ];
    for (payload, expected) in rows {
        assert_eq!(payload_text(&payload), expected);
    }
    let encoded = |payload: Result<Payload, _>| payload_text(&payload.expect("it can be encoded"));
    assert_eq!(encoded(encode::<_, Bincode>(&7_u64)), "7");
    assert_eq!(encoded(encode::<_, Bincode>(&"a\nb".to_owned())), r#""a\nb""#);
    assert_eq!(encoded(encode::<_, Bincode>(&())), "null");
    let damaged = Payload { bytes: vec![9, 9, 9], ..encode::<_, Bincode>(&7_u8).expect("bytes") };
    assert_eq!(payload_text(&damaged), "0x090909");
}

#[test]
fn text_that_turns_a_line_around_is_escaped_and_other_text_is_not() {
    assert_eq!(escape("a\u{202e}b\u{7f}ü"), r"a\u{202e}b\u{7f}ü");
}

#[test]
fn a_job_is_selected_if_every_condition_holds() {
    let now = Timestamp(100_000);
    let record = JobRecord::new(JobId(1), NewJob::new("q", raw("json", b"1")), Timestamp(40_000));
    let all = Selection::default();
    let queue = |queue: &str| Selection { queue: Some(queue.to_owned()), ..all.clone() };
    let states = |states: &[RecordState]| Selection { states: states.to_vec(), ..all.clone() };
    let age = |seconds| Selection { older_than: Some(Duration::from_secs(seconds)), ..all.clone() };
    let rows = [
        (all.clone(), true),
        (queue("q"), true),
        (queue("other"), false),
        (states(&[RecordState::Dead, RecordState::Queued]), true),
        (states(&[RecordState::Dead]), false),
        (age(60), true),
        (age(61), false),
        (Selection { older_than: Some(Duration::from_secs(61)), ..queue("q") }, false),
    ];
    for (selection, expected) in rows {
        assert_eq!(selection.selects(&record, now), expected, "{selection:?}");
    }
}

#[tokio::test]
async fn a_change_is_of_the_jobs_that_are_in_a_state_for_it() {
    let store = MemoryStore::new();
    let now = Timestamp(1);
    let mut ids = Vec::new();
    for _ in 0..250 {
        let retention = Duration::from_secs(1);
        let new = Op::Enqueue(Box::new(NewJob { retention, ..NewJob::new("q", raw("json", b"1")) }));
        let [Applied::Enqueued(id)] = store.commit(Batch::of(now, new)).await.expect("a commit")[..] else {
            panic!("it is stored")
        };
        ids.push(id);
    }
    let missing = JobId(9999);
    let asked: Vec<JobId> = ids.iter().copied().chain([missing]).collect();
    for (change, changes_all) in [
        (JobChange::Retry, false),
        (JobChange::Cancel, true),
        (JobChange::Cancel, false),
        (JobChange::Retry, true),
        (JobChange::Drop, true),
        (JobChange::Drop, false),
    ] {
        let first = store.job(ids[0]).await.expect("a read");
        assert_eq!(first.is_some_and(|job| change.applies_to(job.state)), changes_all, "{change:?}");
        let changed = change.apply(&store, &asked, now).await.expect("a commit");
        assert_eq!(changed, if changes_all { ids.clone() } else { vec![] }, "{change:?}");
    }
}

#[tokio::test]
async fn a_queue_is_paused_and_resumed() {
    let store = MemoryStore::new();
    for paused in [true, false] {
        set_paused(&store, "q", paused, Timestamp(1)).await.expect("a commit");
        assert_eq!(store.queue("q").await.expect("a read").paused, paused);
    }
}
