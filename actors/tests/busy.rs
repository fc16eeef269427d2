//! For how long which incarnation has been at what it does, told cheaply to those who watch over it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as threads;
use std::thread;
use std::time::Duration;

use perennial_actors::{ActorHandle, ExitReason, Pid};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{advance, sleep};

use support::scripted_host::{ManagedActor, Msg, TestProbe, deed, failing, long, millis, scripted};

mod support {
    pub(crate) mod parent;
    pub(crate) mod scripted_host;
}

/// A handler that awaits for ever.
fn hanging() -> Msg {
    long(|_, _| Box::pin(pending()))
}

fn pid(handle: &ActorHandle) -> Pid {
    handle.pid().expect("it lives")
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_for_ever_is_told_of_with_its_incarnation() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(hanging());
    for seconds in [100, 200, 300] {
        sleep(Duration::from_secs(100)).await;
        assert_eq!(handle.busy_for(), Some((pid(&handle), Duration::from_secs(seconds))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_always_ready_to_go_on_is_told_of() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(long(|_, _| {
        Box::pin(async {
            loop {
                yield_now().await;
            }
        })
    }));
    yield_now().await;
    // It never leaves its runtime idle, so time passes when it is told to.
    for n in 1..=3 {
        advance(millis(100)).await;
        assert_eq!(handle.busy_for(), Some((pid(&handle), millis(n * 100))));
    }
}

/// Has an actor that lives on a thread of its own do something that never awaits, and ends it by `let_go`; for how long it is told
/// to be at it at each of some looks, 100 ms apart.
fn looks_at(act: impl FnOnce() + Send + 'static, let_go: impl FnOnce()) -> Vec<Option<(Pid, Duration)>> {
    let (tell, told) = threads::channel();
    let busy = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let strings = scripted().await;
            let (begin, begun) = oneshot::channel();
            let handle = strings.address.handle();
            let watch = thread::spawn(move || {
                begun.blocking_recv().expect("it begins");
                tell.send(handle).expect("the test waits");
            });
            strings
                .have(|_, _| {
                    begin.send(()).expect("the watch waits");
                    act();
                })
                .await;
            watch.join().expect("the watch ends well");
        });
    });
    let handle = told.recv().expect("it is told");
    // In paused time, which passes at once: who is busy is another thread, whatever time it has.
    let looking = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let looks = looking.block_on(async {
        let mut looks = Vec::new();
        for _ in 0..3 {
            looks.push(handle.busy_for());
            sleep(millis(100)).await;
        }
        looks
    });
    let_go();
    busy.join().expect("the actor ends well");
    looks
}

fn assert_counted_from_the_first_look(looks: &[Option<(Pid, Duration)>]) {
    let times: Vec<Duration> = looks.iter().flatten().map(|(_, time)| *time).collect();
    assert_eq!(times, [millis(0), millis(100), millis(200)]);
    assert!(looks.iter().flatten().all(|(pid, _)| pid.incarnation() == 1));
}

#[test]
fn a_handler_that_blocks_its_thread_is_told_of_from_the_first_look_on() {
    let (go, gone) = threads::channel::<()>();
    let looks =
        looks_at(move || gone.recv().expect("the test lets it go"), move || go.send(()).expect("it waits"));
    assert_counted_from_the_first_look(&looks);
}

