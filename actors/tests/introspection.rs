//! What can be read of an actor from outside: its info, and how long its current handler has run.

use std::sync::mpsc as threads;
use std::thread;
use std::time::Duration;

use perennial_actors::{ActorHandle, ExitReason, MonitorId, Pid, ProcessState, System};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::support::scripted_host::{
    ManagedActor, Msg, begun_with, deed, failing, long, millis, scripted, scripted_in,
};
use crate::support::scripted_lifecycle::{Step, starting};

fn sleeping(times: &'static [u64]) -> Msg {
    long(move |_, _| {
        Box::pin(async move {
            for time in times {
                sleep(millis(*time)).await;
            }
            Ok(())
        })
    })
}

fn busy_for(handle: &ActorHandle) -> Option<Duration> {
    handle.info().busy_for
}

#[tokio::test(start_paused = true)]
async fn an_idle_actor_is_not_busy() {
    let strings = scripted().await;
    let info = strings.address.handle().info();
    assert_eq!((info.busy_for, info.suspended, info.trap_exits), (None, false, false));
    assert_eq!((info.links, info.monitors, info.monitored_by), (vec![], vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn an_info_shows_label_incarnation_flags_and_message_counters() {
    let strings = scripted_in(&System::new(), |spawn| spawn.label("scripted_host")).await;
    strings.have(|_, ctx| ctx.trap_exits(true)).await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    yield_now().await;
    strings.note("it waits");
    let info = handle.info();
    assert_eq!((info.label.as_deref(), info.incarnation), (Some("scripted_host"), 1));
    assert!(matches!(info.state, ProcessState::Alive(pid) if pid.incarnation() == 1));
    assert_eq!((info.counters, info.counters.handled, info.counters.queued), (handle.counters(), 1, 1));
    assert_eq!((info.suspended, info.trap_exits, info.busy_for), (true, true, None));
}

#[tokio::test(start_paused = true)]
async fn a_handle_returns_its_address_for_the_right_message_type() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    assert_eq!(handle.address(), Some(strings.address));
    assert_eq!(handle.address::<String>(), None);
    assert_eq!(handle.message_type(), std::any::type_name::<Msg>());
}

#[tokio::test(start_paused = true)]
async fn an_info_between_two_incarnations_shows_nothing_of_the_previous_one() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| {
        if ctx.pid().incarnation() == 1 {
            ctx.trap_exits(true);
        }
    });
    let handle = hosted.strings.address.handle();
    assert_eq!((handle.info().incarnation, handle.info().state), (0, ProcessState::Pending));
    hosted.start().await;
    let system = hosted.strings.have(|_, ctx| ctx.system().clone()).await;
    let other = scripted_in(&system, |spawn| spawn).await.address.handle();
    hosted
        .strings
        .have(move |_, ctx| {
            ctx.link(&other).expect("it lives");
            ctx.monitor(&other);
        })
        .await;
    assert_eq!(
        (handle.info().trap_exits, handle.info().links.len(), handle.info().monitors.len()),
        (true, 1, 1)
    );
    hosted.strings.cast(failing());
    hosted.ended().await;
    for _ in 0..2 {
        let info = handle.info();
        assert_eq!((info.trap_exits, info.suspended, info.busy_for), (false, false, None));
        assert_eq!((info.links, info.monitors), (vec![], vec![]));
        if info.state == ProcessState::Pending {
            assert_eq!(info.incarnation, 1, "the newest, though it is over");
            hosted.start().await;
        }
    }
    assert_eq!(handle.info().incarnation, 2);
}

