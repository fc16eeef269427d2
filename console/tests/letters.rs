//! Dead letters that are sent again.

use std::time::Duration;

use perennial_console::api::AuditOutcome;
use serde_json::Value;

use crate::support::{Msg, Stage, TOKEN};

/// Returns a stage whose counter keeps its dead letters, with a letter that is kept and one that is
/// not.
async fn stage() -> Stage {
    let stage = Stage::with(|console, counter| {
        console.token(TOKEN).resend_dead_letters(counter, |msg| match msg {
            Msg::Add(number) => Some(Msg::Add(*number)),
            Msg::Get(_) | Msg::Crash => None,
        })
    })
    .await;
    lose(&stage, [Msg::Add(40), Msg::Crash]).await;
    stage
}

/// Makes dead letters of messages: the counter is stopped while it is suspended, and started again.
async fn lose(stage: &Stage, messages: impl IntoIterator<Item = Msg>) {
    stage.counter.handle().suspend().expect("it runs");
    let identity = stage.counter.handle().identity();
    stage.read_until(&format!("/processes/{identity}"), |card| card["actor"]["suspended"] == true).await;
    messages.into_iter().for_each(|message| stage.counter.cast(message).expect("it has room"));
    stage.app.supervisor().terminate_child("counter").await.expect("it is a child");
    stage.app.supervisor().restart_child("counter").await.expect("it is a child");
}

/// Returns the dead letters, the newest first.
async fn letters(stage: &Stage) -> Vec<Value> {
    stage.read("/dead-letters").await["items"].as_array().expect("it is a list").clone()
}

/// Returns the target of the last action.
async fn last_target(stage: &Stage) -> Value {
    stage.read("/audit").await["items"][0]["target"].clone()
}

fn path(letter: &Value) -> String {
    format!("/dead-letters/{}/resend", letter["id"])
}

#[tokio::test(flavor = "multi_thread")]
async fn letter_is_sent_again_once_and_the_log_says_so() {
    let stage = stage().await;
    let letter = stage.read_until("/dead-letters", |page| page["items"][1]["can_resend"] == true).await;
    let letter = letter["items"][1].clone();
    assert_eq!(letter["kind"], "unhandled");
    let sent = stage.post(&path(&letter), "").await;
    assert_eq!((sent.status, sent.json()["done"].as_bool()), (200, Some(true)), "{}", sent.body);
    assert_eq!(stage.counter.call(Msg::Get).await.unwrap(), 40);
    let again = stage.post(&path(&letter), "{}").await;
    assert_eq!((again.status, again.error().as_str()), (409, "conflict"));
    assert_eq!(again.json()["detail"], "the message is not kept, or was sent again already");
    assert_eq!(letters(&stage).await[1]["can_resend"], false);
    let log = stage.read("/audit").await["items"].clone();
    assert_eq!((&log[1]["action"], &log[1]["target"]), (&"resend".into(), &"app/counter".into()));
    let outcome: AuditOutcome = serde_json::from_value(log[1]["outcome"].clone()).unwrap();
    assert_eq!(outcome, AuditOutcome::Done);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letter_that_is_not_kept_or_unknown_is_refused() {
    let stage = stage().await;
    let crash = letters(&stage).await[0].clone();
    assert_eq!(crash["can_resend"], false);
    assert_eq!(stage.post(&path(&crash), "").await.error(), "conflict");
    let unknown = stage.post("/dead-letters/999999/resend", "").await;
    assert_eq!((unknown.status, unknown.error().as_str()), (404, "not_found"));
    assert_eq!(stage.post(&path(&crash), r#"{"unknown":1}"#).await.error(), "invalid");
    let plain = Stage::start().await;
    lose(&plain, [Msg::Add(1)]).await;
    let letter = letters(&plain).await[0].clone();
    assert_eq!((&letter["number"], &letter["can_resend"]), (&Value::Null, &false.into()));
    assert_eq!(plain.post(&path(&letter), "").await.error(), "conflict");
    plain.end().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_letter_can_be_sent_when_the_actor_runs_again() {
    let stage = stage().await;
    let letter = letters(&stage).await[1].clone();
    stage.app.supervisor().terminate_child("counter").await.unwrap();
    let refused = stage.post(&path(&letter), "").await;
    assert_eq!(refused.json()["detail"], "actor \"app/counter\" is not running");
    stage.app.supervisor().restart_child("counter").await.unwrap();
    assert_eq!(stage.post(&path(&letter), "").await.status, 200);
    assert_eq!(stage.counter.call(Msg::Get).await.unwrap(), 40);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_names_the_actor_of_a_letter_that_is_gone_and_none_without_a_letter() {
    let stage = stage().await;
    let letter = letters(&stage).await[1].clone();
    stage.app.supervisor().terminate_child("counter").await.unwrap();
    drop(stage.app.supervisor().delete_child("counter").await.unwrap());
    assert_eq!(stage.post(&path(&letter), "").await.error(), "conflict");
    assert_eq!(last_target(&stage).await, "app/counter");
    for id in [0, 1, 999_999] {
        let unknown = stage.post(&format!("/dead-letters/{id}/resend"), "").await;
        assert_eq!(unknown.error(), "not_found", "{id}");
        assert_eq!(last_target(&stage).await, Value::Null, "{id}");
    }
    assert!(stage.app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn letter_is_sent_with_the_token_only() {
    let stage = stage().await;
    let letter = letters(&stage).await[1].clone();
    let refused = stage.post_with(&path(&letter), "{}", "").await;
    assert_eq!((refused.status, refused.error().as_str()), (401, "unauthorized"));
    // Without the token, nothing is looked up.
    assert_eq!(last_target(&stage).await, Value::Null);
    assert_eq!(stage.counter.call(Msg::Get).timeout(Duration::from_secs(60)).await.unwrap(), 0);
    stage.end().await;
}