#[test]
fn a_handler_that_spins_is_told_of_from_the_first_look_on() {
    let spinning = Arc::new(AtomicBool::new(true));
    let spins = spinning.clone();
    let looks = looks_at(
        move || {
            while spins.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        },
        move || spinning.store(false, Ordering::Relaxed),
    );
    assert_counted_from_the_first_look(&looks);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_idles_is_at_nothing_however_long_it_does() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    assert_eq!(handle.busy_for(), None);
    for _ in 0..3 {
        strings.cast(long(|_, _| {
            Box::pin(async {
                sleep(millis(100)).await;
                Ok(())
            })
        }));
        sleep(millis(50)).await;
        assert_eq!(handle.busy_for(), Some((pid(&handle), millis(50))));
        sleep(millis(50)).await;
        strings.have(|_, _| ()).await;
        assert_eq!(handle.busy_for(), None, "right after it is done");
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(handle.busy_for(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_with_a_message_that_it_was_not_woken_for_yet_is_at_nothing() {
    let strings = scripted().await;
    strings.have(|_, _| ()).await;
    strings.cast(hanging());
    assert_eq!(strings.address.handle().busy_for(), None, "it is its runtime that keeps it from it");
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_has_had_its_turn_and_waits_for_the_next_is_at_nothing() {
    for own_too in [false, true] {
        let mut strings = scripted().await;
        if own_too {
            strings.have(|_, ctx| ctx.send_after(Duration::from_secs(3_600), Msg::Note("never"))).await;
        }
        (0..300).for_each(|_| strings.note("a message"));
        let handle = strings.address.handle();
        let mut handled = 0;
        while handled < 300 {
            yield_now().await;
            assert_eq!(handle.busy_for(), None, "after {handled}");
            handled += strings.lines().len();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_suspended_is_at_nothing_unless_it_acts_on_a_signal() {
    let (strings, watched) = (scripted().await, scripted().await);
    let (handle, target) = (strings.address.handle(), watched.address.handle());
    strings
        .have(move |scripted, ctx| {
            ctx.monitor(&target);
            scripted.when_told = Some(Box::new(|_, _| Box::pin(pending())));
        })
        .await;
    handle.suspend().expect("it lives");
    strings.cast(hanging());
    sleep(millis(100)).await;
    assert_eq!(handle.busy_for(), None);
    watched.cast(failing());
    sleep(millis(100)).await;
    assert_eq!(handle.busy_for(), Some((pid(&handle), millis(100))));
}

#[tokio::test(start_paused = true)]
async fn nobody_who_is_not_there_is_at_anything() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    let handle = hosted.strings.address.handle();
    assert_eq!(handle.busy_for(), None, "not yet");
    hosted.start().await;
    hosted.strings.cast(hanging());
    sleep(millis(100)).await;
    handle.kill().expect("it lives");
    hosted.ended().await;
    assert_eq!(handle.busy_for(), None, "between two incarnations");
    hosted.identity.close(&ExitReason::shutdown());
    assert_eq!(handle.busy_for(), None, "any more");
}

async fn hangs_for(strings: &TestProbe, time: u64) -> Option<(Pid, Duration)> {
    strings.cast(hanging());
    sleep(millis(time)).await;
    strings.address.handle().busy_for()
}

#[tokio::test(start_paused = true)]
async fn the_next_incarnation_is_not_blamed_for_the_handler_of_the_one_before() {
    for abandoned in [false, true] {
        let mut hosted = ManagedActor::begun_with(|_, _| ());
        hosted.start().await;
        let handle = hosted.strings.address.handle();
        let first = pid(&handle);
        assert_eq!(hangs_for(&hosted.strings, 500).await, Some((first, millis(500))));
        if abandoned {
            assert!(hosted.identity.abandon(first));
        } else {
            handle.kill().expect("it lives");
            hosted.ended().await;
        }
        hosted.begin();
        assert!(
            handle.busy_for().is_none_or(|busy| busy == (pid(&handle), Duration::ZERO)),
            "its init is due"
        );
        hosted.started().await;
        sleep(millis(100)).await;
        assert_eq!(handle.busy_for(), None);
        let second = pid(&handle);
        assert_ne!(first, second);
        assert_eq!(hangs_for(&hosted.strings, 100).await, Some((second, millis(100))));
    }
}

#[tokio::test(start_paused = true)]
async fn an_incarnation_whose_mailbox_was_taken_away_says_nothing_of_the_next() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    let (identity, (let_go, gone)) = (hosted.identity.clone(), oneshot::channel::<()>());
    hosted.strings.cast(deed(move |_, ctx| {
        assert!(identity.abandon(ctx.pid()));
        let_go.send(()).expect("the test waits");
    }));
    gone.await.expect("it comes to it");
    hosted.start().await;
    let handle = hosted.strings.address.handle();
    assert_eq!(hangs_for(&hosted.strings, 100).await, Some((pid(&handle), millis(100))));
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_is_not_ready_is_told_of_like_any_other() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| ctx.defer_ready());
    hosted.begin();
    sleep(millis(100)).await;
    let handle = hosted.strings.address.handle();
    assert_eq!(handle.busy_for(), None, "it waits, and says so");
    assert_eq!(hangs_for(&hosted.strings, 100).await, Some((pid(&handle), millis(100))));
}
