//! What clients with the token may do, what it does, and what is refused.

use perennial_console::api::{AuditEntry, AuditOutcome, Page, ProblemKind};

use crate::support;
use crate::support::{LONG, Msg, Stage, TOKEN};

/// Returns the audit log, the newest entry first.
async fn audit(stage: &Stage) -> Vec<AuditEntry> {
    let page: Page<AuditEntry> = serde_json::from_value(stage.read("/audit").await).expect("it is a page");
    page.items
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_child_comes_back_with_its_next_incarnation_and_the_log_says_so() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    let killed = stage.post(&format!("/processes/{identity}/kill"), r#"{"incarnation":1}"#).await;
    assert_eq!((killed.status, killed.json()["done"].as_bool()), (200, Some(true)));
    stage
        .read_until(&format!("/processes/{identity}"), |card| {
            card["actor"]["incarnation"] == 2 && card["actor"]["phase"] == "running"
        })
        .await;
    let refused = stage.post(&format!("/processes/{identity}/kill"), r#"{"incarnation":1}"#).await;
    assert_eq!((refused.status, refused.error().as_str()), (409, "conflict"));
    let log = audit(&stage).await;
    assert_eq!(log[1].action, "kill");
    assert_eq!(log[1].path, format!("/processes/{identity}/kill"));
    assert_eq!((log[1].target.as_deref(), &log[1].outcome), (Some("app/counter"), &AuditOutcome::Done));
    assert_eq!(log[0].outcome, AuditOutcome::Refused(ProblemKind::Conflict));
    assert!(log[0].remote.starts_with("127.0.0.1:"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_actor_waits_until_it_is_resumed() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    assert_eq!(stage.post(&format!("/processes/{identity}/suspend"), "").await.status, 200);
    stage.counter.cast(Msg::Add(3)).unwrap();
    let card = stage.read(&format!("/processes/{identity}")).await;
    assert_eq!((&card["actor"]["suspended"], &card["account"]["queued"]), (&true.into(), &1.into()));
    assert_eq!(stage.post(&format!("/processes/{identity}/resume"), "{}").await.status, 200);
    assert_eq!(stage.counter.call(Msg::Get).await.unwrap(), 3);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_begins_a_new_incarnation_and_costs_no_intensity() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    let restarted = stage.post(&format!("/processes/{identity}/restart"), "").await;
    assert_eq!(restarted.status, 200, "{}", restarted.body);
    assert_eq!(stage.counter.pid().map(perennial_actors::Pid::incarnation), Some(2));
    let overview = stage.read("/overview").await;
    assert_eq!((&overview["crashes"], &overview["supervision"]["restarts"]), (&0.into(), &0.into()));
    let root = stage.app.handle().identity();
    let refused = stage.post(&format!("/processes/{root}/restart"), "").await;
    assert_eq!(refused.status, 409, "a root has no supervisor");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_actor_ends_in_an_orderly_way() {
    let stage = Stage::start().await;
    let down = stage.counter.monitor();
    let identity = stage.counter.handle().identity();
    assert_eq!(stage.post(&format!("/processes/{identity}/stop"), "").await.status, 200);
    let reason = tokio::time::timeout(LONG, down).await.unwrap().reason;
    assert_eq!(reason.to_string(), "shutdown: stopped in the console");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_becomes_a_message_for_actors_that_allow_it() {
    let stage = Stage::with(|console, counter| {
        let parse = |text: &str| match text {
            "panic" => panic!("the parser is broken"),
            text => text.parse().map(Msg::Add).map_err(|error| format!("{error}")),
        };
        console.token(TOKEN).debug_messages(counter, parse)
    })
    .await;
    let identity = stage.counter.handle().identity();
    let path = format!("/processes/{identity}/debug");
    assert_eq!(stage.post(&path, r#"{"text":"42"}"#).await.status, 200);
    assert_eq!(stage.counter.call(Msg::Get).await.unwrap(), 42);
    for wrong in [r#"{"text":"many"}"#, r#"{"text":"panic"}"#, "{}"] {
        assert_eq!(stage.post(&path, wrong).await.error(), "invalid", "{wrong}");
    }
    let root = stage.app.handle().identity();
    let refused = stage.post(&format!("/processes/{root}/debug"), r#"{"text":"1"}"#).await;
    assert_eq!(refused.error(), "conflict");
    let card = stage.read(&format!("/processes/{identity}")).await;
    assert!(card["actions"].as_array().unwrap().contains(&"debug".into()));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn action_without_the_token_is_refused_and_written_down() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    let path = format!("/processes/{identity}/kill");
    for wrong in
        ["", "Authorization: Bearer 0123456789abcdeX\r\n", "Authorization: Basic 0123456789abcdef\r\n"]
    {
        let refused = stage.post_with(&path, "{}", wrong).await;
        assert_eq!((refused.status, refused.error().as_str()), (401, "unauthorized"), "{wrong:?}");
    }
    assert_eq!(stage.counter.pid().map(perennial_actors::Pid::incarnation), Some(1));
    let refused = AuditOutcome::Refused(ProblemKind::Unauthorized);
    assert!(audit(&stage).await.iter().all(|entry| entry.outcome == refused));
    assert_eq!(audit(&stage).await.len(), 3);
    stage.end().await;
    let read_only = Stage::with(|console, _| console).await;
    let refused = read_only.post(&path, "{}").await;
    assert_eq!((refused.status, refused.error().as_str()), (403, "read_only"));
    read_only.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_and_names_are_refused_before_anything_happens() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let foreign = format!("{token}Origin: http://example.com\r\n");
    let refused = stage.post_with(&format!("/processes/{identity}/kill"), "{}", &foreign).await;
    assert_eq!((refused.status, refused.error().as_str()), (403, "foreign_origin"));
    let own = format!("{token}Origin: http://localhost\r\n");
    assert_eq!(stage.post_with(&format!("/processes/{identity}/suspend"), "{}", &own).await.status, 200);
    for path in ["/", "/api/v1/overview", "/api/v1/events/stream", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example.com\r\n\r\n");
        let refused = support::ask(stage.address(), &request).await;
        assert_eq!((refused.status, refused.error().as_str()), (403, "foreign_host"), "{path}");
    }
    assert_eq!(stage.counter.pid().map(perennial_actors::Pid::incarnation), Some(1));
    stage.counter.handle().resume().unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_actions_and_targets_and_bodies_of_a_wrong_form_are_refused() {
    let stage = Stage::start().await;
    let identity = stage.counter.handle().identity();
    assert_eq!(stage.post("/processes/999/kill", "{}").await.error(), "not_found");
    assert_eq!(stage.post(&format!("/processes/{identity}/explode"), "{}").await.error(), "not_found");
    assert_eq!(stage.post(&format!("/pools/{identity}/pause"), "{}").await.error(), "not_found");
    for wrong in ["{", "[]", r#"{"incarnation":"one"}"#, r#"{"unknown":1}"#] {
        let refused = stage.post(&format!("/processes/{identity}/kill"), wrong).await;
        assert_eq!((refused.status, refused.error().as_str()), (422, "invalid"), "{wrong}");
    }
    let form = format!("Content-Type: text/plain\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n");
    let request =
        format!("POST /api/v1/processes/{identity}/kill HTTP/1.1\r\nHost: localhost\r\n{form}\r\n{{}}");
    assert_eq!(support::ask(stage.address(), &request).await.status, 415);
    let request = format!("DELETE /api/v1/processes/{identity} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(support::ask(stage.address(), &request).await.error(), "method_not_allowed");
    stage.end().await;
}
