//! A tree that runs until the process is told to stop. One test of this process, because the process is one; the others start their own.

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
use support::{Habit, Log, crash, start, unit, unit_that};

/// Sends a signal to this process, which has to listen to it.
fn send(signal: &str) {
    let sent = Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
}

/// Runs a tree; `meanwhile` begins when it listens to signals.
async fn run(app: &App<SupervisorHandle>, meanwhile: impl Future<Output = ()>) -> RunOutcome {
    let mut finish = pin!(app.run_until_signal());
    tokio::select! {
        biased;
        _ = &mut finish => panic!("nobody has told it to stop"),
        () = std::future::ready(()) => {}
    }
    let (finish, ()) = tokio::join!(finish, meanwhile);
    finish.expect("this process may listen to signals")
}

#[tokio::test]
async fn a_tree_runs_until_a_signal_and_its_finish_tells_how_it_went() {
    let log = Log::default();
    let (_system, app) = start(Supervisor::new("app").child(unit("a", &log)).child(unit("b", &log))).await;
    let finish = run(&app, async { send("-TERM") }).await;
    assert!(matches!(finish, RunOutcome::Stopped(StopSignal::Terminate, _)), "{finish:?}");
    assert_eq!(finish.exit_code(), 0);
    assert_eq!(log.take(), ["start a", "start b", "stop b", "stop a"]);

    // One that takes too long to stop.
    let lingers = unit_that("a", &log, Habit::Lingers(Duration::from_secs(3600)));
    let hurried = lingers.shutdown(Shutdown::Timeout(Duration::ZERO));
    let (_system, app) = start(Supervisor::new("app").child(hurried)).await;
    let finish = run(&app, async { send("-INT") }).await;
    assert!(
        matches!(&finish, RunOutcome::Stopped(StopSignal::Interrupt, report) if report.unstopped.len() == 1)
    );
    assert_eq!(finish.exit_code(), 2);

    // One that would take for ever, and another signal, whose number the exit status has. It is also below a supervisor of its own.
    let lingers =
        |id| unit_that(id, &log, Habit::Lingers(Duration::from_secs(3600))).shutdown(Shutdown::Infinity);
    let inner = Supervisor::new("inner").child(lingers("a"));
    let (_system, app) = start(Supervisor::new("app").child(inner).child(lingers("b"))).await;
    let told = app.handle();
    let twice = async {
        send("-TERM");
        // The tree goes down when the first signal has come.
        while app.tree().children[1].state != perennial::ChildState::Stopping {
            tokio::task::yield_now().await;
        }
        send("-INT");
    };
    let finish = run(&app, twice).await;
    assert!(matches!(finish, RunOutcome::Killed(StopSignal::Interrupt)), "{finish:?}");
    assert_eq!(finish.exit_code(), 130);
    assert!(told.pid().is_none() && app.tree().walk().all(|node| node.handle.pid().is_none()));

    // One that ends by itself, because it gives up.
    let crashing = unit("a", &log);
    let address = crashing.address();
    let (_system, app) =
        start(Supervisor::new("app").intensity(0, Duration::from_secs(5)).child(crashing)).await;
    let finish = run(&app, async { address.cast(crash()).expect("it is served") }).await;
    assert!(matches!(finish, RunOutcome::Completed { gave_up: true, .. }), "{finish:?}");
    assert_eq!(finish.exit_code(), 1);

    // And one that is stopped through its handle, which is in order.
    let (_system, app) = start(Supervisor::new("app").child(unit("a", &log))).await;
    let finish = run(&app, async { app.handle().stop(ExitReason::shutdown()).expect("it lives") }).await;
    assert_eq!(finish.exit_code(), 0);
}

/// GNU `timeout` signals its command, and then the process group that the command is in.
#[test]
fn a_signal_to_a_process_and_to_its_group_is_one_request_to_stop() {
    let mut service = Command::new(examples::built("signals"));
    // It takes less time to stop than two signals may be apart to be one: whenever the second comes, it kills nothing.
    let service = service.args(["serve", "300"]).process_group(0).stdout(Stdio::piped());
    let mut service = service.spawn().expect("it starts");
    let send = |target: String| {
        let sent = Command::new("kill").args(["-TERM", "--", &target]).status();
        assert!(sent.expect("there is a kill command").success());
    };
    let output = BufReader::new(service.stdout.take().expect("it is piped"));
    let mut lines = output.lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    send(service.id().to_string());
    assert_eq!(lines.next().as_deref(), Some("writing 3 entries"), "the first has come");
    send(format!("-{}", service.id()));
    assert_eq!(lines.collect::<Vec<_>>(), ["written"]);
    assert_eq!(service.wait().expect("it ends").code(), Some(0));
}
