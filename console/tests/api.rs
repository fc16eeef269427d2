//! What the API shows of a running tree.

use perennial_console::api::{ActorCard, CrashRow, EventPage, Overview, Page, Session, TreeRow};
use perennial_operations::{CrashReport, EventKind, Health};
use serde_json::Value;

use crate::support;
use crate::support::{Msg, Stage};

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    let text = value.to_string();
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn overview_shows_counts_accounts_and_health() {
    let stage = Stage::start().await;
    stage.counter.call(Msg::Get).await.unwrap();
    let overview: Overview = typed(stage.read("/overview").await);
    // The counter, the console and the supervisor.
    assert_eq!((overview.processes.total, overview.processes.running, overview.supervisors), (3, 3, 1));
    assert!(overview.messages.balances && overview.messages.counts.accepted > 0);
    assert_eq!((overview.crashes, overview.troubled.len()), (0, 0));
    let [tree] = &overview.health[..] else { panic!("{:?}", overview.health) };
    assert_eq!((tree.tree.as_deref(), tree.live, tree.ready), (Some("app"), true, true));

    stage.counter.cast(Msg::Crash).unwrap();
    let after = stage.read_until("/overview", |overview| overview["crashes"] == 1).await;
    assert_eq!(after["dead_letters"]["in_flight"], 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tree_is_shown_in_windows_of_its_visible_rows() {
    let stage = Stage::start().await;
    let rows: Page<TreeRow> = typed(stage.read("/tree/rows").await);
    let ids = |rows: &Page<TreeRow>| -> Vec<String> {
        rows.items.iter().map(|row| row.node.node.id.to_string()).collect()
    };
    assert_eq!(ids(&rows), ["app", "console", "counter"]);
    assert_eq!(rows.items[2].node.path, "app/counter");
    let root = rows.items[0].node.node.identity;
    assert_eq!(rows.items[1].node.parent, Some(root));
    assert_eq!(rows.items[0].node.children, 2);

    let collapsed: Page<TreeRow> = typed(stage.read("/tree/rows?expanded=").await);
    assert_eq!(ids(&collapsed), ["app"]);
    let window: Page<TreeRow> = typed(stage.read("/tree/rows?offset=1&limit=1").await);
    assert_eq!((window.total, ids(&window)), (3, vec!["console".to_owned()]));
    let found: Page<TreeRow> = typed(stage.read("/tree/rows?q=COUNT").await);
    assert_eq!(ids(&found), ["app", "counter"]);
    let posted = stage.post_with("/tree/rows", &format!("{{\"expanded\":[{root}]}}"), "").await;
    assert_eq!(ids(&typed(posted.json())), ["app", "console", "counter"]);
    let posted =
        stage.post_with("/tree/rows", &format!("{{\"base\":\"auto\",\"collapsed\":[{root}]}}"), "").await;
    let posted: Page<TreeRow> = typed(posted.json());
    assert_eq!((ids(&posted), posted.items[0].expanded), (vec!["app".to_owned()], false));
    assert!(rows.items[0].expanded && !rows.items[1].expanded);

    let children = stage.read(&format!("/tree?parent={root}")).await;
    assert_eq!(children["total"], 2);
    assert_eq!(stage.get("/api/v1/tree?parent=999").await.error(), "not_found");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_are_sorted_and_each_has_a_card() {
    let stage = Stage::start().await;
    stage.counter.handle().suspend().unwrap();
    for number in 0..5 {
        stage.counter.cast(Msg::Add(number)).unwrap();
    }
    let actors =
        stage.read_until("/processes?sort=queue", |page| page["items"][0]["messages"]["queued"] == 5).await;
    assert_eq!(actors["items"][0]["label"], "app/counter");
    assert_eq!(actors["total"], 3);
    let names = stage.read("/processes?sort=name&q=app/").await;
    assert_eq!(names["items"][0]["label"], "app/console");

    let identity = stage.counter.handle().identity();
    let card: ActorCard = typed(stage.read(&format!("/processes/{identity}")).await);
    assert_eq!(card.path, "app/counter");
    assert!(card.message_type.ends_with("Msg"), "{}", card.message_type);
    assert!(card.account.balances && card.actor.figures.suspended);
    assert!(card.supervisor.is_some_and(|supervisor| supervisor.path == "app"));
    assert_eq!(card.actions, ["stop", "kill", "resume", "restart"]);
    assert!(card.events.iter().any(|event| matches!(event.kind, EventKind::Started { .. })));
    assert_eq!(stage.get("/api/v1/processes/999").await.error(), "not_found");
    stage.counter.handle().resume().unwrap();
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_has_a_report_and_its_events_are_found() {
    let stage = Stage::start().await;
    stage.counter.cast(Msg::Crash).unwrap();
    let crashes = stage.read_until("/crashes", |crashes| crashes["total"] == 1).await;
    let crashes: Page<CrashRow> = typed(crashes);
    assert_eq!(crashes.items[0].label, "app/counter");
    assert_eq!(crashes.items[0].reason.message.as_deref(), Some("the counter is broken"));
    let sequence = crashes.items[0].sequence;
    let report = stage
        .read_until(&format!("/crashes/{sequence}"), |report| {
            !report["effects"].as_array().unwrap().is_empty()
        })
        .await;
    let report: CrashReport = typed(report);
    assert_eq!(report.crash.sequence, sequence);

    let ended: EventPage = typed(stage.read("/events?kind=ended").await);
    assert_eq!(ended.items.len(), 1);
    let after: EventPage = typed(stage.read(&format!("/events?after={sequence}&limit=1")).await);
    assert_eq!(after.items[0].sequence, sequence + 1);
    assert!(after.has_more);
    let before: EventPage = typed(stage.read(&format!("/events?before={sequence}&limit=1")).await);
    assert_eq!(before.items[0].sequence, sequence - 1);
    let found: EventPage = typed(stage.read("/events?q=BROKEN").await);
    assert!(!found.items.is_empty());
    let letters = stage.read("/dead-letters?kind=in_flight").await;
    assert_eq!((&letters["total"], &letters["items"][0]["label"]), (&1.into(), &"app/counter".into()));
    assert_eq!(stage.read("/dead-letters?kind=overflow").await["total"], 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_are_served() {
    let stage = Stage::with(|console, _| console.metrics(|| "up 1\n".to_owned())).await;
    let (live, ready) = (stage.get("/livez").await, stage.get("/readyz").await);
    assert_eq!((live.status, live.body.as_str()), (200, "app: ready\n"));
    assert_eq!(ready.status, 200);
    assert_eq!(stage.get("/metrics").await.body, "up 1\n");
    let session: Session = typed(stage.read("/session").await);
    assert!(!session.actions && !session.authorized);
    stage.end().await;
    let without = Stage::start().await;
    assert_eq!(without.get("/metrics").await.status, 404);
    without.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_that_of_the_check_that_was_given() {
    let stage = Stage::start().await;
    let gate = perennial_operations::ReadinessGate::new(&stage.system, "cache");
    let health = Health::of(&stage.app).await;
    assert!(!health.is_ready());
    let wait = async {
        loop {
            let ready = stage.get("/readyz").await;
            if ready.status == 503 {
                return ready;
            }
        }
    };
    let ready = tokio::time::timeout(support::LONG, wait).await.unwrap();
    assert_eq!(ready.body, "app: not ready: cache is closed\n");
    drop(gate);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_are_shown_while_a_client_asks_for_them() {
    let stage = Stage::start().await;
    let waits = stage.read("/waits").await;
    assert_eq!(waits, serde_json::json!({ "nodes": [], "edges": [], "cycles": [] }));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_and_its_modules_are_served_and_nothing_else() {
    let stage = Stage::start().await;
    let page = stage.get("/").await;
    assert_eq!(page.status, 200);
    let head = page.head.to_lowercase();
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(head.contains("x-frame-options: deny"));
    assert_eq!(stage.get("/openapi.json").await.json()["openapi"], "3.1.0");
    for nowhere in ["/nowhere", "/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/api/v1/nowhere"] {
        assert_eq!(stage.get(nowhere).await.status, 404, "{nowhere}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_a_wrong_form_are_refused() {
    let stage = Stage::start().await;
    for wrong in [
        "/tree?parent=x",
        "/tree/rows?expanded=1,x",
        "/events?after=x",
        "/processes?sort=x",
        "/names?nothing=1",
    ] {
        let answer = stage.get(&format!("/api/v1{wrong}")).await;
        assert_eq!((answer.status, answer.error().as_str()), (422, "invalid"), "{wrong}");
    }
    stage.end().await;
}
