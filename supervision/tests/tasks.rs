//! Tasks as children: how they end, which are restarted, and how they are stopped.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use perennial_actors::{Address, Down, ExitReason, PanicLocations, ProcessState, System};
use perennial_supervision::{
    App, Child, Restart, Shutdown, ShutdownReport, Strategy, Supervisor, SupervisorHandle, TaskContext,
};
use tokio::sync::mpsc;

/// The lines that the tasks of a test send.
type TestProbe = mpsc::UnboundedReceiver<String>;

/// Returns a sender of lines and their receiver.
fn probe() -> (mpsc::UnboundedSender<String>, TestProbe) {
    mpsc::unbounded_channel()
}

async fn start(supervisor: Supervisor) -> App<SupervisorHandle> {
    supervisor.start(&System::new()).await.expect("it starts")
}

async fn next(probe: &mut TestProbe) -> String {
    probe.recv().await.expect("a sender is left")
}

fn said(probe: &mut TestProbe) -> Vec<String> {
    std::iter::from_fn(|| probe.try_recv().ok()).collect()
}

/// Returns the children that did not stop in time, and whether each was abandoned.
fn late(report: &ShutdownReport) -> Vec<(&str, bool)> {
    report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect()
}

/// Runs a temporary task to its end, which it must come to by itself.
async fn run<Fut>(f: impl Fn(TaskContext) -> Fut + Send + Sync + 'static) -> ExitReason
where
    Fut: Future<Output = Result<(), ExitReason>> + Send + 'static,
{
    let f = Arc::new(f);
    let task = Child::task("task", move |ctx| {
        let f = f.clone();
        async move {
            // Until its test watches it.
            tokio::time::sleep(Duration::from_millis(1)).await;
            f(ctx).await
        }
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task.restart(Restart::Temporary))).await;
    let reason = address.monitor().await.reason;
    assert!(app.shutdown().await.is_clean());
    reason
}

/// Says so when it is dropped.
struct Drops(mpsc::UnboundedSender<String>);

impl Drop for Drops {
    fn drop(&mut self) {
        // The test may have seen enough.
        let _ = self.0.send("dropped".to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_ends_with_what_it_returns() {
    assert!(matches!(run(|_| async { Ok(()) }).await, ExitReason::Normal));
    assert!(matches!(run(|_| async { Err(ExitReason::shutdown()) }).await, ExitReason::Shutdown(None)));
    let reason = run(|_| async { Err(io::Error::other("disk full").into()) }).await;
    let error = reason.error().and_then(|error| error.downcast_ref::<io::Error>());
    assert_eq!(error.map(ToString::to_string).as_deref(), Some("disk full"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_task_is_its_reason_with_its_place() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let task = Child::task("task", |_| async {
        tokio::task::yield_now().await;
        panic!("a bug")
    });
    let address = task.address();
    let tree = Supervisor::new("app").child(task.restart(Restart::Temporary));
    let app = tree.start(&system).await.expect("it starts");
    let Down { reason: ExitReason::Panicked(panic), .. } = address.monitor().await else {
        panic!("not a panic")
    };
    assert_eq!(panic.message, "a bug");
    assert!(panic.location.as_ref().is_some_and(|place| place.contains("tasks.rs")), "{panic}");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_task_drops_what_it_holds_replaces_the_reason() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as it goes");
        }
    }
    let task = Child::task("task", |_| async {
        let _bomb = Bomb;
        pending().await
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task)).await;
    tokio::task::yield_now().await;
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(down.await.reason.to_string(), "panicked: as it goes");
}

#[tokio::test(start_paused = true)]
async fn the_restart_type_and_the_reason_decide_which_task_is_called_again() {
    for (restart, fails, calls) in [
        (Restart::Permanent, false, 2),
        (Restart::Permanent, true, 2),
        (Restart::Transient, false, 1),
        (Restart::Transient, true, 2),
        (Restart::Temporary, true, 1),
    ] {
        let called = Arc::new(AtomicU32::new(0));
        let task = Child::task("task", {
            let called = called.clone();
            move |_| {
                // The first ends; any other stays.
                let first = called.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    match (first, fails) {
                        (false, _) => pending().await,
                        (true, false) => Ok(()),
                        (true, true) => Err(ExitReason::failed("on purpose")),
                    }
                }
            }
        });
        let address = task.address();
        let app = start(Supervisor::new("app").child(task.restart(restart))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(called.load(Ordering::Relaxed), calls, "{restart:?}, fails: {fails}");
        let alive = matches!(address.state(), ProcessState::Alive(_));
        assert_eq!(alive, calls == 2, "{restart:?}, fails: {fails}");
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_a_start_that_fails() {
    let calls = Arc::new(AtomicU32::new(0));
    let called = calls.clone();
    let task = Child::task("task", move |_| {
        assert!(called.fetch_add(1, Ordering::Relaxed) > 0, "not ready");
        pending()
    });
    let error =
        Supervisor::new("app").child(task).start(&System::new()).await.expect_err("it does not start");
    assert!(error.to_string().contains("panicked: not ready"), "{error}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_told_to_stop_is_dropped_at_its_next_await() {
    let (say, mut probe) = probe();
    let task = Child::task("task", move |_| {
        let say = say.clone();
        async move {
            let _drops = Drops(say.clone());
            say.send("runs".to_owned())?;
            pending().await
        }
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task.shutdown(Shutdown::Infinity))).await;
    assert_eq!(next(&mut probe).await, "runs");
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(said(&mut probe), ["dropped"], "before its supervisor was told");
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_asked_to_be_told_finishes_in_good_order() {
    let (say, mut probe) = probe();
    let task = Child::task("task", move |ctx| {
        let say = say.clone();
        async move {
            let _drops = Drops(say.clone());
            // To ask is enough; it need not listen yet.
            drop(ctx.stopped());
            say.send("runs".to_owned())?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let reason = ctx.stopped().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            say.send(format!("finished after {reason}"))?;
            Ok(())
        }
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task)).await;
    assert_eq!(next(&mut probe).await, "runs");
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(said(&mut probe), ["finished after shutdown", "dropped"]);
    assert!(
        matches!(down.await.reason, ExitReason::Shutdown(None)),
        "it ends for the reason that it was told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_told_may_end_for_a_reason_of_its_own() {
    let task = Child::task("task", |ctx| async move {
        ctx.stopped().await;
        Err(ExitReason::failed("could not save"))
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task)).await;
    tokio::task::yield_now().await;
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert_eq!(down.await.reason.to_string(), "failed: could not save");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_told_and_does_not_finish_in_time_is_killed() {
    let task = Child::task("task", |ctx| async move {
        let _asked = ctx.stopped();
        pending().await
    });
    let address = task.address();
    let tree = Supervisor::new("app").child(task.shutdown(Shutdown::Timeout(Duration::from_secs(3))));
    let app = start(tree).await;
    tokio::task::yield_now().await;
    let (down, began) = (address.monitor(), tokio::time::Instant::now());
    let report = app.shutdown().await;
    assert_eq!(late(&report), [("app/task", false)]);
    assert!(matches!(down.await.reason, ExitReason::Killed));
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_kill_drops_a_task_that_asked_to_be_told() {
    let (say, mut probe) = probe();
    let task = Child::task("task", move |ctx| {
        let say = say.clone();
        async move {
            let _drops = Drops(say.clone());
            say.send("runs".to_owned())?;
            ctx.stopped().await;
            Ok(())
        }
    });
    let address = task.address();
    let app = start(Supervisor::new("app").child(task)).await;
    assert_eq!(next(&mut probe).await, "runs");
    let down = address.monitor();
    address.kill().expect("it lives");
    assert!(matches!(down.await.reason, ExitReason::Killed));
    assert_eq!(next(&mut probe).await, "dropped");
    assert_eq!(next(&mut probe).await, "runs", "it is permanent");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_a_task_has_spawned_is_told_of_its_end() {
    let (say, mut probe) = probe();
    let task = Child::task("task", move |ctx| {
        let say = say.clone();
        async move {
            let stopped = ctx.stopped();
            tokio::spawn(async move { say.send(format!("told: {}", stopped.await)) });
            tokio::task::yield_now().await;
            Err(ExitReason::failed("on purpose"))
        }
    });
    let app = start(Supervisor::new("app").child(task.restart(Restart::Temporary))).await;
    assert_eq!(next(&mut probe).await, "told: failed: on purpose");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn every_incarnation_of_a_task_knows_its_own_number_and_its_system() {
    let (say, mut probe) = probe();
    let system = System::new();
    let task = Child::task("task", {
        let system = system.clone();
        move |ctx| {
            let (say, same) = (say.clone(), ctx.system() == &system);
            async move {
                say.send(format!("{} {same}", ctx.pid().incarnation()))?;
                if ctx.pid().incarnation() < 3 { Err(ExitReason::failed("again")) } else { pending().await }
            }
        }
    });
    let address = task.address();
    let tree = Supervisor::new("app").intensity(2, Duration::from_secs(1)).child(task);
    let app = tree.start(&system).await.expect("it starts");
    for expected in ["1 true", "2 true", "3 true"] {
        assert_eq!(next(&mut probe).await, expected);
    }
    assert_eq!(address.pid().map(|pid| pid.incarnation()), Some(3));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_stopped_and_started_with_its_group() {
    let (say, mut probe) = probe();
    let tasks = ["first", "second"].map(|id| {
        let say = say.clone();
        Child::task(id, move |ctx| {
            let say = say.clone();
            async move {
                say.send(format!("start {id}"))?;
                ctx.stopped().await;
                say.send(format!("stop {id}"))?;
                Ok(())
            }
        })
    });
    let addresses: Vec<Address<Infallible>> = tasks.iter().map(Child::address).collect();
    let app = start(Supervisor::new("app").strategy(Strategy::OneForAll).children(tasks)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(said(&mut probe), ["start first", "start second"]);
    addresses[0].kill().expect("it lives");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(said(&mut probe), ["stop second", "start first", "start second"]);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(said(&mut probe), ["stop second", "stop first"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_task_that_never_awaits_is_abandoned() {
    let ((begin, begun), (release, held)) = (blocking::channel(), blocking::channel::<()>());
    let held = Arc::new(std::sync::Mutex::new(held));
    let task = Child::task("task", move |_| {
        let (begin, held) = (begin.clone(), held.clone());
        async move {
            tokio::task::yield_now().await;
            begin.send(())?;
            // Until its test is over.
            let _ = held.lock().expect("not poisoned").recv();
            Ok(())
        }
    });
    let tree = Supervisor::new("app").abandon_after(Duration::ZERO);
    let app = start(tree.child(task.shutdown(Shutdown::BrutalKill))).await;
    tokio::task::spawn_blocking(move || begun.recv()).await.expect("it returns").expect("it runs");
    let report = app.shutdown().await;
    assert_eq!(late(&report), [("app/task", true)]);
    drop(release);
}
