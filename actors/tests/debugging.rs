//! Debugging an actor that runs: suspend, resume, get and replace its state.

use std::future::pending;
use std::sync::Arc;

use perennial_actors::{CallError, ExitReason, InspectError, NoProcessError, Reply, System};
use tokio::time::{Instant, sleep, timeout};

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, TestProbe, begun_with, deed, failing, long, millis, scripted,
};
use crate::support::scripted_lifecycle::{LifecycleActor, plan};

type Context = perennial_actors::Context<ScriptedActor>;

async fn suspended() -> TestProbe {
    let strings = scripted().await;
    strings.address.handle().suspend().expect("it lives");
    strings
}

fn resume(strings: &TestProbe) {
    strings.address.handle().resume().expect("it lives");
}

/// Returns a message whose handler records that it is done after `time` milliseconds.
fn taking(time: u64) -> Msg {
    long(move |scripted, _| {
        Box::pin(async move {
            sleep(millis(time)).await;
            scripted.pen.write("handled");
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn c138_calls_to_a_suspended_actor_time_out() {
    let (strings, begun) = (suspended().await, Instant::now());
    let call = strings.address.call(|reply: Reply<u32>| deed(|_, _| reply.send(7))).timeout(millis(70));
    assert!(matches!(call.await, Err(CallError::TimedOut(_))));
    assert_eq!(begun.elapsed(), millis(70));
}

#[tokio::test(start_paused = true)]
async fn c138_casts_to_a_suspended_actor_wait_and_a_resume_drains_them_in_order() {
    let mut strings = suspended().await;
    ["a", "b"].into_iter().for_each(|line| strings.note(line));
    assert_eq!(strings.after(1_000).await, [""; 0]);
    assert_eq!(strings.address.counters().queued, 2);
    resume(&strings);
    assert_eq!(strings.after(1).await, ["1000 a", "1000 b"]);
}

#[tokio::test(start_paused = true)]
async fn c138_a_call_that_waits_is_answered_when_the_actor_is_resumed() {
    let (strings, begun) = (suspended().await, Instant::now());
    let (answer, ()) = tokio::join!(strings.have(|_, _| 7), async {
        sleep(millis(100)).await;
        resume(&strings);
    });
    assert_eq!((answer, begun.elapsed()), (7, millis(100)));
}

#[tokio::test(start_paused = true)]
async fn c138_the_state_of_a_suspended_actor_can_be_seen_and_replaced() {
    let strings = suspended().await;
    let handle = strings.address.handle();
    assert_eq!(handle.replace_state(|n: &u32| n + 7).await, Ok(()));
    assert_eq!(handle.get_state::<u32>().await, Ok(7));
    assert!(handle.info().suspended, "it still is");
    resume(&strings);
    assert_eq!(strings.have(|scripted, _| scripted.number).await, 7);
}

#[tokio::test(start_paused = true)]
async fn c138_the_message_in_flight_is_handled_before_a_suspension() {
    let mut strings = scripted().await;
    strings.cast(taking(100));
    tokio::task::yield_now().await;
    strings.address.handle().suspend().expect("it lives");
    strings.note("after");
    assert_eq!(strings.after(1_000).await, ["100 handled"]);
}

#[tokio::test(start_paused = true)]
async fn c138_messages_queued_before_a_suspension_wait_too() {
    let mut strings = scripted().await;
    strings.cast(taking(100));
    strings.note("before");
    tokio::task::yield_now().await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    assert_eq!(strings.after(1_000).await, ["100 handled"]);
    handle.resume().expect("it lives");
    assert_eq!(strings.line().await, "1000 before");
}

#[tokio::test(start_paused = true)]
async fn c138_a_second_suspend_and_a_resume_of_a_running_actor_have_no_effect() {
    let mut strings = suspended().await;
    strings.address.handle().suspend().expect("it lives");
    strings.note("message");
    resume(&strings);
    resume(&strings);
    assert_eq!(strings.after(1).await, ["0 message"]);
    strings.note("another");
    assert_eq!(strings.after(1).await, ["1 another"]);
}

#[tokio::test(start_paused = true)]
async fn c138_an_actor_suspended_in_its_init_handles_nothing_when_it_has_started() {
    let mut strings = begun_with(|_, ctx| {
        ctx.continue_with(Msg::Note("continued"));
        ctx.address().handle().suspend().expect("it lives");
    })
    .await;
    strings.note("message");
    assert_eq!(strings.after(100).await, [""; 0]);
    resume(&strings);
    assert_eq!(strings.after(1).await, ["100 continued", "100 message"]);
}

#[tokio::test(start_paused = true)]
async fn c138_a_stop_a_kill_and_an_exit_end_a_suspended_actor_before_its_queued_messages() {
    type Ender = fn(&TestProbe) -> Result<(), NoProcessError>;
    let enders: [(Ender, &str, &[&str]); 3] = [
        (|strings| strings.address.stop(ExitReason::shutdown()), "shutdown", &["0 terminate: shutdown"]),
        (
            |strings| strings.address.handle().send_exit(ExitReason::failed("bad")),
            "failed: bad",
            &["0 terminate: failed: bad"],
        ),
        (|strings| strings.address.kill(), "killed", &[]),
    ];
    for (end, reason, lines) in enders {
        let mut strings = suspended().await;
        strings.note("message");
        tokio::task::yield_now().await;
        end(&strings).expect("it lives");
        assert_eq!(
            (strings.end().await.as_str(), strings.lines()),
            (reason, lines.iter().map(|line| (*line).into()).collect())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn c138_a_suspended_actor_handles_signals() {
    let (mut strings, other) = (scripted().await, scripted().await);
    let watched = other.address.handle();
    strings
        .have(move |_, ctx| {
            ctx.trap_exits(true);
            ctx.monitor(&watched);
        })
        .await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    handle.send_exit(ExitReason::failed("bad")).expect("it lives");
    other.address.stop(ExitReason::Normal).expect("it lives");
    strings.note("message");
    assert_eq!(strings.after(100).await, ["0 exit: failed: bad", "0 down: normal"]);
}

#[tokio::test(start_paused = true)]
async fn c138_a_kill_ends_the_signal_handler_of_a_suspended_actor() {
    let mut strings = scripted().await;
    strings
        .have(|scripted, ctx| {
            ctx.trap_exits(true);
            scripted.when_told = Some(Box::new(|_, _| Box::pin(pending())));
        })
        .await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    sleep(millis(10)).await;
    handle.send_exit(ExitReason::failed("bad")).expect("it lives");
    assert_eq!(strings.line().await, "10 exit: failed: bad");
    sleep(millis(10)).await;
    assert_eq!(handle.info().busy_for, Some(millis(10)));
    handle.kill().expect("it lives");
    assert_eq!(strings.end().await, "killed");
}

#[tokio::test(start_paused = true)]
async fn timers_and_piped_futures_of_a_suspended_actor_wait_for_its_resume() {
    let mut strings = scripted().await;
    strings
        .have(|_, ctx| {
            ctx.send_after(millis(10), Msg::Note("timer"));
            ctx.send_interval(millis(40), || Msg::Note("tick"));
            ctx.pipe_to_self(sleep(millis(10)), |()| Msg::Note("piped"));
        })
        .await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    assert_eq!(strings.after(100).await, [""; 0]);
    handle.resume().expect("it lives");
    assert_eq!(strings.after(25).await, ["100 timer", "100 piped", "100 tick", "120 tick"]);
}

#[tokio::test(start_paused = true)]
async fn a_suspension_ends_with_its_incarnation_and_the_next_one_handles_the_queued_messages() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    let address = hosted.strings.address.clone();
    address.handle().suspend().expect("it lives");
    hosted.strings.note("message");
    address.stop(ExitReason::failed("bad")).expect("it lives");
    hosted.ended().await;
    assert!(!address.handle().info().suspended);
    hosted.start().await;
    assert_eq!(hosted.strings.after(1).await, ["0 terminate: failed: bad", "0 message"]);
}

#[tokio::test(start_paused = true)]
async fn c140_a_replacement_that_panics_leaves_the_state_as_it_was_and_the_actor_alive() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    handle.replace_state(|_: &u32| 7).await.expect("it lives");
    let failed = handle.replace_state(|_: &u32| panic!("in the replacement")).await;
    assert_eq!(failed, Err(InspectError::Panicked));
    assert_eq!(handle.get_state::<u32>().await, Ok(7));
    assert_eq!(strings.have(|scripted, ctx| (scripted.number, ctx.pid().incarnation())).await, (7, 1));
}

#[tokio::test(start_paused = true)]
async fn a_state_query_precedes_queued_messages() {
    let mut strings = scripted().await;
    let count = || deed(|scripted, _| scripted.number += 1);
    strings.cast(taking(100));
    (0..3).for_each(|_| strings.cast(count()));
    tokio::task::yield_now().await;
    assert_eq!(strings.address.handle().get_state::<u32>().await, Ok(0));
    assert_eq!(strings.line().await, "100 handled");
    assert_eq!(strings.have(|scripted, _| scripted.number).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_state_query_of_another_type_or_of_an_actor_that_offers_none_is_an_error() {
    let handle = scripted().await.address.handle();
    let wrong = handle.get_state::<String>().await.expect_err("it is a number");
    assert_eq!(wrong, InspectError::WrongType { wanted: "alloc::string::String" });
    assert_eq!(handle.replace_state(|text: &String| text.clone()).await, Err(wrong));
    let mortal = System::new().spawn::<LifecycleActor>(Arc::new(plan().0)).await.expect("it starts");
    assert_eq!(mortal.handle().get_state::<u32>().await, Err(InspectError::NotOffered));
}

#[tokio::test(start_paused = true)]
async fn an_ended_actor_can_be_neither_inspected_nor_suspended() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(failing());
    strings.end().await;
    assert_eq!(handle.get_state::<u32>().await, Err(InspectError::NoProcess));
    assert_eq!(handle.replace_state(|_: &u32| 7).await, Err(InspectError::NoProcess));
    assert_eq!((handle.suspend(), handle.resume()), (Err(NoProcessError), Err(NoProcessError)));
}

#[tokio::test(start_paused = true)]
async fn a_state_query_fails_if_the_actor_ends_first() {
    let strings = scripted().await;
    strings.cast(long(|_, _| Box::pin(pending())));
    tokio::task::yield_now().await;
    let handle = strings.address.handle();
    let (seen, ()) = tokio::join!(handle.get_state::<u32>(), async {
        strings.address.kill().expect("it lives");
    });
    assert_eq!(seen, Err(InspectError::NoProcess));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_state_query_changes_nothing() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(taking(100));
    tokio::task::yield_now().await;
    assert!(timeout(millis(10), handle.get_state::<u32>()).await.is_err());
    assert_eq!(strings.have(|scripted, _| scripted.number).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_suspends_itself_continues_after_a_resume() {
    let mut strings = scripted().await;
    let suspend = |_: &mut ScriptedActor, ctx: &mut Context| ctx.address().handle().suspend();
    assert_eq!(strings.have(suspend).await, Ok(()));
    strings.note("message");
    assert_eq!(strings.after(100).await, [""; 0]);
    resume(&strings);
    assert_eq!(strings.line().await, "100 message");
}
