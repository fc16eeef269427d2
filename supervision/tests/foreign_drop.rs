//! Users' values are dropped outside of supervisors' turns, under no lock, and under a guard: a
//! drop may panic, block, or call back.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use perennial_actors::{ExitReason, System};
use perennial_supervision::{
    App, Child, ChildState, DynamicSupervisor, Restart, Shutdown, Supervisor, SupervisorHandle, TaskScope,
    WeakDynamicHandle, WeakSupervisorHandle,
};

use crate::support::bombs::{Bomb, Fragile, Gate, Idler, Msg, Slow, idler, incarnation, tell};
use crate::support::threads::on_threads;

/// An error that takes long to drop.
#[derive(Debug)]
struct Heavy {
    _slow: Mutex<Slow>,
}

impl fmt::Display for Heavy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("heavy")
    }
}

impl Error for Heavy {}

/// An error that looks at the tree as it is dropped.
#[derive(Debug)]
struct Nosy(Arc<OnceLock<WeakSupervisorHandle>>);

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nosy")
    }
}

impl Error for Nosy {}

impl Drop for Nosy {
    fn drop(&mut self) {
        if let Some(supervisor) = self.0.get() {
            supervisor.look();
        }
    }
}

async fn start(tree: Supervisor) -> App<SupervisorHandle> {
    tree.start(&System::new()).await.expect("it starts")
}

/// Lets everything else run.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn args_that_panic_as_they_are_dropped_cost_the_tree_nothing() {
    let (bomb, steady) = (Bomb::new(), idler("steady", ()));
    let (dropped, steady_address) = (bomb.0.clone(), steady.address());
    let child = idler("a", bomb).restart(Restart::Temporary);
    let address = child.address();
    let app = start(Supervisor::new("app").child(steady)).await;
    app.supervisor().start_child(child).await.expect("it starts");
    let down = address.monitor();
    tell(&address, Msg::End(ExitReason::failed("on purpose")));
    assert!(matches!(down.await.reason, ExitReason::Failed(_)));
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "dropped with its spec");
    assert_eq!(incarnation(&steady_address).await, 1);
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn whatever_a_tree_was_given_may_panic_as_the_tree_goes() {
    let bomb = Bomb::new();
    let dropped = bomb.0.clone();
    let task = {
        let kept = bomb.clone();
        Child::task("task", move |ctx| {
            let held = kept.clone();
            async move {
                let _held = held;
                ctx.stopped().await;
                Ok(())
            }
        })
    };
    let tree = Supervisor::new("app")
        .child(idler("actor", bomb.clone()))
        .child(Supervisor::new("inner").child(idler("actor", bomb)))
        .child(task);
    let app = start(tree).await;
    let report = app.shutdown().await;
    assert!(matches!(report.reason, ExitReason::Shutdown(None)), "{report:?}");
    assert!(report.is_clean());
    drop(app);
    settle().await;
    // The args of two children, the closure of the task, and what its future held.
    assert_eq!(dropped.load(Ordering::Relaxed), 4);
}

#[test]
fn a_runtime_that_goes_takes_a_tree_of_bombs_with_it() {
    let bomb = Bomb::new();
    let dropped = bomb.0.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let kept = bomb.clone();
        let task = Child::task("task", move |ctx| {
            let held = kept.clone();
            async move {
                let _held = held;
                ctx.stopped().await;
                Ok(())
            }
        });
        start(Supervisor::new("app").child(idler("actor", bomb)).child(task)).await
    });
    drop(runtime);
    assert_eq!(dropped.load(Ordering::Relaxed), 3, "the args, the closure, and what the future held");
}

#[test]
fn args_that_take_long_to_drop_keep_no_supervisor_waiting() {
    on_threads(3, async {
        let (slow, gate) = Slow::new();
        let child = idler("a", Mutex::new(slow)).restart(Restart::Temporary);
        let address = child.address();
        let app = start(Supervisor::new("app")).await;
        app.supervisor().start_child(child).await.expect("it starts");
        tell(&address, Msg::End(ExitReason::Normal));
        answers_while(gate, &app).await;
    });
}

#[test]
fn an_error_that_takes_long_to_drop_keeps_no_supervisor_waiting() {
    on_threads(3, async {
        let (slow, gate) = Slow::new();
        let child = idler("a", ()).restart(Restart::Temporary);
        let address = child.address();
        let app = start(Supervisor::new("app")).await;
        app.supervisor().start_child(child).await.expect("it starts");
        tell(&address, Msg::End(ExitReason::failed(Heavy { _slow: Mutex::new(slow) })));
        // The mailbox keeps the reason, because it reports why it is closed.
        drop(address);
        answers_while(gate, &app).await;
    });
}

#[test]
fn a_task_that_leaves_much_to_drop_keeps_no_supervisor_waiting() {
    on_threads(3, async {
        let (slow, gate) = Slow::new();
        let slow = Mutex::new(slow);
        let task = Child::task("a", move |_| {
            let _kept = &slow;
            async { Ok(()) }
        });
        let app = start(Supervisor::new("app")).await;
        app.supervisor().start_child(task.restart(Restart::Temporary)).await.expect("it starts");
        answers_while(gate, &app).await;
    });
}

