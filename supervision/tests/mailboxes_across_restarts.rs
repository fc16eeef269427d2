//! Mailboxes of children below a supervisor that is killed and restarted.

use perennial_actors::{ActorHandle, Address, CallError, ProcessState, System};
use perennial_supervision::{App, Strategy, Supervisor, SupervisorHandle};
use tokio::task::{JoinSet, yield_now};

use crate::support::worker;
use crate::support::worker::{Gate, InitStep, Log, Msg, Script, gate, tolerant, worker};

/// Starts a tree of a supervisor below another. Its first child waits at the gate in each init.
async fn start(
    strategy: Strategy,
    gate: &Gate,
) -> (System, App<SupervisorHandle>, SupervisorHandle, Address<Msg>) {
    let (system, log, gate) = (System::new(), Log::default(), gate.clone());
    let first = Script::new("first", &log).with_init(move |_| InitStep::WaitFor(gate.clone())).child();
    let second = worker("second", &log);
    let address = second.address();
    let nested = Supervisor::new("nested").strategy(strategy).child(first).child(second);
    let handle = nested.handle();
    let app = tolerant("app").child(nested).start(&system).await.expect("it starts");
    (system, app, handle, address)
}

async fn next_incarnation(of: &ActorHandle, after: u32) {
    while of.pid().is_none_or(|pid| pid.incarnation() <= after) {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn terminated_child_is_open_again_before_its_restarted_supervisor_starts_the_first_child() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let gate = gate();
        gate.add_permits(1);
        let (system, app, nested, second) = start(strategy, &gate).await;
        nested.terminate_child("second").await.expect("it runs");
        let refused = second.cast(worker::crash()).expect_err("it was terminated");
        drop(refused);
        nested.handle().kill().expect("it runs");
        next_incarnation(&nested.handle(), 1).await;
        let call = tokio::spawn({
            let second = second.clone();
            async move { second.call(Msg::Incarnation).await }
        });
        yield_now().await;
        assert_eq!(second.handle().state(), ProcessState::Pending, "the first child has not started");
        gate.add_permits(1);
        assert_eq!(call.await.expect("it ends").expect("it is answered"), 2);
        assert!(app.shutdown().await.is_clean());
        assert!(second.handle().state() == ProcessState::Closed && system.counters().is_balanced());
    }
}

/// The kill comes after each number of turns up to the number that a whole restart takes.
#[tokio::test(start_paused = true)]
async fn child_accepts_messages_at_every_step_of_the_restart_of_its_killed_supervisor() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let gate = gate();
        gate.add_permits(1_000);
        let (system, app, nested, second) = start(strategy, &gate).await;
        let mut calls = JoinSet::new();
        for turns in 0..60 {
            // Between two incarnations there is nothing to kill.
            let _ = nested.handle().kill();
            for _ in 0..turns {
                let second = second.clone();
                calls.spawn(async move { second.call(Msg::Incarnation).await });
                yield_now().await;
            }
        }
        assert!(nested.handle().pid().is_some_and(|pid| pid.incarnation() > 10));
        assert!(second.call(Msg::Incarnation).await.expect("it is answered") > 5);
        while let Some(answer) = calls.join_next().await {
            let answer = answer.expect("it ends well");
            assert!(!matches!(answer, Err(CallError::Closed(_))), "an incarnation is due");
        }
        assert!(app.shutdown().await.is_clean());
        assert!(system.counters().is_balanced());
    }
}
