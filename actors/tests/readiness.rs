//! Starts that are complete when the actor reports ready, not when its init returns.

use perennial_actors::{Address, ExitReason, LifecycleEvent, ProcessState, SpawnError, System};
use tokio::time::{Instant, sleep};

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, about_to_begin, deed, failing, long, millis, scripted,
};

type Context = perennial_actors::Context<ScriptedActor>;

fn later(_: &mut ScriptedActor, ctx: &mut Context) {
    ctx.defer_ready();
}

fn ready(_: &mut ScriptedActor, ctx: &mut Context) {
    ctx.ready();
}

/// Returns a scripted actor whose init has returned and that is not ready.
async fn unready() -> ManagedActor {
    let mut hosted = ManagedActor::begun_with(later);
    hosted.begin();
    hosted.strings.have(|_, _| ()).await;
    assert!(hosted.record.more().is_none(), "it has not started");
    hosted
}

#[tokio::test(start_paused = true)]
async fn awaiting_a_start_waits_until_the_actor_is_ready() {
    let begun = Instant::now();
    let spawn = about_to_begin(&System::new(), |_, ctx| {
        ctx.defer_ready();
        ctx.send_after(millis(100), deed(ready));
    });
    assert!(spawn.await.is_ok());
    assert_eq!(begun.elapsed(), millis(100));
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_not_ready_handles_messages_and_notifies_its_parent_when_it_is() {
    let mut hosted = unready().await;
    assert_eq!(hosted.strings.have(|_, _| 7).await, 7);
    assert!(hosted.record.more().is_none(), "it still has not started");
    hosted.strings.have(ready).await;
    hosted.started().await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_may_be_ready_in_a_continuation_and_in_a_signal() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| {
        ctx.defer_ready();
        ctx.continue_with(deed(ready));
    });
    hosted.begin();
    hosted.started().await;

    let (mut hosted, watched) = (unready().await, scripted().await);
    let target = watched.address.handle();
    hosted
        .strings
        .have(move |scripted, ctx| {
            ctx.monitor(&target);
            scripted.when_told = Some(Box::new(|scripted, ctx| {
                ready(scripted, ctx);
                Box::pin(std::future::ready(Ok(())))
            }));
        })
        .await;
    assert!(hosted.record.more().is_none());
    watched.cast(failing());
    hosted.started().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_or_needless_ready_does_nothing() {
    for put_off in [true, false] {
        let mut hosted = ManagedActor::begun_with(move |_, ctx| {
            if put_off {
                ctx.defer_ready();
            }
        });
        let mut events = hosted.system.subscribe::<LifecycleEvent>();
        hosted.begin();
        for _ in 0..3 {
            hosted.strings.have(ready).await;
        }
        hosted.started().await;
        assert!(hosted.record.more().is_none());
        assert!(matches!(events.try_next(), Some(LifecycleEvent::Started { .. })));
        assert!(events.try_next().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_init_may_revoke_deferred_readiness() {
    let mut hosted = ManagedActor::begun_with(|scripted, ctx| {
        later(scripted, ctx);
        ready(scripted, ctx);
        later(scripted, ctx);
        ready(scripted, ctx);
    });
    hosted.start().await;
    hosted.strings.have(ready).await;
    assert!(hosted.record.more().is_none());
}

#[tokio::test(start_paused = true)]
async fn deferring_readiness_after_the_init_does_nothing() {
    for put_off in [true, false] {
        let mut hosted = ManagedActor::begun_with(move |_, ctx| {
            if put_off {
                ctx.defer_ready();
            }
        });
        hosted.begin();
        hosted.strings.have(later).await;
        hosted.strings.have(ready).await;
        hosted.strings.have(later).await;
        hosted.started().await;
        hosted.strings.cast(failing());
        assert!(hosted.record.ended(1).await.started);
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_ends_before_it_is_ready_has_not_started() {
    type Ender = fn(&Address<Msg>);
    let enders: [(Ender, &str, &[&str]); 5] = [
        (|address| cast(address, failing()), "failed: on purpose", &["0 terminate: failed: on purpose"]),
        (
            |address| cast(address, deed(|_, _| panic!("bad"))),
            "panicked: bad",
            &["0 terminate: panicked: bad"],
        ),
        (|address| cast(address, ending(ExitReason::Ignore)), "ignore", &["0 terminate: ignore"]),
        (
            |address| address.stop(ExitReason::StartTimedOut).expect("it lives"),
            "the start timed out",
            &["0 terminate: the start timed out"],
        ),
        (|address| address.kill().expect("it lives"), "killed", &[]),
    ];
    for (end, reason, lines) in enders {
        let mut hosted = unready().await;
        let mut events = hosted.system.subscribe::<LifecycleEvent>();
        end(&hosted.strings.address);
        let ended = hosted.record.ended(1).await;
        assert_eq!((ended.reason.to_string().as_str(), ended.started), (reason, false));
        assert_eq!(hosted.strings.lines(), lines);
        assert!(
            matches!(events.try_next(), Some(LifecycleEvent::Ended { .. })),
            "{reason}: it had not started"
        );

        let spawn = about_to_begin(&System::new(), move |_, ctx| {
            ctx.defer_ready();
            end(&ctx.address());
        });
        let Err(SpawnError::Failed(failed)) = spawn.await else { panic!("it does not start") };
        assert_eq!(failed.to_string(), reason);
    }
}

fn cast(address: &Address<Msg>, msg: Msg) {
    address.cast(msg).expect("it is open and has room");
}

fn ending(reason: ExitReason) -> Msg {
    long(move |_, _| Box::pin(std::future::ready(Err(reason))))
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_stops_itself_in_an_init_that_deferred_readiness_has_not_started() {
    let spawn = about_to_begin(&System::new(), |_, ctx| {
        ctx.defer_ready();
        ctx.stop(ExitReason::shutdown_with("at once"));
    });
    let Err(SpawnError::Failed(failed)) = spawn.await else { panic!("it does not start") };
    assert_eq!(failed.to_string(), "shutdown: at once");
}

#[tokio::test(start_paused = true)]
async fn ready_in_terminate_is_too_late() {
    let mut hosted = unready().await;
    hosted
        .strings
        .have(|scripted, _| {
            scripted.last = Some(Box::new(|scripted, ctx| {
                ready(scripted, ctx);
                Box::pin(std::future::ready(Ok(())))
            }));
        })
        .await;
    hosted.strings.address.stop(ExitReason::shutdown()).expect("it lives");
    assert!(!hosted.record.ended(1).await.started);
    assert_eq!(hosted.strings.lines(), ["0 terminate: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_an_actor_that_is_not_ready_comes_after_the_message_in_flight() {
    let mut hosted = unready().await;
    hosted.strings.cast(long(|scripted, _| {
        Box::pin(async {
            sleep(millis(100)).await;
            scripted.pen.write("handled");
            Ok(())
        })
    }));
    sleep(millis(50)).await;
    hosted.strings.address.stop(ExitReason::shutdown()).expect("it lives");
    assert!(!hosted.record.ended(1).await.started);
    assert_eq!(hosted.strings.lines(), ["100 handled", "100 terminate: shutdown"]);
    assert_eq!(hosted.strings.address.state(), ProcessState::Pending);
}

#[tokio::test(start_paused = true)]
async fn every_incarnation_reports_its_own_readiness() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| {
        if ctx.pid().incarnation() != 2 {
            ctx.defer_ready();
        }
    });
    hosted.begin();
    hosted.strings.cast(failing());
    assert!(!hosted.record.ended(1).await.started);
    hosted.start().await;
    hosted.strings.cast(failing());
    assert!(hosted.record.ended(2).await.started);
    hosted.begin();
    hosted.strings.have(|_, _| ()).await;
    assert!(hosted.record.more().is_none());
    hosted.strings.have(ready).await;
    hosted.started().await;
}

#[tokio::test(start_paused = true)]
async fn an_incarnation_whose_mailbox_was_detached_is_never_ready() {
    let mut hosted = unready().await;
    let (identity, mut events) = (hosted.identity.clone(), hosted.system.subscribe::<LifecycleEvent>());
    hosted.strings.cast(deed(move |_, ctx| {
        assert!(identity.abandon(ctx.pid()));
        ctx.ready();
    }));
    sleep(millis(1)).await;
    assert!(hosted.record.more().is_none(), "its parent has abandoned it");
    assert!(matches!(events.try_next(), Some(LifecycleEvent::Abandoned { .. })));
    assert!(events.try_next().is_none());
}
