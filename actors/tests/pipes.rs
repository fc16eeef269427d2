//! Futures and blocking work beside an actor: their result is a message of the actor. Its exit
//! drops the futures, and the results of blocking work.

use std::future::pending;
use std::sync::Arc;
use std::sync::mpsc as threads;

use perennial_actors::{CallError, ExitReason, PanicLocations, PipeHandle, System};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::support::scripted_host::{
    ManagedActor, Msg, ScriptedActor, TestProbe, begun_with, deed, failing, long, millis, scripted,
    scripted_in,
};

type Context = perennial_actors::Context<ScriptedActor>;

/// A message that records a result.
fn result(n: u32) -> Msg {
    deed(move |scripted, _| scripted.pen.write(n))
}

/// Sends a line when it is dropped.
struct Dropped(mpsc::UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // The test may have dropped the receiver.
        let _ = self.0.send("dropped");
    }
}

/// Returns a future that reports its first poll, each poll after a sleep and its drop; and the
/// receiver of the reports.
fn observed() -> (impl Future<Output = u32> + Send + 'static, mpsc::UnboundedReceiver<&'static str>) {
    let (say, said) = mpsc::unbounded_channel();
    let future = async move {
        let held = Dropped(say);
        loop {
            held.0.send("polled").expect("the test listens");
            sleep(millis(100)).await;
        }
    };
    (future, said)
}

