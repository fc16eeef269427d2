//! The program on a store in a server, while another process does the jobs.

#[allow(dead_code, reason = "this program uses a part of it")]
#[path = "../../tests/support/postgres.rs"]
mod postgres;
mod support;

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle, OutcomeError};
use perennial_durable::{JobId, Json, RecordState, Store};
use perennial_supervision::pool::Pool;
use postgres::{new_schema, server};
use serde_json::Value;
use support::{json, run};
use tokio::sync::Notify;

type Texts = fn(String) -> Result<String, String>;

async fn outcome(texts: &DurableHandle<Texts>, id: u64) -> Result<String, OutcomeError> {
    let job = texts.job(JobId(id));
    tokio::time::timeout(Duration::from_secs(30), job.outcome()).await.expect("an outcome")
}

#[tokio::test]
async fn jobs_in_a_server_are_shown_and_changed_while_a_pool_works_on_them() {
    let Some(server) = server() else { return };
    let url = server.url();
    let store = Arc::new(server.builder().connect().await.unwrap());
    let (released, schema) = (Arc::new(Notify::new()), store.schema().to_owned());
    let release = released.clone();
    let pool = Pool::from_fn("texts", 2, move |text: &String| {
        let (text, release) = (text.clone(), release.clone());
        async move {
            if text == "wait" {
                release.notified().await;
            }
            if text == "fail" { Err("no".to_owned()) } else { Ok(text) }
        }
    });
    let pool = pool.durable(store.clone()).attempts(1).codec::<Json>();
    let texts: DurableHandle<Texts> = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    let json = |arguments: &[&str]| json(&url, &[arguments, &["--schema", &schema]].concat());
    let run = |arguments: &[&str]| run(&url, &[arguments, &["--schema", &schema]].concat());

    for text in ["good", "fail", "wait"] {
        texts.submit(text.to_owned()).await.unwrap();
    }
    assert_eq!(outcome(&texts, 1).await.unwrap(), "good");
    assert!(outcome(&texts, 2).await.is_err());
    let dead = json(&["list", "--state", "dead"]);
    assert_eq!((dead.len(), &dead[0]["id"], &dead[0]["payload"]["text"]), (1, &2.into(), &"\"fail\"".into()));
    assert_eq!(json(&["retry", "2"])[0]["retried"], Value::from(vec![2]));
    assert!(outcome(&texts, 2).await.is_err());
    assert_eq!(json(&["show", "2"])[0]["attempt"], 2);

    // A job that runs goes on, and what comes of it is refused.
    while store.job(JobId(3)).await.unwrap().unwrap().state != RecordState::Running {
        tokio::task::yield_now().await;
    }
    assert_eq!(run(&["drop", "3"]).0, 1, "it runs");
    assert_eq!(run(&["cancel", "3"]), (0, "job 3 cancelled\n1 job cancelled\n".to_owned()));
    assert!(matches!(outcome(&texts, 3).await, Err(OutcomeError::Cancelled)));
    released.notify_one();

    assert_eq!(run(&["pause", "texts"]).1, "queue texts is paused\n");
    texts.submit("later".to_owned()).await.unwrap();
    let stats = &json(&["stats"])[0];
    let jobs = |state: &str| stats["jobs"][state].as_u64().unwrap();
    assert_eq!((&stats["queue"], &stats["paused"]), (&"texts".into(), &true.into()));
    assert_eq!([jobs("queued"), jobs("completed"), jobs("dead"), jobs("cancelled")], [1, 1, 1, 1]);
    assert_eq!(run(&["resume", "texts"]).0, 0);
    assert_eq!(outcome(&texts, 4).await.unwrap(), "later");
    assert_eq!(json(&["drop", "--state", "dead"])[0]["dropped"], Value::from(vec![2]));
    assert_eq!(store.job(JobId(2)).await.unwrap(), None);

    assert!(app.shutdown().await.is_clean());
    let record = store.job(JobId(3)).await.unwrap().unwrap();
    assert_eq!((record.state, record.output), (RecordState::Cancelled, None));
    let processes = format!("SELECT count(*) FROM \"{schema}\".processes");
    let processes: i64 = server.admin().await.query_one(&processes, &[]).await.unwrap().get(0);
    assert_eq!(processes, 1, "the program is no process of the store");
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_3_with_the_reason_and_without_the_password() {
    let absent = "postgres://me:hunter2@127.0.0.1:1/db";
    let (code, text) = run(absent, &["list"]);
    assert!(code == 3 && text.contains("refused") && !text.contains("hunter2"), "{code} {text}");
    let (code, text) = run("postgres://me:hunter2@127.0.0.1:port/db", &["list"]);
    assert!(code == 3 && text.contains("port") && !text.contains("hunter2"), "{code} {text}");

    let Some(server) = server() else { return };
    let (code, text) = run(server.url_with("hunter2"), &["list"]);
    let is_told = text.contains("password authentication failed") && !text.contains("hunter2");
    assert!(code == 3 && is_told, "{code} {text}");
}

#[tokio::test]
async fn a_schema_without_tables_or_of_another_version_is_3_and_left_as_it_is() {
    let Some(server) = server() else { return };
    let admin = server.admin().await;
    let schema = new_schema();
    let (code, text) = run(server.url(), &["stats", "--schema", &schema]);
    assert!(code == 3 && text.contains("has no tables"), "{code} {text}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    assert_eq!(admin.query_one(schemas, &[&schema]).await.unwrap().get::<_, i64>(0), 0);

    let store = server.builder().connect().await.unwrap();
    let schema = store.schema().to_owned();
    drop(store);
    for (version, told) in [(99, "knows up to"), (0, "a program opens it")] {
        let set = format!("UPDATE \"{schema}\".meta SET value = {version} WHERE name = 'version'");
        admin.execute(&set, &[]).await.unwrap();
        let (code, text) = run(server.url(), &["stats", "--schema", &schema]);
        assert!(code == 3 && text.contains(told), "{code} {text}");
        let meta = format!("SELECT value FROM \"{schema}\".meta WHERE name = 'version'");
        assert_eq!(admin.query_one(&meta, &[]).await.unwrap().get::<_, i64>(0), version);
    }
}
