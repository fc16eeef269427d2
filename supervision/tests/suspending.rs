//! Suspending supervisors, tasks and ractor actors, and looking at a state that they do not offer.
//! OTP's `sys`.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{ActorHandle, Address, ExitReason, InspectError, Reply, System};
use perennial_supervision::{Child, ChildError, Strategy, Supervisor};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::{Instant, sleep, timeout};

use crate::support::unit::{Log, Script, crash, end, incarnation, quiet, scripted, shape, soon, start};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn suspended_supervisor_does_nothing_until_it_is_resumed() {
    let log = Log::default();
    let child = scripted("a", &log);
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    app.handle().suspend().expect("it lives");
    end(&address, crash()).await;
    sleep(SECOND).await;
    assert!(address.pid().is_none(), "its child is not restarted");
    let asked = timeout(SECOND, app.supervisor().count_children()).await;
    assert!(asked.is_err(), "it answers nothing");
    app.handle().resume().expect("it lives");
    assert_eq!(incarnation(&address).await, 2);
    assert_eq!(shape(app.supervisor()).await, ["a 2"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn suspended_supervisor_acts_on_a_stop_and_comes_to_its_end() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::default();
        let (first, last) = (scripted("a", &log), Script::new("b", &log).with_slow_stop(SECOND).child());
        let (_, app) = start(Supervisor::new("app").strategy(strategy).child(first).child(last)).await;
        app.handle().suspend().expect("it lives");
        quiet().await;
        let handle = app.handle();
        let suspends_again = async {
            quiet().await;
            // It is shutting down, and a suspend does not interrupt that.
            handle.suspend().expect("it lives");
        };
        let (report, ()) = tokio::join!(soon(app.shutdown()), suspends_again);
        assert!(report.is_clean());
        assert_eq!(log.take()[2..], ["told b", "stop b: shutdown", "stop a: shutdown"], "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn suspended_supervisor_is_killed_and_the_next_incarnation_is_not_suspended() {
    let log = Log::default();
    let nested = Supervisor::new("nested").child(scripted("a", &log));
    let handle = nested.handle();
    let (_, app) = start(Supervisor::new("app").child(nested)).await;
    handle.handle().suspend().expect("it lives");
    quiet().await;
    handle.handle().kill().expect("it lives");
    quiet().await;
    assert_eq!(shape(&handle).await, ["a 2"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn supervisor_that_gives_up_is_not_kept_from_its_end_by_a_suspension() {
    let log = Log::default();
    let (first, last) = (scripted("a", &log), Script::new("b", &log).with_slow_stop(SECOND).child());
    let address = first.address();
    let (_, app) = start(Supervisor::new("app").intensity(0, SECOND).child(first).child(last)).await;
    end(&address, crash()).await;
    app.handle().suspend().expect("it lives");
    assert!(matches!(soon(app.join()).await, ExitReason::Shutdown(Some(_))));
    assert_eq!(log.take().last().map(String::as_str), Some("stop b: shutdown"));
}

/// A task that counts once a second.
fn counter(count: &Arc<AtomicU32>) -> Child<std::convert::Infallible> {
    let count = count.clone();
    Child::task("counter", move |ctx| {
        let count = count.clone();
        async move {
            let mut stopped = pin!(ctx.stopped());
            loop {
                tokio::select! {
                    () = sleep(SECOND) => { count.fetch_add(1, Ordering::Relaxed); }
                    _ = &mut stopped => return Ok(()),
                }
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn suspended_task_is_not_polled_until_it_is_resumed_or_stopped() {
    let count = Arc::new(AtomicU32::new(0));
    let child = counter(&count);
    let task = child.address().handle();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
    task.suspend().expect("it lives");
    sleep(10 * SECOND).await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
    task.resume().expect("it lives");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(count.load(Ordering::Relaxed), 3, "what was due is done at once");
    task.suspend().expect("it lives");
    quiet().await;
    let begun = Instant::now();
    assert!(app.shutdown().await.is_clean(), "it finishes in good order");
    assert!(begun.elapsed() < SECOND);
}

/// A ractor actor that answers.
struct Echo;

impl Actor for Echo {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Ask>, Ask(reply): Ask, (): &mut ()) -> Result<(), ActorProcessingErr> {
        reply.send(());
        Ok(())
    }
}

struct Ask(Reply<()>);

#[tokio::test(start_paused = true)]
async fn suspended_ractor_actor_handles_nothing_until_it_is_resumed() {
    let child = Child::ractor("echo", || (Echo, ()));
    let address: Address<Ask> = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    address.call(Ask).await.expect("it answers");
    for _ in 0..2 {
        address.handle().suspend().expect("it lives");
        let asked = tokio::spawn({
            let address = address.clone();
            async move { address.call(Ask).no_timeout().await }
        });
        sleep(SECOND).await;
        assert!(!asked.is_finished());
        address.handle().resume().expect("it lives");
        soon(asked).await.expect("it ends well").expect("it answers");
    }
    address.handle().suspend().expect("it lives");
    quiet().await;
    assert!(soon(app.shutdown()).await.is_clean());
}

async fn offers_nothing(handle: &ActorHandle) {
    let looked = soon(handle.get_state::<()>()).await;
    assert!(matches!(looked, Err(InspectError::NotOffered)), "{looked:?}");
    let replaced = soon(handle.replace_state(|(): &()| ())).await;
    assert!(matches!(replaced, Err(InspectError::NotOffered)), "{replaced:?}");
}

#[tokio::test(start_paused = true)]
async fn state_of_what_lives_and_offers_none_is_not_offered() {
    let system = System::new();
    let task = counter(&Arc::default());
    let ractor = Child::ractor("echo", || (Echo, ()));
    let (task_handle, ractor_handle) = (task.address().handle(), ractor.address().handle());
    let nested = Supervisor::new("nested").child(task).child(ractor);
    let nested_handle = nested.handle().handle();
    let app = Supervisor::new("app").child(nested).start(&system).await.expect("it starts");
    for handle in [&app.handle(), &nested_handle, &task_handle, &ractor_handle] {
        offers_nothing(handle).await;
        handle.suspend().expect("it lives");
        offers_nothing(handle).await;
        handle.resume().expect("it lives");
    }
    assert!(matches!(app.supervisor().restart_child("nested").await, Err(ChildError::Running)));
    assert!(app.shutdown().await.is_clean());
    let gone = app.handle().get_state::<()>().await;
    assert!(matches!(gone, Err(InspectError::NoProcess)), "{gone:?}");
}

/// A supervisor refuses `replace_state`, and the drop of the refused closure panics.
#[tokio::test(start_paused = true)]
async fn look_whose_drop_panics_leaves_a_supervisor_alone() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let log = Log::default();
    let (_, app) = start(Supervisor::new("app").child(scripted("a", &log))).await;
    let bomb = Bomb;
    let replace = move |(): &()| {
        let _kept = &bomb;
    };
    let replaced = soon(app.handle().replace_state(replace)).await;
    assert!(replaced.is_err(), "{replaced:?}");
    assert_eq!(shape(app.supervisor()).await, ["a 1"]);
    assert!(app.shutdown().await.is_clean());
}