/// Checks that a supervisor answers while a value is being dropped.
async fn answers_while(gate: Gate, app: &App<SupervisorHandle>) {
    let gate = gate.begun().await;
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 0);
    drop(gate);
    assert!(app.shutdown().await.is_clean());
}

/// Looks at the tree as it is dropped.
struct Curious<H: Look>(Arc<OnceLock<H>>);

trait Look: Send + Sync + 'static {
    fn look(&self);
}

impl Look for WeakSupervisorHandle {
    fn look(&self) {
        if let Some(supervisor) = self.upgrade() {
            drop(supervisor.tree());
        }
    }
}

impl Look for WeakDynamicHandle {
    fn look(&self) {
        if let Some(supervisor) = self.upgrade() {
            drop(supervisor.tree());
        }
    }
}

impl<H: Look> Drop for Curious<H> {
    fn drop(&mut self) {
        if let Some(supervisor) = self.0.get() {
            supervisor.look();
        }
    }
}

#[test]
fn args_whose_drop_looks_at_the_tree_may_be_replaced_by_a_change() {
    on_threads(1, async {
        let root = Supervisor::new("app");
        let handle = Arc::new(OnceLock::from(root.handle().downgrade()));
        let app = start(root.child(idler("a", Curious(handle.clone())))).await;
        // The node of the new spec is not used, and a second one replaces the plan.
        for _ in 0..2 {
            let next = Supervisor::new("app").child(idler("a", Curious(handle.clone())));
            app.supervisor().change(next).await.expect("it is right");
        }
        assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 1);
        assert!(app.shutdown().await.is_clean());
    });
}

#[test]
fn args_whose_drop_looks_at_the_tree_may_go_with_a_supervisor_that_is_killed_and_restarted() {
    on_threads(1, async {
        let sessions = DynamicSupervisor::new("sessions");
        let handle = sessions.handle();
        let weak = Arc::new(OnceLock::from(handle.downgrade()));
        let app = start(Supervisor::new("app").child(sessions)).await;
        for _ in 0..10 {
            handle.start_child(idler("a", Curious(weak.clone()))).await.expect("it starts");
        }
        let (address, down) = (handle.handle(), handle.handle().monitor());
        address.kill().expect("it lives");
        down.await;
        while handle.count_children().await.expect("it comes back").specs > 0 {}
        assert!(handle.tree().children.is_empty());
        assert!(app.shutdown().await.is_clean());
    });
}

#[test]
fn a_reason_whose_drop_looks_at_the_tree_may_go_with_a_runtime() {
    on_threads(1, async {
        tokio::task::spawn_blocking(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let root = Supervisor::new("app");
                let handle = Arc::new(OnceLock::from(root.handle().downgrade()));
                // The engine keeps the reason for as long as it waits for a child that stops
                // slowly.
                let child = Child::task("a", |ctx| async move {
                    ctx.stopped().await;
                    pending().await
                });
                let app = start(root.child(child.shutdown(Shutdown::Infinity))).await;
                app.handle().stop(ExitReason::failed(Nosy(handle))).expect("it lives");
                settle().await;
                assert_eq!(app.tree().children[0].state, ChildState::Stopping);
                app
            });
            drop(runtime);
        })
        .await
        .expect("it does not get stuck");
    });
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_as_it_is_dropped_ends_and_restarts_a_child_like_any_other() {
    let (bomb, child) = (ManuallyDrop::new(Bomb::new()), idler("a", ()));
    let (dropped, address) = (bomb.0.clone(), child.address());
    let app = start(Supervisor::new("app").intensity(5, Duration::from_secs(1)).child(child)).await;
    for end in 1..=3 {
        tell(&address, Msg::End(ExitReason::failed(Fragile(Bomb::clone(&bomb)))));
        assert_eq!(incarnation(&address).await, end + 1);
    }
    assert!(app.shutdown().await.is_clean());
    drop((app, address));
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 3, "each of them, once");
}

#[tokio::test(start_paused = true)]
async fn results_of_a_scope_that_panic_as_they_are_dropped_harm_no_sibling() {
    let (bomb, system) = (ManuallyDrop::new(Bomb::new()), System::new());
    let dropped = bomb.0.clone();
    let mut scope = TaskScope::start("scope", &system).await.expect("a runtime");
    for _ in 0..5 {
        let result = Bomb::clone(&bomb);
        scope.spawn("a", async move { Some(result) }).await.expect("it starts");
    }
    scope.spawn("b", async { None }).await.expect("it starts");
    settle().await;
    drop(scope);
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 5, "each of them, by itself");
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_is_refused_comes_back_with_args_that_are_never_touched() {
    let bomb = Bomb::new();
    let dropped = bomb.0.clone();
    let app = start(Supervisor::new("app").child(idler("a", ()))).await;
    let refused = app.supervisor().start_child(idler("a", bomb)).await.expect_err("it is there");
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(refused);
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    let _ = Child::new::<Idler<()>>("never used", ());
    assert!(app.shutdown().await.is_clean());
}
