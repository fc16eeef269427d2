//! The log agrees with the reports. One test in a program of its own: a line that is first logged
//! while a subscriber is being installed may get lost.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use perennial_actors::System;
use perennial_supervision::{LivenessFailure, ReportKind, Shutdown, Supervisor, SupervisorReport};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::subject::{InitStep, Log, Msg, Script, ms, secs, tell};

/// An event: how much it matters, what it says, and of what.
#[derive(Debug)]
struct Entry {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

/// Keeps what supervision logs.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Entry>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "perennial::supervision"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let entry = Entry { level: *event.metadata().level(), fields: fields.0 };
        self.0.lock().expect("not poisoned").push(entry);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Returns the line that the log must have for this report.
fn expected(report: &SupervisorReport) -> (Level, BTreeMap<&'static str, String>) {
    let supervisor = ("supervisor", report.supervisor.to_string());
    let actor = ("actor", report.path.to_string());
    let pid = report.pid.expect("there was one");
    let (pid, incarnation) = (("pid", pid.to_string()), ("incarnation", pid.incarnation().to_string()));
    let (level, message, more) = match &report.kind {
        ReportKind::Started => (Level::DEBUG, "child started", vec![]),
        ReportKind::Terminated { reason } => {
            // A crash has a line where it happens.
            let level = if reason.is_crash() { Level::DEBUG } else { Level::INFO };
            (level, "child ended", vec![("reason", reason.to_string())])
        }
        ReportKind::StartFailed { reason } => {
            (Level::DEBUG, "child did not start", vec![("reason", reason.to_string())])
        }
        ReportKind::Restarting { reason, restarts_left, delay } => (
            Level::DEBUG,
            "child is restarted",
            vec![
                ("reason", reason.to_string()),
                ("restarts_left", restarts_left.to_string()),
                ("delay", format!("{delay:?}")),
            ],
        ),
        ReportKind::ShutdownError { reason } => {
            let message = "child was stopped and ended with another reason";
            (Level::INFO, message, vec![("reason", reason.to_string())])
        }
        ReportKind::Unresponsive { sign: LivenessFailure::Handler(time) } => {
            let cause = format!("a handler has been running for {time:?}");
            (Level::WARN, "child is unresponsive", vec![("cause", cause)])
        }
        ReportKind::Killed => (Level::WARN, "child did not stop in time: killed", vec![]),
        ReportKind::GaveUp { child } => {
            let message = ("message", "supervisor gave up: restart intensity exceeded".to_owned());
            let fields = [actor, pid, incarnation, message, ("child", child.to_string())];
            return (Level::ERROR, fields.into());
        }
        other => panic!("not in this test: {other:?}"),
    };
    let fields = [supervisor, actor, pid, incarnation, ("message", message.to_owned())];
    (level, fields.into_iter().chain(more).collect())
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_reported_is_logged_with_the_same_fields() {
    let listener = Listener::default();
    let _listening = tracing::subscriber::set_default(listener.clone());
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    let script =
        Script::plain(&Log::new()).with_init(|n| if n == 3 { InitStep::Fail } else { InitStep::Succeed });
    let child = script.child("a").handler_deadline(secs(1)).shutdown(Shutdown::Timeout(ms(500)));
    let address = child.address();
    let inner = Supervisor::new("inner").intensity(3, secs(60)).child(child);
    let app = Supervisor::new("app").child(inner).start(&system).await.expect("it starts");
    // It hangs, crashes, does not start, starts, and crashes once too often. It starts again, and
    // is killed during its stop.
    for msg in [Msg::Hang, Msg::crash(), Msg::crash()] {
        tell(&address, msg);
    }
    while address.pid().is_none_or(|pid| pid.incarnation() < 5) {
        tokio::time::sleep(ms(100)).await;
    }
    tell(&address, Msg::Take(secs(1)));
    tokio::time::sleep(ms(100)).await;
    let _ = app.shutdown().await;
    // Lines are written in a task of their own: it has run when the time goes on.
    tokio::time::sleep(ms(1)).await;

    let told: Vec<SupervisorReport> = std::iter::from_fn(|| reports.try_next()).collect();
    let logged = std::mem::take(&mut *listener.0.lock().expect("not poisoned"));
    let kinds = [
        "Started",
        "Unresponsive",
        "Killed",
        "Terminated",
        "Restarting",
        "StartFailed",
        "GaveUp",
        "ShutdownError",
    ];
    for kind in kinds {
        assert!(
            told.iter().any(|report| format!("{:?}", report.kind).starts_with(kind)),
            "{kind} in {told:#?}"
        );
    }
    assert_eq!(told.len(), logged.len(), "{logged:#?}");
    for (report, entry) in told.iter().zip(logged) {
        assert_eq!((entry.level, entry.fields), expected(report));
    }
}