#[tokio::test(start_paused = true)]
async fn links_and_monitors_are_listed_on_both_sides_until_they_are_removed() {
    let system = System::new();
    let (strings, other) =
        (scripted_in(&system, |spawn| spawn).await, scripted_in(&system, |spawn| spawn).await);
    let (one, two) = (strings.address.handle(), other.address.handle());
    let target = two.clone();
    let monitors: [MonitorId; 2] = strings
        .have(move |_, ctx| {
            ctx.link(&target).expect("it lives");
            [(); 2].map(|()| ctx.monitor(&target))
        })
        .await;
    let pids: [Pid; 2] = [&one, &two].map(|handle| handle.pid().expect("it lives"));
    assert_eq!((one.info().links, two.info().links), (vec![pids[1]], vec![pids[0]]));
    let mut listed = one.info().monitors;
    listed.sort_unstable();
    assert_eq!((listed, two.info().monitors), (monitors.to_vec(), vec![]));
    let outside = other.address.monitor();
    assert_eq!((one.info().monitored_by, two.info().monitored_by), (0, 3));
    drop(outside);
    let target = two.clone();
    strings
        .have(move |_, ctx| {
            ctx.unlink(&target);
            assert!(ctx.demonitor(monitors[0]));
        })
        .await;
    assert_eq!((one.info().links, two.info().links), (vec![], vec![]));
    assert_eq!((one.info().monitors, two.info().monitored_by), (vec![monitors[1]], 1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_awaits_is_counted_from_its_first_await() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    strings.cast(sleeping(&[100, 100, 100]));
    assert_eq!(busy_for(&handle), None, "it has not begun");
    sleep(millis(250)).await;
    assert_eq!(busy_for(&handle), Some(millis(250)), "though no query came before");
    sleep(millis(100)).await;
    assert_eq!(busy_for(&handle), None, "it is done");
}

#[tokio::test(start_paused = true)]
async fn every_handler_is_counted_anew() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    (0..3).for_each(|_| strings.cast(sleeping(&[100])));
    for _ in 0..3 {
        sleep(millis(70)).await;
        assert_eq!(busy_for(&handle), Some(millis(70)));
        sleep(millis(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn timers_continuations_and_signals_are_counted_anew_too() {
    let strings = begun_with(|_, ctx| {
        ctx.send_after(millis(0), sleeping(&[100]));
        ctx.continue_with(sleeping(&[100]));
    })
    .await;
    let handle = strings.address.handle();
    strings.cast(sleeping(&[100]));
    for _ in 0..3 {
        sleep(millis(70)).await;
        assert_eq!(busy_for(&handle), Some(millis(70)));
        sleep(millis(30)).await;
    }
    sleep(millis(1)).await;
    assert_eq!(busy_for(&handle), None);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_wakes_an_idle_actor_is_counted_from_its_first_await() {
    let strings = scripted().await;
    strings.have(|_, ctx| ctx.send_after(millis(100), sleeping(&[100]))).await;
    let handle = strings.address.handle();
    sleep(millis(70)).await;
    assert_eq!(busy_for(&handle), None);
    sleep(millis(100)).await;
    assert_eq!(busy_for(&handle), Some(millis(70)));
    sleep(millis(100)).await;
    assert_eq!(busy_for(&handle), None);
}

#[tokio::test(start_paused = true)]
async fn an_init_and_a_terminate_that_hang_are_counted() {
    let mut patient = starting(&System::new(), |plan| plan.init = Step::Hang);
    patient.until("init hangs").await;
    sleep(millis(100)).await;
    assert_eq!(busy_for(&patient.address.handle()), Some(millis(100)));

    let strings = scripted().await;
    strings.have(|scripted, _| scripted.last = Some(Box::new(|_, _| Box::pin(std::future::pending())))).await;
    strings.cast(long(|_, ctx| {
        Box::pin(async {
            sleep(millis(50)).await;
            ctx.stop(ExitReason::Normal);
            Ok(())
        })
    }));
    sleep(millis(150)).await;
    assert_eq!(busy_for(&strings.address.handle()), Some(millis(100)), "the handler is not counted in");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_actor_is_not_busy() {
    let strings = scripted().await;
    let handle = strings.address.handle();
    handle.suspend().expect("it lives");
    strings.cast(sleeping(&[100]));
    sleep(millis(100)).await;
    assert_eq!(busy_for(&handle), None);
    handle.resume().expect("it lives");
    sleep(millis(50)).await;
    assert_eq!(busy_for(&handle), Some(millis(50)));
}

#[test]
fn a_handler_that_blocks_its_thread_is_counted_from_the_first_query() {
    // The actor runs on its own thread, which it blocks. The time is taken from the caller's clock.
    let ((tell, told), (go, gone)) = (threads::channel(), threads::channel::<()>());
    let blocked = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let strings = scripted().await;
            let (begin, begun) = oneshot::channel();
            let address = strings.address.clone();
            let watch = thread::spawn(move || {
                begun.blocking_recv().expect("it begins");
                tell.send(address.handle()).expect("the test waits");
            });
            strings
                .have(move |_, _| {
                    begin.send(()).expect("the watch waits");
                    gone.recv().expect("the test releases it");
                })
                .await;
            watch.join().expect("the watch ends well");
        });
    });
    let handle = told.recv().expect("the actor sends its handle");
    // In paused time, which passes at once. The blocked thread is another one with its own clock.
    let querying = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    querying.block_on(async {
        assert_eq!(busy_for(&handle), Some(Duration::ZERO), "the count begins with the first query");
        sleep(millis(100)).await;
        assert_eq!(busy_for(&handle), Some(millis(100)));
    });
    go.send(()).expect("it waits");
    blocked.join().expect("the actor ends well");
}

#[tokio::test(start_paused = true)]
async fn a_system_lists_live_actors_and_ended_ones_that_are_still_referenced() {
    let system = System::new();
    assert_eq!(system.processes(), []);
    let (one, two) = (scripted_in(&system, |spawn| spawn).await, scripted_in(&system, |spawn| spawn).await);
    let _elsewhere = scripted().await;
    let has = |address: &perennial_actors::Address<Msg>| system.processes().contains(&address.handle());
    assert_eq!((system.processes().len(), has(&one.address), has(&two.address)), (2, true, true));
    one.cast(failing());
    one.end().await;
    assert_eq!(system.processes().len(), 2, "the test still holds its address");
    assert_eq!(one.address.handle().info().state, ProcessState::Closed);
    drop(one);
    assert_eq!(system.processes(), [two.address.handle()]);
    two.cast(deed(|_, ctx| ctx.stop(ExitReason::Normal)));
    two.end().await;
    drop(two);
    assert_eq!(system.processes(), []);
}
