//! The program as its user sees it, while another process does the jobs.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::System;
use perennial_durable::pool::{Durable, DurableHandle, DurablePool};
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{JobId, Json};
use perennial_supervision::pool::Pool;
use serde_json::Value;
use tempfile::TempDir;

type Texts = fn(String) -> Result<String, String>;

/// A pool whose jobs fail if their text says so, until `now works` is in the folder.
fn texts(folder: &Path) -> DurablePool<Texts> {
    let works = folder.join("now works");
    let pool = Pool::from_fn("texts", 1, move |text: &String| {
        let fails = text.contains("fail") && !works.exists();
        std::future::ready(if fails { Err(format!("no \x1b[31m{text}")) } else { Ok(text.clone()) })
    });
    let store = SqliteStore::open(file(folder)).expect("a store");
    pool.durable(Arc::new(store)).attempts(1).codec::<Json>()
}

fn file(folder: &Path) -> PathBuf {
    folder.join("jobs.db")
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    support::run(file(folder), arguments)
}

fn json(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    support::json(file(folder), arguments)
}

async fn outcome(texts: &DurableHandle<Texts>, id: u64) -> Result<String, String> {
    let job = texts.job(JobId(id));
    let outcome = tokio::time::timeout(Duration::from_secs(30), job.outcome());
    outcome.await.expect("an outcome").map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_dead_job_is_found_shown_and_retried_while_the_program_runs() {
    let folder = TempDir::new().unwrap();
    let pool = texts(folder.path());
    let texts = pool.handle();
    let app = pool.start(&System::new()).await.unwrap();
    for text in ["good", "fail \x1b[2J", "fail too"] {
        texts.submit(text.to_owned()).await.unwrap();
    }
    assert_eq!(outcome(&texts, 1).await, Ok("good".to_owned()));
    for id in [2, 3] {
        assert!(outcome(&texts, id).await.is_err());
    }

    let (code, listed) = run(folder.path(), &["list", "--state", "dead"]);
    assert_eq!((code, listed.lines().count()), (0, 3), "{listed}");
    assert!(listed.starts_with("ID  QUEUE") && listed.contains("fail too"), "{listed}");
    let (code, shown) = run(folder.path(), &["show", "2"]);
    assert_eq!(code, 0);
    assert!(shown.contains("attempt 1  process 1, ") && shown.contains(r"no \u{1b}[31mfail"), "{shown}");
    assert!(!listed.contains('\x1b') && !shown.contains('\x1b'), "the terminal is left alone");
    let record = &json(folder.path(), &["show", "2"])[0];
    assert_eq!((&record["state"], &record["attempt"]), (&"dead".into(), &1.into()));
    assert_eq!(record["payload"]["text"], r#""fail \u001b[2J""#);

    std::fs::write(folder.path().join("now works"), "").unwrap();
    let (code, dry) = run(folder.path(), &["retry", "--state", "dead", "--dry-run"]);
    assert_eq!((code, dry.lines().last()), (0, Some("2 jobs would be retried")));
    assert_eq!(json(folder.path(), &["list", "--state", "dead"]).len(), 2, "nothing was changed");
    let (code, retried) = run(folder.path(), &["retry", "2"]);
    assert_eq!((code, retried.lines().last()), (0, Some("1 job retried")));
    assert_eq!(outcome_after(&texts, 2).await, "fail \x1b[2J");
    assert_eq!(json(folder.path(), &["retry", "--queue", "texts"])[0]["retried"], Value::from(vec![3]));
    assert_eq!(outcome_after(&texts, 3).await, "fail too");
    assert!(app.shutdown().await.is_clean());
}

/// Waits for the output of a job that was dead.
async fn outcome_after(texts: &DurableHandle<Texts>, id: u64) -> String {
    outcome(texts, id).await.expect("it was retried")
}

#[tokio::test]
async fn queues_are_counted_paused_and_resumed() {
    let folder = TempDir::new().unwrap();
    let pool = texts(folder.path());
    let texts = pool.handle();
    let (code, paused) = run(folder.path(), &["pause", "texts"]);
    assert_eq!((code, paused.as_str()), (0, "queue texts is paused\n"));
    let app = pool.start(&System::new()).await.unwrap();
    let job = texts.submit("a".to_owned()).await.unwrap();
    let stats = &json(folder.path(), &["stats"])[0];
    assert_eq!((&stats["queue"], &stats["paused"]), (&"texts".into(), &true.into()));
    assert_eq!((&stats["jobs"]["queued"], &stats["jobs"]["dead"]), (&1.into(), &0.into()));
    assert_eq!(json(folder.path(), &["resume", "texts"])[0]["paused"], false);
    assert_eq!(outcome(&texts, job.id().0).await, Ok("a".to_owned()));
    let (code, table) = run(folder.path(), &["stats", "--queue", "texts"]);
    assert_eq!((code, table.lines().count()), (0, 2), "{table}");
    assert!(table.contains("COMPLETED"), "{table}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn jobs_are_dropped_by_number_or_filter_without_a_running_program() {
    let folder = TempDir::new().unwrap();
    let pool = texts(folder.path());
    for text in ["a", "b", "c"] {
        pool.handle().submit(text.to_owned()).await.unwrap();
    }
    drop(pool);
    let (code, text) = run(folder.path(), &["drop", "2", "9"]);
    assert_eq!((code, text.lines().last()), (1, Some("1 job dropped")), "{text}");
    assert!(text.contains("job 9 is not there"), "{text}");
    let numbers = |arguments: &[&str]| {
        let jobs = json(folder.path(), &[&["list"], arguments].concat());
        jobs.iter().map(|job| job["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&[]), [1, 3]);
    assert_eq!(numbers(&["--limit", "1"]), [1]);
    assert!(numbers(&["--older-than", "1d"]).is_empty());
    assert_eq!(numbers(&["--older-than", "0s", "--queue", "texts"]), [1, 3]);
    assert_eq!(run(folder.path(), &["retry", "1"]).0, 1, "it is queued already");
    assert_eq!(run(folder.path(), &["cancel", "3"]), (0, "job 3 cancelled\n1 job cancelled\n".to_owned()));
    assert_eq!(run(folder.path(), &["cancel", "3"]).0, 1, "it is over");
    assert_eq!(numbers(&["--state", "cancelled"]), [3]);
    assert_eq!(run(folder.path(), &["retry", "3"]).0, 0);
    assert_eq!(run(folder.path(), &["show", "1", "2"]).0, 1);
    assert_eq!(run(folder.path(), &["drop", "--state", "queued", "--state", "delayed"]).0, 0);
    assert!(numbers(&[]).is_empty());
}

#[test]
fn wrong_usage_is_2_and_a_store_that_cannot_be_opened_is_3() {
    let folder = TempDir::new().unwrap();
    let wrong: [&[&str]; 13] = [
        &[],
        &["frobnicate"],
        &["list", "1"],
        &["show"],
        &["show", "one"],
        &["drop"],
        &["drop", "1", "--queue", "q"],
        &["pause"],
        &["list", "--state", "lost"],
        &["list", "--older-than", "7"],
        &["list", "--dry-run"],
        &["cancel"],
        &["list", "--schema", "perennial"],
    ];
    for arguments in wrong {
        let (code, text) = run(folder.path(), arguments);
        assert!(code == 2 && text.contains("see --help"), "{arguments:?}: {code} {text}");
    }
    let (code, text) = run(folder.path(), &["list"]);
    assert!(code == 3 && text.contains("there is no such file"), "{code} {text}");
    assert!(!file(folder.path()).exists());
    let (code, help) = run(folder.path(), &["--help"]);
    assert!(code == 0 && help.contains("Exit codes: 0 done"), "{help}");
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
}
