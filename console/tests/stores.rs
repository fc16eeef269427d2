//! Durable queues and their jobs: what is shown, what actions do, and stores in trouble.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use perennial_console::api::{DurableJob, DurableJobPage, DurableJobState, StoreRow};
use perennial_durable::{
    Applied, AttemptEnd, AttemptFailure, Batch, JobId, MemoryStore, NewJob, Op, Payload, RecordState, Store,
    Timestamp,
};
use serde::de::DeserializeOwned;

use crate::support::trouble::{Trouble, TroubledStore};
use crate::support::{Stage, TOKEN};

const NOW: Timestamp = Timestamp(1_000);

/// Stores a job that is JSON. Returns its number.
pub(crate) async fn enqueue(store: &MemoryStore, queue: &str, json: &str) -> JobId {
    let payload =
        Payload { tag: "mail".into(), version: 2, codec: "json".into(), bytes: json.as_bytes().to_vec() };
    let new = Op::Enqueue(Box::new(NewJob::new(queue, payload)));
    match store.commit(Batch::of(NOW, new)).await.expect("it is stored")[..] {
        [Applied::Enqueued(id)] => id,
        ref other => panic!("{other:?}"),
    }
}

/// Stores a job that has failed twice: once to be tried again, and for good.
pub(crate) async fn enqueue_dead(store: &MemoryStore, queue: &str) -> JobId {
    let job = enqueue(store, queue, r#"{"to":"ann"}"#).await;
    let failure = |error: &str| AttemptFailure::Error(error.to_owned());
    let ends = [
        AttemptEnd::Retry { failure: failure("offline"), due: NOW },
        AttemptEnd::Dead(failure("no such address")),
    ];
    for (attempt, end) in (1..).zip(ends) {
        let lease = Op::Lease { queue: queue.to_owned(), max: 1 };
        store.commit(Batch::of(NOW, lease)).await.expect("it is leased");
        store.commit(Batch::of(NOW, Op::Finish { job, attempt, end })).await.expect("it has ended");
    }
    job
}

async fn start(stores: Vec<(&str, Arc<dyn Store>)>) -> Stage {
    Stage::with(|console, _| {
        stores.into_iter().fold(console.token(TOKEN), |console, (name, store)| console.store(name, store))
    })
    .await
}

async fn read<T: DeserializeOwned>(stage: &Stage, path: &str) -> T {
    serde_json::from_value(stage.read(path).await).expect("the answer has its type")
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_durable_job_has_all_its_attempts_and_is_retried() {
    let store = Arc::new(MemoryStore::new());
    let id = enqueue_dead(&store, "mails").await;
    let stage = start(vec![("orders", store.clone())]).await;
    let stores: Vec<StoreRow> = read(&stage, "/stores").await;
    assert_eq!((stores.len(), stores[0].name.as_str(), stores[0].total), (1, "orders", 1));
    let queue = &stores[0].queues[0];
    assert_eq!((queue.queue.as_str(), queue.jobs[&DurableJobState::Dead]), ("mails", 1));
    assert_eq!(queue.jobs[&DurableJobState::Queued], 0);

    let path = format!("/stores/orders/jobs/{id}");
    let job: DurableJob = read(&stage, &path).await;
    assert_eq!((job.job.state, job.job.text.as_str()), (DurableJobState::Dead, r#"{"to":"ann"}"#));
    let failures: Vec<_> = job.attempts.iter().map(|attempt| attempt.failure.as_deref()).collect();
    assert_eq!(failures, [Some("offline"), Some("no such address")]);
    assert_eq!(job.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((job.type_name.as_str(), job.type_version), ("mail", 2));
    assert_eq!(job.actions, ["retry", "drop"]);

    assert_eq!(stage.post(&format!("{path}/cancel"), "").await.error(), "conflict");
    assert_eq!(stage.post(&format!("{path}/retry"), "").await.status, 200);
    let job: DurableJob = read(&stage, &path).await;
    assert_eq!((job.job.state, job.actions), (DurableJobState::Queued, vec!["cancel".into(), "drop".into()]));
    assert!(job.attempts.iter().all(|attempt| attempt.is_forgiven));
    assert_eq!(stage.post(&format!("{path}/drop"), "").await.status, 200);
    assert_eq!(stage.get(&format!("/api/v1{path}")).await.error(), "not_found");
    assert_eq!(store.job(id).await, Ok(None));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_queue_are_read_in_parts_of_one_state() {
    let store = Arc::new(MemoryStore::new());
    enqueue_dead(&store, "a/b").await;
    let mut ids = Vec::new();
    for number in 0..120 {
        ids.push(enqueue(&store, "a/b", &number.to_string()).await.0);
    }
    enqueue(&store, "other", "1").await;
    let stage = start(vec![("orders", store)]).await;
    let jobs = "/stores/orders/queues/a%2Fb/jobs";
    let all: DurableJobPage = read(&stage, &format!("{jobs}?limit=500")).await;
    assert_eq!((all.total, all.items.len(), all.next), (121, 121, None));
    assert_eq!((all.queue.queue.as_str(), all.queue.jobs[&DurableJobState::Dead]), ("a/b", 1));
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let part: DurableJobPage = read(&stage, &format!("{jobs}?state=queued&limit=40{after}")).await;
        assert_eq!((part.total, part.items.len()), (120, 40));
        seen.extend(part.items.iter().map(|job| job.id));
        let Some(next) = part.next else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ids);
    let none: DurableJobPage = read(&stage, &format!("{jobs}?limit=0")).await;
    assert_eq!((none.total, none.items.len()), (121, 0));
    let unknown: DurableJobPage = read(&stage, "/stores/orders/queues/unknown/jobs").await;
    assert_eq!((unknown.total, unknown.items.len(), unknown.next), (0, 0, None));
    assert_eq!(unknown.queue.jobs.values().sum::<u64>(), 0);
    assert_eq!(stage.get(&format!("/api/v1{jobs}?state=lost")).await.error(), "invalid");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_text_of_a_durable_job_is_cut() {
    let store = Arc::new(MemoryStore::new());
    let id = enqueue(&store, "mails", &format!("\"{}\"", "ü".repeat(100_000))).await;
    let stage = start(vec![("orders", store)]).await;
    let job: DurableJob = read(&stage, &format!("/stores/orders/jobs/{id}")).await;
    assert_eq!(job.job.text.chars().count(), 4097);
    assert!(job.job.text.ends_with("ü…"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_is_paused_and_resumed_with_the_token_and_in_the_audit_log() {
    let store = Arc::new(MemoryStore::new());
    let id = enqueue(&store, "mails", "1").await;
    let stage = start(vec![("orders", store.clone())]).await;
    let queue = "/stores/orders/queues/mails";
    for path in [format!("{queue}/pause"), format!("/stores/orders/jobs/{id}/drop")] {
        assert_eq!(stage.post_with(&path, "", "").await.error(), "unauthorized");
    }
    assert!(!store.queue("mails").await.unwrap().paused);
    for (action, paused) in [("pause", true), ("resume", false)] {
        assert_eq!(stage.post(&format!("{queue}/{action}"), "").await.status, 200);
        assert_eq!(store.queue("mails").await.unwrap().paused, paused);
    }
    assert_eq!(stage.post(&format!("/stores/orders/jobs/{id}/cancel"), "").await.status, 200);
    assert_eq!(store.job(id).await.unwrap().map(|job| job.state), None::<RecordState>);
    let audit = stage.read("/audit").await;
    let entries: Vec<_> = audit["items"].as_array().expect("a list").iter().rev().collect();
    let told: Vec<_> = entries.iter().map(|entry| (&entry["action"], &entry["target"])).collect();
    let job = format!("orders/jobs/{id}");
    let expected = [
        ("pause", "orders/mails"),
        ("drop", &job),
        ("pause", "orders/mails"),
        ("resume", "orders/mails"),
        ("cancel", &job),
    ];
    assert_eq!(told.len(), expected.len());
    assert!(
        told.iter().zip(expected).all(|(told, expected)| (told.0 == expected.0) & (told.1 == expected.1))
    );
    assert_eq!(entries[0]["outcome"]["refused"], "unauthorized");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_not_is_not_found() {
    let stage = start(vec![("orders", Arc::new(MemoryStore::new()))]).await;
    for path in ["/stores/orders/jobs/7", "/stores/other/jobs/7", "/stores/other/queues/mails/jobs"] {
        assert_eq!(stage.get(&format!("/api/v1{path}")).await.error(), "not_found", "{path}");
    }
    for path in [
        "/stores/orders/jobs/7/retry",
        "/stores/orders/jobs/7/bless",
        "/stores/orders/queues/mails/bless",
        "/stores/other/queues/mails/pause",
    ] {
        assert_eq!(stage.post(path, "").await.error(), "not_found", "{path}");
    }
    stage.end().await;
    let without = Stage::start().await;
    assert_eq!(without.read("/stores").await, serde_json::json!([]));
    without.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_that_fails_is_told_beside_those_that_answer() {
    let well = Arc::new(MemoryStore::new());
    enqueue(&well, "mails", "1").await;
    let stores: Vec<(&str, Arc<dyn Store>)> = vec![
        ("cut", Arc::new(TroubledStore::new(Trouble::Fails))),
        ("well", well),
        ("broken", Arc::new(TroubledStore::new(Trouble::Panics))),
        ("slow", Arc::new(TroubledStore::new(Trouble::Hangs))),
    ];
    let stage = start(stores).await;
    let rows: Vec<StoreRow> = read(&stage, "/stores").await;
    let problems: Vec<_> = rows.iter().map(|row| row.problem.as_deref()).collect();
    let cut = "the store failed: the store is not connected: the cable is cut";
    let slow = "the store has not answered within 3 seconds";
    assert_eq!(problems, [Some(cut), None, Some("the code of the store panicked"), Some(slow)]);
    assert_eq!(rows[1].total, 1);
    let answer = stage.get("/api/v1/stores/cut/jobs/1").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    let answer = stage.post("/stores/cut/queues/mails/pause", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("it is unknown if it was stored"), "{}", answer.body);
    let answer = stage.post("/stores/slow/jobs/1/retry", "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("may still take effect"), "{}", answer.body);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn action_on_a_job_takes_no_longer_than_an_answer_even_if_it_changes_nothing() {
    let stage = start(vec![("slow", Arc::new(TroubledStore::new(Trouble::IsSlow)))]).await;
    // The change takes two seconds, and to learn that there is no such job takes two more.
    let answer = stage.post("/stores/slow/jobs/1/retry", "").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_that_blocks_its_threads_affects_no_other_route() {
    let (hold, held) = channel();
    let blocked = Arc::new(TroubledStore::new(Trouble::Blocks(Mutex::new(held))));
    let stage = Arc::new(start(vec![("blocked", blocked)]).await);
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.get("/api/v1/stores/blocked/jobs/1").await })
        })
        .collect();
    let mut details = Vec::new();
    for asked in asked {
        // Other routes answer while all threads of the store are blocked.
        assert_eq!(stage.read("/pools").await["total"], 0);
        let answer = asked.await.expect("it is answered");
        assert_eq!(answer.status, 503);
        details.push(answer.json()["detail"].as_str().unwrap_or_default().to_owned());
    }
    let late = details.iter().filter(|detail| detail.contains("3 seconds")).count();
    let busy = details.iter().filter(|detail| detail.contains("busy")).count();
    assert_eq!((late, busy), (4, 4), "{details:?}");
    drop(hold);
    stage.read_until("/stores", |stores| stores[0]["problem"].is_null()).await;
    Arc::into_inner(stage).expect("no task has it").end().await;
}
