//! A tree that runs until the process receives a stop signal. One test runs in this process,
//! because signals reach the whole process. The others start their own process.

#![cfg(unix)]

#[path = "support/examples.rs"]
mod examples;
mod support;

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, RunOutcome, StopSignal, SupervisorHandle};
use support::{Behavior, Log, crash, scripted, scripted_with, start};

/// Sends a signal to this process, which must be listening for it.
fn send(signal: &str) {
    let sent = Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
}

/// Runs a tree. `meanwhile` starts when the tree listens for signals.
async fn run(app: &App<SupervisorHandle>, meanwhile: impl Future<Output = ()>) -> RunOutcome {
    let mut outcome = pin!(app.run_until_signal());
    tokio::select! {
        biased;
        _ = &mut outcome => panic!("the tree ended without a signal"),
        () = std::future::ready(()) => {}
    }
    let (outcome, ()) = tokio::join!(outcome, meanwhile);
    outcome.expect("this process may listen to signals")
}

#[tokio::test]
async fn tree_runs_until_a_signal_and_its_outcome_reports_the_shutdown() {
    let log = Log::default();
    let (_system, app) =
        start(Supervisor::new("app").child(scripted("a", &log)).child(scripted("b", &log))).await;
    let outcome = run(&app, async { send("-TERM") }).await;
    assert!(matches!(outcome, RunOutcome::Stopped(StopSignal::Terminate, _)), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(log.take(), ["start a", "start b", "stop b", "stop a"]);

    // A child that exceeds its shutdown timeout.
    let lingers = scripted_with("a", &log, Behavior::Lingers(Duration::from_secs(3600)));
    let hurried = lingers.shutdown(Shutdown::Timeout(Duration::ZERO));
    let (_system, app) = start(Supervisor::new("app").child(hurried)).await;
    let outcome = run(&app, async { send("-INT") }).await;
    assert!(
        matches!(&outcome, RunOutcome::Stopped(StopSignal::Interrupt, report) if report.unstopped.len() == 1)
    );
    assert_eq!(outcome.exit_code(), 2);

    // A child that never stops, and a second signal, whose number is in the exit code. The child is
    // also below a nested supervisor.
    let lingers = |id| {
        scripted_with(id, &log, Behavior::Lingers(Duration::from_secs(3600))).shutdown(Shutdown::Infinity)
    };
    let inner = Supervisor::new("inner").child(lingers("a"));
    let (_system, app) = start(Supervisor::new("app").child(inner).child(lingers("b"))).await;
    let handle = app.handle();
    let twice = async {
        send("-TERM");
        // The shutdown starts after the first signal.
        while app.tree().children[1].state != perennial::ChildState::Stopping {
            tokio::task::yield_now().await;
        }
        send("-INT");
    };
    let outcome = run(&app, twice).await;
    assert!(matches!(outcome, RunOutcome::Killed(StopSignal::Interrupt)), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 130);
    assert!(handle.pid().is_none() && app.tree().walk().all(|node| node.handle.pid().is_none()));

    // A tree that ends by itself, because it exceeds its intensity.
    let crashing = scripted("a", &log);
    let address = crashing.address();
    let (_system, app) =
        start(Supervisor::new("app").intensity(0, Duration::from_secs(5)).child(crashing)).await;
    let outcome = run(&app, async { address.cast(crash()).expect("the mailbox is open") }).await;
    assert!(matches!(outcome, RunOutcome::Completed { gave_up: true, .. }), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 1);

    // A tree that is stopped through its handle, which counts as a clean stop.
    let (_system, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let outcome =
        run(&app, async { app.handle().stop(ExitReason::shutdown()).expect("an incarnation runs") }).await;
    assert_eq!(outcome.exit_code(), 0);
}

/// GNU `timeout` signals its command, and then the process group of the command.
#[test]
fn a_signal_to_a_process_and_to_its_group_is_one_request_to_stop() {
    let mut service = Command::new(examples::built("signals"));
    // The stop takes less time than the interval in which two signals count as one, so the second
    // signal kills nothing whenever it arrives.
    let service = service.args(["serve", "300"]).process_group(0).stdout(Stdio::piped());
    let mut service = service.spawn().expect("the tree starts");
    let send = |target: String| {
        let sent = Command::new("kill").args(["-TERM", "--", &target]).status();
        assert!(sent.expect("there is a kill command").success());
    };
    let output = BufReader::new(service.stdout.take().expect("the output is piped"));
    let mut lines = output.lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    send(service.id().to_string());
    assert_eq!(lines.next().as_deref(), Some("writing 3 entries"), "the first has come");
    send(format!("-{}", service.id()));
    assert_eq!(lines.collect::<Vec<_>>(), ["written"]);
    assert_eq!(service.wait().expect("the process ends").code(), Some(0));
}
