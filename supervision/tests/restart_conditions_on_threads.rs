//! Conditions that block their thread: neither the supervisor nor another child waits for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use perennial_actors::ExitReason;
use perennial_supervision::{App, ChildError, ChildState, Supervisor, SupervisorHandle};

use crate::support::subject::{Msg, incarnation, scripted, secs, start, tell};

/// A condition that restarts once it is released.
struct Blocking {
    release: mpsc::Sender<()>,
    has_returned: Arc<AtomicBool>,
}

impl Blocking {
    fn new() -> (Self, impl Fn(&ExitReason) -> bool + Send + Sync + 'static) {
        let (release, gate) = mpsc::channel();
        let (gate, has_returned) = (Mutex::new(gate), Arc::new(AtomicBool::new(false)));
        let returned = has_returned.clone();
        let condition = move |_: &ExitReason| {
            // An error means that the sender was dropped.
            let _ = gate.lock().expect("not poisoned").recv();
            returned.store(true, Ordering::Release);
            true
        };
        (Self { release, has_returned }, condition)
    }
}

async fn state(app: &App<SupervisorHandle>, id: &str) -> ChildState {
    app.supervisor().which_child(id).await.expect("it is a child").state
}

async fn until_restarting(app: &App<SupervisorHandle>) {
    while state(app, "a").await != ChildState::Restarting {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn condition_that_blocks_holds_up_neither_the_supervisor_nor_a_sibling() {
    let (blocking, condition) = Blocking::new();
    let (a, b) = (scripted("a").restart_if(condition), scripted("b"));
    let (first, second) = (a.address(), b.address());
    let (_system, app) = start(Supervisor::new("app").intensity(5, secs(60)).child(a).child(b)).await;
    tell(&first, Msg::crash());
    until_restarting(&app).await;
    tell(&second, Msg::crash());
    assert_eq!(incarnation(&second).await, 2, "the sibling is restarted");
    assert_eq!(app.supervisor().restart_child("a").await, Err(ChildError::Restarting));
    assert_eq!(state(&app, "a").await, ChildState::Restarting, "the condition has not returned");
    blocking.release.send(()).expect("it waits");
    assert_eq!(incarnation(&first).await, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn child_that_is_terminated_while_its_condition_runs_does_not_come_back() {
    let (blocking, condition) = Blocking::new();
    let child = scripted("a").restart_if(condition);
    let address = child.address();
    let (_system, app) = start(Supervisor::new("app").child(child)).await;
    tell(&address, Msg::crash());
    until_restarting(&app).await;
    app.supervisor().terminate_child("a").await.expect("it is a child");
    blocking.release.send(()).expect("it waits");
    while !blocking.has_returned.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        assert_eq!(state(&app, "a").await, ChildState::Stopped);
    }
    assert!(app.supervisor().restart_child("a").await.is_ok());
    assert!(app.shutdown().await.is_clean());
}
