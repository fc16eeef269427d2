//! An actor as OTP's `gen_server`: results of a start, errors of a caller, exits after a stop.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{CallError, ExitReason, ProcessState, Reply, SpawnError, System};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::scripted_host::{
    Msg, ScriptedActor, TestProbe, failing, long, millis, scripted, scripted_in,
};
use crate::support::scripted_lifecycle::{LifecycleActor, Step, plan};

/// Returns an actor whose terminate takes `time` milliseconds.
async fn terminating_for(time: u64) -> TestProbe {
    let strings = scripted().await;
    let last = move |scripted: &mut ScriptedActor| {
        scripted.last = Some(Box::new(move |scripted, _| {
            Box::pin(async move {
                sleep(millis(time)).await;
                scripted.pen.write("terminated");
                Ok(())
            })
        }));
    };
    strings.have(move |scripted, _| last(scripted)).await;
    strings
}

/// A message that is answered after `time` milliseconds.
fn answering(reply: Reply<u32>, time: u64, answer: u32) -> Msg {
    long(move |_, _| {
        Box::pin(async move {
            sleep(millis(time)).await;
            reply.send(answer);
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn c119_a_start_whose_init_fails_releases_everything_and_can_be_tried_again() {
    let system = System::new();
    for reason in [Step::Fail, Step::Panic] {
        let (mut plan, _lines) = plan();
        plan.init = reason;
        assert!(matches!(system.spawn::<LifecycleActor>(Arc::new(plan)).await, Err(SpawnError::Failed(_))));
        assert_eq!(system.processes(), [], "nothing is left of it");
    }
    system.spawn::<LifecycleActor>(Arc::new(plan().0)).await.expect("it starts");
}

#[tokio::test(start_paused = true)]
async fn c123_a_call_that_times_out_leaves_the_server_alive_and_its_late_answer_satisfies_no_other_call() {
    let (strings, begun) = (scripted().await, Instant::now());
    let first = strings.address.call(|reply| answering(reply, 100, 1)).timeout(millis(50));
    assert!(matches!(first.await, Err(CallError::TimedOut(_))));
    // The next call is in the queue when the late answer is given.
    let second = strings.address.call(|reply| answering(reply, 100, 2));
    assert_eq!((second.await.expect("it answers"), begun.elapsed()), (2, millis(200)));
}

#[tokio::test(start_paused = true)]
async fn c132_a_failure_of_a_handler_whose_terminate_panics_ends_with_the_panic() {
    let mut strings = scripted().await;
    strings.have(|scripted, _| scripted.last = Some(Box::new(|_, _| panic!("in terminate")))).await;
    strings.cast(failing());
    assert_eq!(strings.end().await, "panicked: in terminate");
    assert_eq!(strings.lines(), ["0 terminate: failed: on purpose"]);
}

/// Returns a child of a scripted actor. The child traps exits and records them.
async fn trapping_child(parent: &TestProbe) -> TestProbe {
    let (tell, told) = tokio::sync::oneshot::channel();
    parent.cast(long(|_, ctx| {
        Box::pin(async {
            let system = ctx.system().clone();
            let child = scripted_in(&system, |spawn| spawn.linked_to(ctx)).await;
            assert!(tell.send(child).is_ok(), "the test waits");
            Ok(())
        })
    }));
    let child = told.await.expect("it starts");
    child.have(|_, ctx| ctx.trap_exits(true)).await;
    child
}

#[tokio::test(start_paused = true)]
async fn c134_a_parents_exit_acts_before_queued_messages() {
    // OTP handles the messages that were queued before the exit first. Here signals are first, and
    // the queued messages are not handled.
    let parent = scripted().await;
    let mut child = trapping_child(&parent).await;
    child.cast(long(|scripted, _| {
        Box::pin(async {
            sleep(millis(100)).await;
            scripted.pen.write("in flight");
            Ok(())
        })
    }));
    child.note("before");
    parent.cast(failing());
    assert_eq!(child.end().await, "failed: on purpose");
    assert_eq!(child.lines(), ["100 in flight", "100 terminate: failed: on purpose"]);
    assert_eq!(child.address.counters().dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn c136_a_stop_ends_with_the_reason_given_and_a_monitor_sees_it() {
    for reason in [ExitReason::Normal, ExitReason::shutdown_with("closing time"), ExitReason::failed("bad")] {
        let (strings, expected) = (scripted().await, reason.to_string());
        let monitor = strings.address.monitor();
        assert_eq!(strings.address.stop(reason), Ok(()));
        assert_eq!(monitor.await.reason.to_string(), expected);
        assert_eq!(strings.address.state(), ProcessState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn c137_a_server_finishes_its_terminate_after_the_wait_for_its_exit_timed_out() {
    let mut strings = terminating_for(100).await;
    let monitor = strings.address.monitor();
    strings.address.stop(ExitReason::Normal).expect("it lives");
    assert!(timeout(millis(50), monitor).await.is_err());
    assert!(matches!(strings.address.state(), ProcessState::Alive(_)), "it is in its terminate");
    assert_eq!(strings.end().await, "normal");
    assert_eq!(strings.lines(), ["0 terminate: normal", "100 terminated"]);
}

#[tokio::test(start_paused = true)]
async fn c137_a_second_stop_does_not_disturb_a_terminate() {
    let mut strings = terminating_for(100).await;
    strings.address.stop(ExitReason::shutdown_with("first")).expect("it lives");
    sleep(millis(50)).await;
    strings.address.stop(ExitReason::shutdown_with("second")).expect("it lives still");
    assert_eq!(strings.end().await, "shutdown: first");
    assert_eq!(strings.lines(), ["0 terminate: shutdown: first", "100 terminated"]);
}

#[tokio::test(start_paused = true)]
async fn c143_a_request_can_be_awaited_again_after_a_wait_timed_out() {
    let (strings, begun) = (scripted().await, Instant::now());
    let mut request = pin!(strings.address.call(|reply| answering(reply, 100, 7)).into_future());
    assert!(timeout(Duration::ZERO, &mut request).await.is_err());
    assert!(timeout(millis(50), &mut request).await.is_err());
    assert_eq!((request.await.expect("it answers"), begun.elapsed()), (7, millis(100)));
}

#[tokio::test(start_paused = true)]
async fn c143_a_request_to_a_server_that_dies_is_an_error_with_its_reason() {
    let strings = scripted().await;
    let mut request = pin!(strings.address.call::<u32, _>(|reply| answering(reply, 100, 7)).into_future());
    assert!(timeout(millis(50), &mut request).await.is_err());
    strings.address.kill().expect("it lives");
    assert!(matches!(request.await, Err(CallError::Ended(ExitReason::Killed, _))));
}

#[tokio::test(start_paused = true)]
async fn c143_requests_are_collected_under_labels_as_their_answers_come() {
    let mut requests = JoinSet::new();
    for (label, time) in [("slow", 300), ("quick", 100), ("dead", 200)] {
        let address = scripted().await.address;
        requests.spawn(async move {
            let request = address.call(|reply| {
                if label == "dead" {
                    long(move |_, _| {
                        Box::pin(async move {
                            sleep(millis(time)).await;
                            drop(reply);
                            Err(ExitReason::failed("bad"))
                        })
                    })
                } else {
                    answering(reply, time, 7)
                }
            });
            let reason = |error: CallError<_>| match error {
                CallError::Ended(reason, _) => reason.to_string(),
                other => other.to_string(),
            };
            (label, request.await.map_err(reason))
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = requests.join_next().await {
        answers.push(answer.expect("the caller ends well"));
    }
    let bad = Err("failed: bad".to_owned());
    assert_eq!(answers, [("quick", Ok(7)), ("dead", bad), ("slow", Ok(7))]);
}
