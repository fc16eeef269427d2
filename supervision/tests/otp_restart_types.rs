//! OTP's cases 19 to 26: the exits that cause a restart, and what is kept of a child that is not
//! restarted.

use std::sync::{Arc, Weak};

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    Child, ChildError, DynamicSupervisor, Restart, StartChildErrorKind, Strategy, SupervisionStats,
    Supervisor,
};

use crate::support::unit::{
    Log, Msg, PERIOD, Script, clean, crash, end, incarnation, quiet, scripted, shape, start,
};

const STRATEGIES: [Strategy; 3] = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];

/// Every way in which a child ends by itself, the abnormal ones last.
fn every_reason() -> impl Iterator<Item = ExitReason> {
    clean().into_iter().chain([crash(), ExitReason::Killed])
}

fn tolerant(strategy: Strategy) -> Supervisor {
    Supervisor::new("app").strategy(strategy).intensity(9, PERIOD)
}

#[tokio::test(start_paused = true)]
async fn c019_a_permanent_child_that_ends_normally_is_restarted() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    end(&address, ExitReason::Normal).await;
    assert_eq!(shape(app.supervisor()).await, ["a 2"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c020_a_permanent_child_that_ends_with_a_shutdown_is_restarted_with_a_note_and_without() {
    let child = scripted("a", &Log::default());
    let address = child.address();
    let (_, app) = start(tolerant(Strategy::OneForOne).child(child)).await;
    end(&address, ExitReason::shutdown()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 2"]);
    end(&address, ExitReason::shutdown_with("a note")).await;
    assert_eq!(shape(app.supervisor()).await, ["a 3"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c021_a_transient_child_that_ends_normally_stays_down_and_is_kept() {
    let child = scripted("a", &Log::default()).restart(Restart::Transient);
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").child(child)).await;
    end(&address, ExitReason::Normal).await;
    assert_eq!(shape(app.supervisor()).await, ["a stopped"]);
    let counts = app.supervisor().count_children().await.expect("it lives");
    assert_eq!((counts.specs, counts.active, counts.supervisors, counts.workers), (1, 0, 0, 1));
    assert_eq!(SupervisionStats::of(&system).restarts, 0);
    assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c022_a_transient_child_that_ends_with_a_shutdown_stays_down_until_it_is_started_by_hand() {
    let child = scripted("a", &Log::default()).restart(Restart::Transient);
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    for (next, reason) in [(2, ExitReason::shutdown()), (3, ExitReason::shutdown_with("a note"))] {
        end(&address, reason).await;
        assert_eq!(shape(app.supervisor()).await, ["a stopped"]);
        app.supervisor().restart_child("a").await.expect("it starts");
        assert_eq!(incarnation(&address).await, next);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c023_a_transient_child_that_fails_panics_or_is_killed_is_restarted() {
    let child = scripted("a", &Log::default()).restart(Restart::Transient);
    let address = child.address();
    let (_, app) = start(tolerant(Strategy::OneForOne).child(child)).await;
    end(&address, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["a 2"]);
    end(&address, ExitReason::Killed).await;
    assert_eq!(shape(app.supervisor()).await, ["a 3"]);
    address.cast(Msg::Panic).expect("it is served");
    quiet().await;
    assert_eq!(shape(app.supervisor()).await, ["a 4"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c024_a_temporary_child_is_gone_when_it_ends_whatever_the_reason() {
    let log = Log::default();
    for reason in every_reason() {
        let child = scripted("a", &log).restart(Restart::Temporary);
        let address = child.address();
        let (system, app) = start(Supervisor::new("app").child(child)).await;
        end(&address, reason.clone()).await;
        assert_eq!(shape(app.supervisor()).await, [""; 0], "{reason}");
        assert!(matches!(app.supervisor().restart_child("a").await, Err(ChildError::NotFound)), "{reason}");
        assert_eq!(SupervisionStats::of(&system).restarts, 0, "{reason}");
        assert!(address.cast(Msg::Panic).is_err(), "no incarnation is due after {reason}");
        let again = scripted("a", &log).restart(Restart::Temporary);
        app.supervisor().start_child(again).await.expect("the id is free");
        assert_eq!(shape(app.supervisor()).await, ["a 1"], "it is another child");
        assert!(app.shutdown().await.is_clean());
    }
}

/// Returns the result of starting a child with the same id again, by OTP's rules.
fn expected(restart: Restart, reason: Option<&ExitReason>) -> &'static str {
    match (restart, reason) {
        (Restart::Temporary, _) => "started",
        (Restart::Permanent, Some(_)) => "already started",
        (Restart::Transient, Some(ExitReason::Failed(_) | ExitReason::Killed)) => "already started",
        (Restart::Permanent | Restart::Transient, _) => "already present",
    }
}

#[tokio::test(start_paused = true)]
async fn c025_the_spec_of_a_temporary_child_is_not_kept_under_any_strategy_and_that_of_others_is() {
    let log = Log::default();
    for strategy in STRATEGIES {
        for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
            for reason in every_reason().map(Some).chain([None]) {
                let (_, app) = start(tolerant(strategy).child(scripted("sibling", &log))).await;
                let supervisor = app.supervisor();
                let child = scripted("a", &log).restart(restart);
                let address = child.address();
                supervisor.start_child(child).await.expect("it starts");
                match &reason {
                    Some(reason) => end(&address, reason.clone()).await,
                    None => supervisor.terminate_child("a").await.expect("it is stopped"),
                }
                let again = supervisor.start_child(scripted("a", &log)).await;
                let again = match again.map_err(|error| error.kind) {
                    Ok(_) => "started",
                    Err(StartChildErrorKind::AlreadyStarted(pid)) if pid.incarnation() == 2 => {
                        "already started"
                    }
                    Err(StartChildErrorKind::AlreadyPresent) => "already present",
                    Err(why) => panic!("{strategy:?}, {restart:?}, {reason:?}: {why}"),
                };
                let expected = expected(restart, reason.as_ref());
                assert_eq!(again, expected, "{strategy:?}, {restart:?}, {reason:?}");
                assert!(app.shutdown().await.is_clean());
            }
        }
    }
}

/// Returns a temporary child and a value that lives for as long as the child's arguments are kept.
fn holding(log: &Log) -> (Child<Msg>, Weak<()>) {
    let held = Arc::new(());
    let child = Script::new("a", log).keeping(&held).child().restart(Restart::Temporary);
    (child, Arc::downgrade(&held))
}

#[tokio::test(start_paused = true)]
async fn c026_the_arguments_of_a_temporary_child_go_with_it_however_it_ends() {
    let log = Log::default();
    for reason in every_reason() {
        let (_, app) = start(Supervisor::new("app")).await;
        let (child, held) = holding(&log);
        let address = child.address();
        app.supervisor().start_child(child).await.expect("it starts");
        assert!(held.upgrade().is_some());
        end(&address, reason.clone()).await;
        assert!(held.upgrade().is_none(), "its address is all that is left after {reason}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn c026_the_arguments_of_a_temporary_child_go_when_it_is_stopped_by_hand_or_with_its_group() {
    let log = Log::default();
    let sibling = scripted("sibling", &log);
    let address = sibling.address();
    let (_, app) = start(Supervisor::new("app").strategy(Strategy::OneForAll).child(sibling)).await;
    let (child, held) = holding(&log);
    app.supervisor().start_child(child).await.expect("it starts");
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    quiet().await;
    assert!(held.upgrade().is_none());
    let (child, held) = holding(&log);
    app.supervisor().start_child(child).await.expect("it starts");
    end(&address, crash()).await;
    assert_eq!(shape(app.supervisor()).await, ["sibling 2"]);
    assert!(held.upgrade().is_none());
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn c026_the_arguments_of_a_dynamic_child_go_with_it() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").start(&system).await.expect("it starts");
    for restart in [Restart::Temporary, Restart::Transient] {
        let (child, held) = holding(&log);
        let child = child.restart(restart);
        let address = child.address();
        app.supervisor().start_child(child).await.expect("it starts");
        end(&address, ExitReason::Normal).await;
        assert!(held.upgrade().is_none(), "{restart:?}");
    }
    assert!(app.shutdown().await.is_clean());
}

/// The next incarnation of its supervisor begins with it again.
#[tokio::test(start_paused = true)]
async fn c026_the_arguments_of_a_temporary_child_that_was_planned_are_kept_as_long_as_its_supervisor() {
    let log = Log::default();
    let (child, held) = holding(&log);
    let address = child.address();
    let inner = Supervisor::new("inner").child(child);
    let supervisor = inner.handle();
    let (_, app) = start(Supervisor::new("app").child(inner)).await;
    end(&address, ExitReason::Normal).await;
    assert_eq!(shape(&supervisor).await, [""; 0]);
    supervisor.handle().kill().expect("it lives");
    quiet().await;
    assert_eq!(shape(&supervisor).await, ["a 2"]);
    assert!(app.shutdown().await.is_clean());
    drop((app, supervisor));
    quiet().await;
    assert!(held.upgrade().is_none(), "its address is all that is left");
}
