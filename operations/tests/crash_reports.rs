//! The reports of crashes: reasons, places, last events, and what led to what.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, PanicLocations, System};
use perennial_operations::{Event, EventKind, Operations, ReasonKind, Report};
use perennial_supervision::{Child, Strategy, Supervisor};

/// An error with a source.
#[derive(Debug)]
struct DiskError(std::io::Error);

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk does not answer")
    }
}

impl Error for DiskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error whose text observes its system, and then panics.
#[derive(Debug)]
struct Hostile(System);

impl fmt::Display for Hostile {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = Operations::of(&self.0);
        drop(operations.events_after(1));
        // The event of this error is among them.
        assert!(!operations.history().is_empty());
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

impl Error for Hostile {}

#[derive(Debug)]
enum Msg {
    Disk,
    Hostile,
    Panic,
    Hang,
}

struct Unit;

impl Actor for Unit {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Disk => Err(DiskError(std::io::Error::other("cable")).into()),
            Msg::Hostile => Err(Hostile(ctx.system().clone()).into()),
            Msg::Panic => panic!("out of range"),
            Msg::Hang => std::future::pending().await,
        }
    }
}

fn unit(id: &'static str) -> (Child<Msg>, Address<Msg>) {
    let child = Child::new::<Unit>(id, ());
    let address = child.address();
    (child, address)
}

/// Lets everything happen that is due within a second.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn path_of(event: &Event) -> Arc<str> {
    match &event.kind {
        EventKind::Started { label, .. }
        | EventKind::Ended { label, .. }
        | EventKind::Closed { label, .. } => label.clone(),
        EventKind::Report { path, .. } => path.clone(),
        EventKind::DeadLetter(letter) => letter.label.clone(),
        other => panic!("{other:?}"),
    }
}

/// Returns an event as a short text.
fn short(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::Started { pid, .. } => format!("started {}", pid.incarnation()),
        EventKind::Ended { pid, reason, .. } => format!("ended {} {:?}", pid.incarnation(), reason.kind),
        EventKind::DeadLetter(letter) => format!("dead letter {:?}", letter.kind),
        EventKind::Report { report, .. } => match report {
            Report::Terminated { .. } => "report terminated".to_owned(),
            Report::Restarting { .. } => "report restarting".to_owned(),
            Report::GaveUp { child } => format!("report gave up for {child}"),
            other => format!("report {other:?}"),
        },
        other => format!("{other:?}"),
    };
    format!("{} {what}", path_of(event))
}

