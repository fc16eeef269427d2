//! How long which incarnation has been busy with its current handler, as a supervisor reads it.

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

use crate::support::scripted_host::{ManagedActor, Msg, TestProbe, deed, failing, long, millis, scripted};

/// Returns a message whose handler awaits for ever.
fn hanging() -> Msg {
    long(|_, _| Box::pin(pending()))
}

fn pid(handle: &ActorHandle) -> Pid {
    handle.pid().expect("it lives")
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_for_ever_is_reported_with_its_incarnation() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(hanging());
    for seconds in [100, 200, 300] {
        sleep(Duration::from_secs(100)).await;
        assert_eq!(handle.busy_for(), Some((pid(&handle), Duration::from_secs(seconds))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_yields_for_ever_is_reported() {
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
    // The runtime is never idle, so the paused clock moves only when the test advances it.
    for n in 1..=3 {
        advance(millis(100)).await;
        assert_eq!(handle.busy_for(), Some((pid(&handle), millis(n * 100))));
    }
}

/// Runs `act`, which never awaits, in an actor on its own thread and ends it by `unblock`. Returns
/// the results of three queries of `busy_for`, 100 ms apart.
fn queries(act: impl FnOnce() + Send + 'static, unblock: impl FnOnce()) -> Vec<Option<(Pid, Duration)>> {
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
    let handle = told.recv().expect("the actor sends its handle");
    // In paused time, which passes at once. The busy actor has its own thread and clock.
    let querying = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let found = querying.block_on(async {
        let mut found = Vec::new();
        for _ in 0..3 {
            found.push(handle.busy_for());
            sleep(millis(100)).await;
        }
        found
    });
    unblock();
    busy.join().expect("the actor ends well");
    found
}

fn assert_counted_from_the_first_query(found: &[Option<(Pid, Duration)>]) {
    let times: Vec<Duration> = found.iter().flatten().map(|(_, time)| *time).collect();
    assert_eq!(times, [millis(0), millis(100), millis(200)]);
    assert!(found.iter().flatten().all(|(pid, _)| pid.incarnation() == 1));
}

#[test]
fn a_handler_that_blocks_its_thread_is_counted_from_the_first_query() {
    let (go, gone) = threads::channel::<()>();
    let found =
        queries(move || gone.recv().expect("the test ends it"), move || go.send(()).expect("it waits"));
    assert_counted_from_the_first_query(&found);
}

#[test]
fn a_handler_that_spins_is_counted_from_the_first_query() {
    let spinning = Arc::new(AtomicBool::new(true));
    let spins = spinning.clone();
    let found = queries(
        move || {
            while spins.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        },
        move || spinning.store(false, Ordering::Relaxed),
    );
    assert_counted_from_the_first_query(&found);
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_is_not_busy_however_long_it_idles() {
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
async fn an_actor_that_was_not_yet_polled_for_its_message_is_not_busy() {
    let strings = scripted().await;
    strings.have(|_, _| ()).await;
    strings.cast(hanging());
    assert_eq!(strings.address.handle().busy_for(), None, "its runtime has not polled it yet");
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_has_used_its_budget_and_waits_to_be_polled_is_not_busy() {
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
async fn a_suspended_actor_is_not_busy_unless_it_handles_a_signal() {
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
async fn an_identity_without_a_live_incarnation_is_not_busy() {
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
async fn the_next_incarnation_does_not_inherit_the_busy_time_of_the_previous_one() {
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
async fn an_abandoned_incarnation_does_not_change_the_busy_time_of_the_next() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    let (identity, (unblock, gone)) = (hosted.identity.clone(), oneshot::channel::<()>());
    hosted.strings.cast(deed(move |_, ctx| {
        assert!(identity.abandon(ctx.pid()));
        unblock.send(()).expect("the test waits");
    }));
    gone.await.expect("it comes to it");
    hosted.start().await;
    let handle = hosted.strings.address.handle();
    assert_eq!(hangs_for(&hosted.strings, 100).await, Some((pid(&handle), millis(100))));
}

#[tokio::test(start_paused = true)]
async fn an_actor_with_deferred_readiness_is_reported_like_any_other() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| ctx.defer_ready());
    hosted.begin();
    sleep(millis(100)).await;
    let handle = hosted.strings.address.handle();
    assert_eq!(handle.busy_for(), None, "it waits, and says so");
    assert_eq!(hangs_for(&hosted.strings, 100).await, Some((pid(&handle), millis(100))));
}