fn all(said: &mut mpsc::UnboundedReceiver<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| said.try_recv().ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_piped_future_comes_as_a_message() {
    let pipe = |_: &mut ScriptedActor, ctx: &mut Context| {
        let future = async {
            sleep(millis(100)).await;
            6
        };
        ctx.pipe_to_self(future, |n| result(n + 1));
    };
    let mut strings = begun_with(pipe).await;
    assert_eq!(strings.after(1_000).await, ["100 7"]);
    assert_eq!(strings.address.counters().accepted, 0, "it does not pass through the mailbox");
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_future_that_is_ready_comes_after_the_handler() {
    let mut strings = scripted().await;
    strings.cast(long(|scripted, ctx| {
        Box::pin(async {
            ctx.pipe_to_self(async { 7 }, result);
            sleep(millis(100)).await;
            scripted.pen.write("handled");
            Ok(())
        })
    }));
    assert_eq!(strings.after(1_000).await, ["100 handled", "100 7"]);
}

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_in_which_the_futures_are_done() {
    let mut strings = scripted().await;
    strings
        .have(|_, ctx| {
            for n in [30, 10, 20] {
                ctx.pipe_to_self(sleep(millis(n)), move |()| result(n as u32));
            }
        })
        .await;
    assert_eq!(strings.after(1_000).await, ["10 10", "20 20", "30 30"]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_stays_responsive_beside_a_piped_future() {
    let strings = scripted().await;
    let piped = strings.have(|_, ctx| ctx.pipe_to_self(pending(), result)).await;
    assert_eq!(format!("{piped:?}"), "PipeHandle(..)");
    let begun = Instant::now();
    for n in 0..100 {
        assert_eq!(strings.have(move |_, _| n).await, n);
    }
    assert_eq!(begun.elapsed(), millis(0));
}

#[tokio::test(start_paused = true)]
async fn ready_results_and_the_mailbox_take_turns() {
    let mut strings = scripted().await;
    strings.cast(long(|_, ctx| {
        Box::pin(async {
            for n in 0..3 {
                ctx.pipe_to_self(async move { n }, result);
            }
            sleep(millis(10)).await;
            Ok(())
        })
    }));
    for _ in 0..3 {
        strings.note("message");
    }
    assert_eq!(strings.after(100).await, ["10 0", "10 message", "10 1", "10 message", "10 2", "10 message"]);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_piped_future_is_dropped_and_sends_no_message() {
    let (strings, (future, mut said)) = (scripted().await, observed());
    let piped = strings.have(|_, ctx| ctx.pipe_to_self(future, result)).await;
    assert_eq!(said.recv().await, Some("polled"));
    piped.abort();
    assert_eq!(said.recv().await, Some("dropped"));
    sleep(millis(1_000)).await;
    assert_eq!(all(&mut said), [""; 0]);
    piped.abort();
    assert_eq!(strings.have(|_, _| 7).await, 7, "the actor lives, and to abort again does nothing");
}

#[tokio::test(start_paused = true)]
async fn a_piped_future_that_is_aborted_when_it_is_done_sends_no_message_either() {
    let mut strings = scripted().await;
    strings.cast(long(|_, ctx| {
        Box::pin(async {
            let done: Vec<PipeHandle> = (0..2).map(|n| ctx.pipe_to_self(async move { n }, result)).collect();
            sleep(millis(10)).await;
            done[0].abort();
            Ok(())
        })
    }));
    assert_eq!(strings.after(100).await, ["10 1"], "the other one is not concerned");
}

#[tokio::test(start_paused = true)]
async fn a_piped_future_is_not_polled_after_the_exit_of_its_actor_is_reported_and_is_dropped_at_once() {
    let enders: [fn(&TestProbe); 3] = [
        |strings| strings.cast(failing()),
        |strings| strings.address.stop(ExitReason::shutdown()).expect("it lives"),
        |strings| strings.address.kill().expect("it lives"),
    ];
    for end in enders {
        let (strings, (future, mut said)) = (scripted().await, observed());
        strings.have(|_, ctx| ctx.pipe_to_self(future, result)).await;
        assert_eq!(said.recv().await, Some("polled"));
        let monitor = strings.address.monitor();
        end(&strings);
        monitor.await;
        let told = Instant::now();
        // The runtime drops it later: this runtime does so at its next turn.
        yield_now().await;
        assert_eq!((all(&mut said), told.elapsed()), (vec!["dropped"], millis(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_piped_future_never_reaches_the_next_incarnation() {
    let mut hosted = ManagedActor::begun_with(|_, ctx| {
        if ctx.pid().incarnation() == 1 {
            ctx.pipe_to_self(sleep(millis(100)), |()| Msg::Note("from the first"));
        }
    });
    hosted.start().await;
    hosted.restart().await;
    assert_eq!(hosted.strings.after(1_000).await, ["0 terminate: failed: on purpose"]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_ready_when_an_incarnation_failed_never_reaches_the_next() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    hosted.strings.cast(long(|_, ctx| {
        Box::pin(async {
            ctx.pipe_to_self(async { 7 }, result);
            sleep(millis(10)).await;
            Err(ExitReason::failed("too late"))
        })
    }));
    hosted.ended().await;
    hosted.start().await;
    assert_eq!(hosted.strings.after(1_000).await, ["10 terminate: failed: too late"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_piped_future_ends_the_actor_after_its_terminate() {
    let mut strings = scripted().await;
    let future = async {
        sleep(millis(100)).await;
        panic!("in the future")
    };
    strings.cast(deed(|_, ctx| drop(ctx.pipe_to_self(future, result))));
    assert_eq!(strings.end().await, "panicked: in the future");
    assert_eq!(strings.lines(), ["100 terminate: panicked: in the future"]);
    let counters = strings.address.counters();
    assert_eq!((counters.handled, counters.lost_in_flight), (1, 0), "no message was in flight");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_mapping_of_a_result_ends_the_actor_too() {
    let strings = scripted().await;
    strings.cast(deed(|_, ctx| drop(ctx.pipe_to_self(async { 7 }, |n| panic!("no message of {n}")))));
    assert_eq!(strings.end().await, "panicked: no message of 7");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_piped_future_is_reported_with_its_location() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let strings = scripted_in(&system, |spawn| spawn).await;
    strings.cast(deed(|_, ctx| drop(ctx.pipe_to_self(async { panic!("here") }, result))));
    let reason = strings.end().await;
    assert!(reason.starts_with("panicked: here (at ") && reason.contains("pipes.rs"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_reply_is_in_a_piped_future_gets_the_exit_reason() {
    let strings = scripted().await;
    let call = strings.address.call::<u32, _>(|reply| {
        deed(move |_, ctx| {
            let future = async move {
                pending::<()>().await;
                reply.send(7);
            };
            ctx.pipe_to_self(future, |()| result(7));
        })
    });
    let (answer, ()) = tokio::join!(call.into_future(), async {
        strings.have(|_, _| ()).await;
        strings.cast(failing());
    });
    let Err(CallError::Ended(reason, _)) = answer else { panic!("it ended") };
    assert_eq!(reason.to_string(), "failed: on purpose");
}

/// Blocking work that reports its begin and its end, and waits for a release in between.
struct Work {
    begun: oneshot::Receiver<()>,
    go: threads::Sender<u32>,
    done: oneshot::Receiver<()>,
}

fn work() -> (impl FnOnce() -> u32 + Send + 'static, Work) {
    let ((begin, begun), (go, gone), (finish, done)) =
        (oneshot::channel(), threads::channel(), oneshot::channel());
    let work = move || {
        begin.send(()).expect("the test waits");
        let n = gone.recv().expect("the test releases it");
        // The test may have dropped the receiver.
        let _ = finish.send(());
        n
    };
    (work, Work { begun, go, done })
}

#[tokio::test(start_paused = true)]
async fn the_result_of_blocking_work_comes_as_a_message_and_the_actor_stays_responsive_meanwhile() {
    let (mut strings, (blocking, work)) = (scripted().await, work());
    strings.have(|_, ctx| ctx.pipe_blocking(blocking, result)).await;
    work.begun.await.expect("it begins");
    assert_eq!(strings.have(|_, _| 7).await, 7);
    work.go.send(8).expect("it waits");
    assert_eq!(strings.line().await, "0 8");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_blocking_work_ends_the_actor() {
    let strings = scripted().await;
    strings.cast(deed(|_, ctx| drop(ctx.pipe_blocking(|| panic!("blocked"), result))));
    assert_eq!(strings.end().await, "panicked: blocked");
}

#[tokio::test(start_paused = true)]
async fn aborted_blocking_work_runs_to_its_end_and_its_result_is_dropped() {
    let (mut strings, (blocking, work)) = (scripted().await, work());
    let piped = strings.have(|_, ctx| ctx.pipe_blocking(blocking, result)).await;
    work.begun.await.expect("it begins");
    piped.abort();
    work.go.send(8).expect("it waits");
    work.done.await.expect("it keeps running");
    assert_eq!(strings.after(1_000).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn blocking_work_outlives_its_incarnation_and_its_result_is_dropped() {
    let mut hosted = ManagedActor::begun_with(|_, _| ());
    hosted.start().await;
    let (blocking, work) = work();
    hosted.strings.have(|_, ctx| ctx.pipe_blocking(blocking, result)).await;
    work.begun.await.expect("it begins");
    hosted.restart().await;
    work.go.send(8).expect("it still waits");
    work.done.await.expect("it keeps running");
    assert_eq!(hosted.strings.after(1_000).await, ["0 terminate: failed: on purpose"]);
}

#[tokio::test(start_paused = true)]
async fn captures_of_a_piped_future_are_dropped_when_its_result_is_handled() {
    let (strings, held) = (scripted().await, Arc::new(()));
    let holding = held.clone();
    let future = async move { holding };
    strings.have(|_, ctx| ctx.pipe_to_self(future, |held| deed(|_, _| drop(held)))).await;
    sleep(millis(10)).await;
    assert_eq!(Arc::strong_count(&held), 1);
}