#[tokio::test(start_paused = true)]
async fn crash_report_has_the_reason_its_sources_and_the_last_events_of_the_actor() {
    let system = System::new();
    let operations = Operations::of(&system);
    let (child, worker) = unit("worker");
    let app = Supervisor::new("app").intensity(5, Duration::from_secs(60)).child(child);
    let app = app.start(&system).await.expect("it starts");
    for _ in 0..2 {
        worker.cast(Msg::Disk).expect("it is open");
        settle().await;
    }
    let crashes = operations.crashes();
    assert_eq!(crashes.len(), 2);
    let report = operations.crash_report(crashes[1].sequence).expect("it is there");
    let reason = report.crash.kind.reason().expect("it has one");
    assert_eq!(reason.kind, ReasonKind::Failed);
    assert_eq!(reason.message.as_deref(), Some("the disk does not answer"));
    assert_eq!(reason.sources, ["cable"]);
    assert!(report.causes.is_empty(), "it crashed by itself");
    let before: Vec<String> = report.last_events.iter().map(short).collect();
    let expected = [
        "app/worker started 1",
        "app/worker report Started",
        "app/worker ended 1 Failed",
        "app/worker dead letter InFlight",
        "app/worker report terminated",
        "app/worker report restarting",
        "app/worker started 2",
        "app/worker report Started",
    ];
    assert_eq!(before, expected);
    assert!(app.shutdown().await.unstopped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn crash_report_of_a_panic_has_its_place() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let operations = Operations::of(&system);
    let worker = system.spawn::<Unit>(()).await.expect("it starts");
    worker.cast(Msg::Panic).expect("it is open");
    settle().await;
    let crash = operations.crashes().pop().expect("it crashed");
    let reason = crash.kind.reason().expect("it has one");
    assert_eq!((reason.kind, reason.message.as_deref()), (ReasonKind::Panicked, Some("out of range")));
    assert!(reason.location.as_deref().is_some_and(|place| place.contains("crash_reports.rs:")));
}

#[tokio::test(start_paused = true)]
async fn crash_report_leads_from_the_crash_through_the_group_to_the_restart_above() {
    let system = System::new();
    let operations = Operations::of(&system);
    let (first, address) = unit("first");
    let (second, _) = unit("second");
    // One restart is tolerated, so the second crash escalates.
    let group = Supervisor::new("group").strategy(Strategy::OneForAll).child(first).child(second);
    let app = Supervisor::new("app").intensity(5, Duration::from_secs(60)).child(group);
    let app = app.start(&system).await.expect("it starts");
    for _ in 0..2 {
        address.cast(Msg::Disk).expect("it is open");
        settle().await;
    }
    let crashes: Vec<Event> =
        operations.crashes().into_iter().filter(|event| &*path_of(event) == "app/group/first").collect();
    let effects = |crash: &Event| -> Vec<String> {
        let report = operations.crash_report(crash.sequence).expect("it is there");
        report.effects.iter().map(short).collect()
    };
    let first = [
        "app/group/first dead letter InFlight",
        "app/group/first report terminated",
        "app/group/first report restarting",
        "app/group/second ended 1 Shutdown",
        "app/group/first started 2",
        "app/group/second started 2",
    ];
    assert_eq!(effects(&crashes[0]), first);
    let second = [
        "app/group/first dead letter InFlight",
        "app/group/first report terminated",
        "app/group report gave up for first",
        "app/group/second ended 2 Shutdown",
        "app/group ended 1 Shutdown",
        "app/group report terminated",
        "app/group report restarting",
        "app/group/first started 3",
        "app/group/second started 3",
        "app/group started 2",
    ];
    assert_eq!(effects(&crashes[1]), second);
    let history = operations.history();
    let last =
        history.iter().rfind(|event| short(event) == "app/group/second started 3").expect("it started");
    let cause = history.iter().find(|event| Some(event.sequence) == last.cause).expect("it has a cause");
    assert_eq!(short(cause), "app/group report restarting");
    assert!(app.shutdown().await.unstopped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn error_whose_display_panics_or_observes_is_a_text_and_holds_up_nothing() {
    let system = System::new();
    let operations = Operations::of(&system);
    let worker = system.spawn::<Unit>(()).await.expect("it starts");
    worker.cast(Msg::Hostile).expect("it is open");
    settle().await;
    let crash = operations.crashes().pop().expect("it crashed");
    let message = crash.kind.reason().and_then(|reason| reason.message.as_deref());
    assert_eq!(message, Some("the error cannot be displayed: its code panics"));
}

#[tokio::test(start_paused = true)]
async fn snapshot_shows_an_actor_that_hangs_and_waits_for_nothing() {
    let system = System::new();
    let operations = Operations::of(&system);
    let worker = system.spawn::<Unit>(()).await.expect("it starts");
    worker.cast(Msg::Hang).expect("it is open");
    worker.cast(Msg::Disk).expect("it is open");
    tokio::time::sleep(Duration::from_secs(7)).await;
    let snapshot = operations.snapshot();
    let figures = &snapshot.figures.processes[&worker.handle().identity()];
    assert_eq!(figures.busy_for_at_least, Some(Duration::from_secs(7)));
    assert_eq!((figures.messages.queued, figures.is_starting), (2, false));
    worker.handle().kill().expect("it runs");
}

#[tokio::test(start_paused = true)]
async fn figures_show_the_age_of_the_oldest_message_as_far_as_snapshots_saw_it() {
    let system = System::new();
    let operations = Operations::of(&system);
    let worker = system.spawn::<Unit>(()).await.expect("it starts");
    let age = || {
        let figures = operations.snapshot().figures;
        figures.processes[&worker.handle().identity()].oldest_waited_at_least
    };
    assert_eq!(age(), None);
    worker.cast(Msg::Hang).expect("it is open");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(age(), Some(Duration::ZERO), "no snapshot has seen it before");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(age(), Some(Duration::from_secs(4)));
    worker.handle().kill().expect("it runs");
}
