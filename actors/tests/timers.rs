//! Timers of an actor: their messages, their times and order, and their cancellation.

use std::sync::Arc;

use perennial_actors::{MailboxConfig, ProcessState, SendError, System, TimerId};
use tokio::time::{Instant, sleep};

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, begun_with, deed, failing, long, millis, scripted, scripted_in,
};

type Context = perennial_actors::Context<ScriptedActor>;

/// Counts its living clones: a message that is never handled has to be dropped.
#[derive(Clone)]
struct Token(Arc<()>);

impl Token {
    fn new() -> Self {
        Self(Arc::new(()))
    }

    fn others(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Returns a message that holds a clone.
    fn message(&self) -> Msg {
        let held = self.clone();
        deed(move |_, _| drop(held))
    }
}

#[tokio::test(start_paused = true)]
async fn c145_a_cancelled_timer_returns_the_time_that_was_left_once_and_never_fires() {
    let mut strings = scripted().await;
    let timer = strings.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    sleep(millis(30)).await;
    let cancel = move |_: &mut ScriptedActor, ctx: &mut Context| ctx.cancel_timer(timer);
    assert_eq!(strings.have(cancel).await, Some(millis(70)));
    assert_eq!(strings.have(cancel).await, None);
    assert_eq!(strings.after(1_000).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn c145_a_timer_that_has_fired_cannot_be_cancelled() {
    let mut strings = scripted().await;
    let timer = strings.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    assert_eq!(strings.line().await, "100 timer");
    assert_eq!(
        strings.have(move |_, ctx| (ctx.cancel_timer(timer), ctx.read_timer(timer))).await,
        (None, None)
    );
    assert_eq!(strings.after(1_000).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn c145_a_timer_that_is_due_but_not_handled_can_still_be_cancelled() {
    // OTP leaves its message in the mailbox. Here a cancelled timer never delivers its message.
    let mut strings = scripted().await;
    let timer = strings.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    strings.cast(long(move |scripted, ctx| {
        Box::pin(async move {
            sleep(millis(150)).await;
            scripted.pen.write(format!("{:?}", ctx.cancel_timer(timer)));
            Ok(())
        })
    }));
    assert_eq!(strings.after(1_000).await, ["150 Some(0ns)"]);
}

#[tokio::test(start_paused = true)]
async fn reading_a_timer_returns_the_time_that_is_left_and_leaves_it_set() {
    let mut strings = scripted().await;
    let timer = strings.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    sleep(millis(30)).await;
    let read = move |_: &mut ScriptedActor, ctx: &mut Context| ctx.read_timer(timer);
    assert_eq!((strings.have(read).await, strings.have(read).await), (Some(millis(70)), Some(millis(70))));
    assert_eq!(strings.after(1_000).await, ["100 timer"]);
    assert_eq!(strings.have(read).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_never_set_a_timer_can_cancel_none() {
    let other = scripted().await;
    let timer = other.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    let idle = scripted().await;
    let ask = move |_: &mut ScriptedActor, ctx: &mut Context| {
        (ctx.cancel_timer(timer), ctx.read_timer(timer), ctx.timer("none"))
    };
    assert_eq!(idle.have(ask).await, (None, None, None));
}

#[tokio::test(start_paused = true)]
async fn c146_the_timers_of_an_actor_that_ends_are_dropped_and_wake_no_task() {
    let (strings, token) = (scripted().await, Token::new());
    let messages = [(); 3].map(|()| token.message());
    let interval = token.clone();
    strings
        .have(move |_, ctx| {
            let [once, keyed, idle] = messages;
            ctx.send_after(millis(100), once);
            ctx.start_timer("key", millis(100), keyed);
            ctx.idle_timeout(millis(100), idle);
            ctx.send_interval(millis(100), move || interval.message());
        })
        .await;
    assert_eq!(token.others(), 4);
    strings.cast(failing());
    strings.end().await;
    assert_eq!(token.others(), 0, "nothing is left when the exit is reported");
    sleep(millis(1_000)).await;
    assert_eq!(strings.address.counters().accepted, 2, "nothing was put into a closed mailbox");
}

#[tokio::test(start_paused = true)]
async fn c146_a_timer_is_dropped_with_its_incarnation_and_never_reaches_the_next() {
    let mut hosted = ManagedActor::begun_with(|scripted, ctx| {
        scripted.pen.write(format!("init {}", ctx.pid().incarnation()));
        if ctx.pid().incarnation() == 1 {
            ctx.send_after(millis(100), Msg::Note("once"));
            ctx.start_timer("key", millis(100), Msg::Note("keyed"));
            ctx.send_interval(millis(40), || Msg::Note("tick"));
        }
    });
    hosted.start().await;
    assert_eq!(hosted.strings.after(50).await, ["0 init 1", "40 tick"]);
    hosted.strings.have(|_, ctx| ctx.idle_timeout(millis(100), Msg::Note("idle"))).await;
    hosted.restart().await;
    assert_eq!(hosted.strings.after(1_000).await, ["50 terminate: failed: on purpose", "50 init 2"]);
    assert!(matches!(hosted.strings.address.state(), ProcessState::Alive(pid) if pid.incarnation() == 2));
}

#[tokio::test(start_paused = true)]
async fn c146_a_timer_that_is_due_when_its_incarnation_ends_does_not_reach_the_next() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    hosted.strings.cast(long(|_, ctx| {
        Box::pin(async move {
            ctx.send_after(millis(10), Msg::Note("due"));
            sleep(millis(20)).await;
            Err(perennial_actors::ExitReason::failed("too late"))
        })
    }));
    hosted.ended().await;
    hosted.start().await;
    assert_eq!(hosted.strings.after(1_000).await, ["20 terminate: failed: too late"]);
}

#[tokio::test(start_paused = true)]
async fn c147_timers_that_are_due_together_are_handled_in_the_order_in_which_they_were_set() {
    let set = |_: &mut ScriptedActor, ctx: &mut Context| {
        ctx.send_after(millis(100), Msg::Note("a"));
        ctx.send_after(millis(50), Msg::Note("before"));
        ctx.start_timer("key", millis(100), Msg::Note("b"));
        ctx.send_interval(millis(100), || Msg::Note("c"));
        ctx.send_after(millis(100), Msg::Note("d"));
    };
    let mut strings = begun_with(set).await;
    assert_eq!(strings.after(150).await, ["50 before", "100 a", "100 b", "100 c", "100 d"]);
}

#[tokio::test(start_paused = true)]
async fn c147_no_timer_is_handled_early_whatever_its_fraction_of_a_millisecond() {
    let strings = scripted().await;
    for nanos in [0, 1, 999_999, 1_000_000, 1_000_001, 2_500_000] {
        let after = std::time::Duration::from_nanos(nanos);
        let set = Instant::now();
        let handled = strings.address.call(|reply| {
            deed(move |_, ctx| {
                ctx.send_after(after, deed(move |_, _| reply.send(Instant::now())));
            })
        });
        let waited = handled.await.expect("it answers") - set;
        assert!(waited >= after && waited - after <= millis(1), "{waited:?} instead of {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_for_the_end_of_time_is_set_and_can_be_cancelled() {
    let strings = scripted().await;
    let timer = strings.have(|_, ctx| ctx.send_after(std::time::Duration::MAX, Msg::Note("never"))).await;
    assert!(strings.have(move |_, ctx| ctx.cancel_timer(timer)).await > Some(millis(1_000)));
}

#[tokio::test(start_paused = true)]
async fn a_timer_started_again_with_its_key_replaces_the_one_before() {
    let mut strings = scripted().await;
    let start = |after, line| {
        move |_: &mut ScriptedActor, ctx: &mut Context| {
            ctx.start_timer("retry", millis(after), Msg::Note(line))
        }
    };
    let first = strings.have(start(100, "first")).await;
    sleep(millis(90)).await;
    let second = strings.have(start(100, "second")).await;
    let other = strings.have(|_, ctx| ctx.start_timer("other", millis(50), Msg::Note("other"))).await;
    let known = strings.have(move |_, ctx| (ctx.timer("retry"), ctx.timer("other"), ctx.cancel_timer(first)));
    assert_eq!(known.await, (Some(second), Some(other), None));
    assert_eq!(strings.after(1_000).await, ["140 other", "190 second"]);
    assert_eq!(strings.have(|_, ctx| ctx.timer("retry")).await, None, "it was due");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_timer_releases_its_key() {
    let mut strings = scripted().await;
    strings.have(|_, ctx| ctx.start_timer("retry", millis(100), Msg::Note("timer"))).await;
    let cancel = |_: &mut ScriptedActor, ctx: &mut Context| {
        let timer = ctx.timer("retry").expect("it is set");
        (ctx.cancel_timer(timer), ctx.timer("retry"))
    };
    assert_eq!(strings.have(cancel).await, (Some(millis(100)), None));
    assert_eq!(strings.after(1_000).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_interval_sends_a_new_message_every_period_until_it_is_cancelled() {
    let mut strings = scripted().await;
    let interval = |_: &mut ScriptedActor, ctx: &mut Context| -> TimerId {
        let mut count = 0;
        ctx.send_interval(millis(100), move || {
            count += 1;
            let tick = count;
            deed(move |scripted, _| scripted.pen.write(format!("tick {tick}")))
        })
    };
    let timer = strings.have(interval).await;
    assert_eq!(strings.after(350).await, ["100 tick 1", "200 tick 2", "300 tick 3"]);
    assert_eq!(
        strings.have(move |_, ctx| ctx.cancel_timer(timer)).await,
        Some(millis(50)),
        "to the next tick"
    );
    assert_eq!(strings.after(1_000).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_interval_whose_actor_was_busy_misses_ticks_and_stays_in_step() {
    let mut strings = scripted().await;
    strings.have(|_, ctx| ctx.send_interval(millis(100), || Msg::Note("tick"))).await;
    strings.cast(long(|_, _| {
        Box::pin(async {
            sleep(millis(350)).await;
            Ok(())
        })
    }));
    assert_eq!(strings.after(550).await, ["350 tick", "400 tick", "500 tick"]);
}

#[tokio::test(start_paused = true)]
async fn an_interval_can_be_cancelled_by_its_own_tick() {
    let mut strings = scripted().await;
    strings
        .have(|scripted, ctx| {
            let (told, timer) = std::sync::mpsc::channel::<TimerId>();
            let timer = Arc::new(std::sync::Mutex::new(timer));
            let pen = scripted.pen.clone();
            let id = ctx.send_interval(millis(100), move || {
                let (pen, timer) = (pen.clone(), timer.lock().expect("not poisoned").recv());
                deed(move |_, ctx| pen.write(format!("{:?}", ctx.cancel_timer(timer.expect("it was sent")))))
            });
            told.send(id).expect("it waits");
        })
        .await;
    assert_eq!(strings.after(1_000).await, ["100 Some(100ms)"]);
}

#[tokio::test(start_paused = true)]
async fn an_interval_whose_message_cannot_be_made_ends_its_actor() {
    let strings = scripted().await;
    strings.have(|_, ctx| ctx.send_interval(millis(100), || panic!("no tick"))).await;
    assert_eq!(strings.end().await, "panicked: no tick");
}

#[tokio::test(start_paused = true)]
async fn a_timer_does_not_wait_behind_a_full_mailbox_nor_count_in_it() {
    let two = MailboxConfig::bounded(2);
    let mut strings = scripted_in(&System::new(), |spawn| spawn.mailbox(two)).await;
    strings.have(|_, ctx| ctx.send_after(millis(100), Msg::Note("timer"))).await;
    strings.cast(long(|_, _| {
        Box::pin(async {
            sleep(millis(200)).await;
            Ok(())
        })
    }));
    tokio::task::yield_now().await;
    strings.note("first");
    strings.note("second");
    assert!(matches!(strings.address.cast(Msg::Note("third")), Err(SendError::Full(_))));
    assert_eq!(strings.after(300).await, ["200 timer", "200 first", "200 second"]);
    let counters = strings.address.counters();
    assert_eq!((counters.accepted, counters.handled, counters.queued), (4, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn timers_and_the_mailbox_take_turns() {
    let mut strings = scripted().await;
    strings.cast(long(|_, ctx| {
        Box::pin(async {
            for _ in 0..3 {
                ctx.send_after(millis(10), Msg::Note("timer"));
            }
            sleep(millis(20)).await;
            Ok(())
        })
    }));
    for _ in 0..3 {
        strings.note("message");
    }
    assert_eq!(
        strings.after(100).await,
        ["20 timer", "20 message", "20 timer", "20 message", "20 timer", "20 message"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_signal_comes_before_a_timer_that_is_due() {
    let mut strings = scripted().await;
    strings.cast(long(|_, ctx| {
        Box::pin(async {
            ctx.send_after(millis(10), Msg::Note("timer"));
            sleep(millis(20)).await;
            Ok(())
        })
    }));
    sleep(millis(15)).await;
    strings.address.stop(perennial_actors::ExitReason::shutdown()).expect("it lives");
    assert_eq!(strings.end().await, "shutdown");
    assert_eq!(strings.lines(), ["20 terminate: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_kill_acts_inside_the_handler_of_a_timer_that_has_woken_an_idle_actor() {
    let mut strings = scripted().await;
    let hang = long(|scripted, _| {
        Box::pin(async {
            scripted.pen.write("hangs");
            std::future::pending().await
        })
    });
    strings.have(move |_, ctx| ctx.send_after(millis(10), hang)).await;
    assert_eq!(strings.line().await, "10 hangs");
    strings.address.kill().expect("it lives");
    assert_eq!(strings.end().await, "killed");
}
