//! The idle timeout of an actor: a message after a time without any other message.

use perennial_actors::ExitReason;
use tokio::time::sleep;

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, TestProbe, begun_with, deed, long, millis,
};

type Context = perennial_actors::Context<ScriptedActor>;

fn arm(_: &mut ScriptedActor, ctx: &mut Context) {
    ctx.idle_timeout(millis(100), Msg::Note("idle"));
}

async fn idle() -> TestProbe {
    begun_with(arm).await
}

#[tokio::test(start_paused = true)]
async fn c135_an_idle_timeout_fires_once_when_nothing_comes() {
    assert_eq!(idle().await.after(1_000).await, ["100 idle"]);
}

#[tokio::test(start_paused = true)]
async fn c135_any_message_cancels_an_idle_timeout() {
    let mut strings = idle().await;
    sleep(millis(99)).await;
    strings.note("message");
    assert_eq!(strings.after(1_000).await, ["99 message"]);
}

#[tokio::test(start_paused = true)]
async fn c135_a_handler_that_sets_it_again_waits_for_the_next_pause() {
    let mut strings = idle().await;
    for _ in 0..3 {
        sleep(millis(60)).await;
        strings.have(arm).await;
    }
    assert_eq!(strings.after(1_000).await, ["280 idle"]);
}

#[tokio::test(start_paused = true)]
async fn c135_there_is_one_idle_timeout_at_a_time() {
    let mut strings = idle().await;
    strings.have(|_, ctx| (1..3).for_each(|n| ctx.idle_timeout(millis(n * 20), Msg::Note("idle")))).await;
    assert_eq!(strings.after(1_000).await, ["40 idle"]);
}

#[tokio::test(start_paused = true)]
async fn c135_a_timer_and_a_piped_result_cancel_an_idle_timeout_too() {
    let mut strings = idle().await;
    strings
        .have(|scripted, ctx| {
            arm(scripted, ctx);
            ctx.send_after(millis(50), Msg::Note("timer"));
        })
        .await;
    assert_eq!(strings.after(1_000).await, ["50 timer"]);
    strings
        .have(|scripted, ctx| {
            arm(scripted, ctx);
            ctx.pipe_to_self(sleep(millis(50)), |()| Msg::Note("piped"));
        })
        .await;
    assert_eq!(strings.after(1_000).await, ["1050 piped"]);
}

#[tokio::test(start_paused = true)]
async fn c135_a_delivered_exit_signal_cancels_an_idle_timeout_and_an_ignored_one_does_not() {
    let handle = |strings: &TestProbe| strings.address.handle();
    let mut strings = idle().await;
    handle(&strings).send_exit(ExitReason::Normal).expect("it lives");
    assert_eq!(strings.after(1_000).await, ["100 idle"]);
    let mut strings = begun_with(|scripted, ctx| {
        arm(scripted, ctx);
        ctx.trap_exits(true);
    })
    .await;
    handle(&strings).send_exit(ExitReason::Normal).expect("it lives");
    assert_eq!(strings.after(1_000).await, ["0 exit: normal"]);
}

#[tokio::test(start_paused = true)]
async fn c135_a_state_query_does_not_cancel_an_idle_timeout() {
    let mut strings = idle().await;
    sleep(millis(50)).await;
    assert_eq!(strings.address.handle().get_state::<u32>().await, Ok(0));
    assert_eq!(strings.after(1_000).await, ["100 idle"]);
}

#[tokio::test(start_paused = true)]
async fn c135_a_message_that_came_while_the_handler_was_busy_cancels_it() {
    let mut strings = begun_with(|_, _| ()).await;
    strings.cast(long(|scripted, ctx| {
        Box::pin(async {
            arm(scripted, ctx);
            sleep(millis(200)).await;
            Ok(())
        })
    }));
    sleep(millis(50)).await;
    strings.note("message");
    assert_eq!(strings.after(1_000).await, ["200 message"], "something had come in time");
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_that_is_due_while_the_actor_is_suspended_yields_to_messages_that_came_meanwhile() {
    let mut strings = idle().await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    sleep(millis(50)).await;
    strings.note("message");
    assert_eq!(strings.after(150).await, [""; 0]);
    handle.resume().expect("it lives");
    assert_eq!(strings.after(1_000).await, ["200 message"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_that_is_due_while_the_actor_is_suspended_waits_for_the_resume() {
    let mut strings = idle().await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    assert_eq!(strings.after(200).await, [""; 0]);
    handle.resume().expect("it lives");
    assert_eq!(strings.after(1_000).await, ["200 idle"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_ends_with_its_incarnation() {
    let mut hosted = ManagedActor::begun_with(|scripted, ctx| {
        if ctx.pid().incarnation() == 1 {
            arm(scripted, ctx);
        }
    });
    hosted.start().await;
    hosted.restart().await;
    assert_eq!(hosted.strings.after(1_000).await, ["0 terminate: failed: on purpose"]);
}

#[tokio::test(start_paused = true)]
async fn the_message_of_an_idle_timeout_may_stop_the_actor() {
    let mut strings =
        begun_with(|_, ctx| ctx.idle_timeout(millis(100), deed(|_, ctx| ctx.stop(ExitReason::Normal)))).await;
    assert_eq!(strings.end().await, "normal");
    assert_eq!(strings.lines(), ["100 terminate: normal"]);
}
