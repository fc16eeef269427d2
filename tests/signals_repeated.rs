//! A process that receives one signal several times. One test runs in this process, because signals
//! reach the whole process.

#![cfg(unix)]

mod support;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, ChildState, RunOutcome, StopSignal, StopSignals, SupervisorHandle};
use support::{Behavior, Log, scripted, scripted_with, start};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Sends SIGTERM to this process and waits until every listener has received it.
async fn terminate(arrivals: &mut Signal) {
    let sent = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
    arrivals.recv().await.expect("the listener lives as long as the runtime");
}

/// Polls the run until it makes no progress. Returns its outcome if it has ended.
async fn poll_until_idle<F: Future<Output = RunOutcome>>(
    mut run: std::pin::Pin<&mut F>,
) -> Option<RunOutcome> {
    for _ in 0..100 {
        let poll = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
        if let Poll::Ready(finish) = poll {
            return Some(finish);
        }
        tokio::task::yield_now().await;
    }
    None
}

async fn app_with(behavior: Behavior) -> App<SupervisorHandle> {
    let child = scripted_with("a", &Log::default(), behavior).shutdown(Shutdown::Infinity);
    start(Supervisor::new("app").child(child)).await.1
}

/// Time is paused, and nothing sets a timer before the kill. Time therefore passes only where the
/// test advances it.
#[tokio::test(start_paused = true)]
async fn signal_repeated_within_half_a_second_is_the_same_request() {
    let mut arrivals = signal(SignalKind::terminate()).expect("this process may listen to signals");
    let mut signals = StopSignals::listen().expect("this process may listen to signals");

    let app = app_with(Behavior::NeverStops).await;
    {
        let mut run = pin!(app.run_until_signal_from(&mut signals));
        assert!(poll_until_idle(run.as_mut()).await.is_none());
        for millis in [0, 0, 499] {
            tokio::time::advance(Duration::from_millis(millis)).await;
            terminate(&mut arrivals).await;
            assert!(poll_until_idle(run.as_mut()).await.is_none(), "the stop goes on");
            assert_eq!(app.tree().children[0].state, ChildState::Stopping);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
        terminate(&mut arrivals).await;
        let finish = run.await;
        assert!(matches!(finish, RunOutcome::Killed(StopSignal::Terminate)), "{finish:?}");
        assert_eq!(finish.exit_code(), 143);
    }

    // A listener that exists all the time receives a signal between two runs.
    tokio::time::advance(Duration::from_secs(1)).await;
    terminate(&mut arrivals).await;
    let (_system, next) = start(Supervisor::new("app").child(scripted("a", &Log::default()))).await;
    let finish = next.run_until_signal_from(&mut signals).await;
    assert!(matches!(finish, RunOutcome::Stopped(StopSignal::Terminate, _)), "{finish:?}");
    assert_eq!(finish.exit_code(), 0);

    // A run that starts to listen after the signal does not receive it.
    tokio::time::advance(Duration::from_secs(1)).await;
    terminate(&mut arrivals).await;
    let (_system, next) = start(Supervisor::new("app").child(scripted("a", &Log::default()))).await;
    let mut run = pin!(async { next.run_until_signal().await.expect("this process may listen to signals") });
    assert!(poll_until_idle(run.as_mut()).await.is_none());
    next.handle().stop(ExitReason::shutdown()).expect("an incarnation runs");
    assert!(matches!(run.await, RunOutcome::Completed { .. }));
}
