//! Supervisors that are killed while many ask them for children, on several threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use perennial_actors::{ActorHandle, Address, System};
use perennial_supervision::{
    App, ChildSpec, DynamicSupervisor, StartChildError, StartChildErrorKind, Strategy, Supervisor,
    SupervisorHandle,
};
use tokio::task::JoinHandle;

use crate::support::worker::{Log, Msg, crash, tolerant, worker};

const CALLERS: usize = 4;
const CHILDREN: usize = 300;

/// Starts many children from several tasks at once. Returns all requested addresses once every
/// request is answered.
async fn start_many<S, F>(start: S) -> Vec<Address<Msg>>
where
    S: Fn(String, ChildSpec) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), StartChildError>> + Send,
{
    let callers: Vec<JoinHandle<Vec<Address<Msg>>>> = (0..CALLERS)
        .map(|caller| {
            let start = start.clone();
            tokio::spawn(async move {
                let mut asked = Vec::new();
                for n in 0..CHILDREN {
                    let id = format!("{caller}-{n}");
                    let child = worker(id.clone(), &Log::default());
                    asked.push(child.address());
                    match start(id, child.into()).await.map_err(|error| error.kind) {
                        // It was done, or it was interrupted by the end of the supervisor.
                        Ok(()) | Err(StartChildErrorKind::ShuttingDown | StartChildErrorKind::Failed(_)) => {}
                        Err(error) => panic!("no other child has that id: {error}"),
                    }
                }
                asked
            })
        })
        .collect();
    let mut asked = Vec::new();
    for caller in callers {
        asked.extend(caller.await.expect("it ends well"));
    }
    asked
}

/// Kills it again and again until that is over.
fn keep_killing(supervisor: ActorHandle, over: Arc<AtomicBool>) -> JoinHandle<u32> {
    tokio::spawn(async move {
        let mut killed = 0;
        while !over.load(Ordering::Relaxed) {
            let down = supervisor.monitor();
            if supervisor.kill().is_ok() {
                down.await;
                killed += 1;
            }
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        killed
    })
}

async fn assert_all_exited(system: &System, app: App<SupervisorHandle>, asked: Vec<Address<Msg>>) {
    assert!(app.shutdown().await.is_clean());
    assert_eq!(asked.len(), CALLERS * CHILDREN);
    assert!(asked.iter().all(|address| address.cast(crash()).is_err()), "no incarnation is due");
    assert!(system.processes().iter().all(|process| process.pid().is_none()), "no process is left");
    assert!(system.counters().is_balanced());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_supervisor_that_is_killed_again_and_again_are_answered_and_no_orphan_is_left() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll] {
        let (system, over) = (System::new(), Arc::new(AtomicBool::new(false)));
        let nested = Supervisor::new("nested").strategy(strategy);
        let handle = nested.handle();
        let app = tolerant("app").child(nested).start(&system).await.expect("it starts");
        let killer = keep_killing(handle.handle(), over.clone());
        let asked = start_many(move |id, child| {
            let handle = handle.clone();
            async move {
                handle.start_child(child).await?;
                let _ = handle.terminate_child(id).await;
                Ok(())
            }
        });
        let asked = asked.await;
        over.store(true, Ordering::Relaxed);
        assert!(killer.await.expect("it ends well") > 0);
        assert_all_exited(&system, app, asked).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_dynamic_supervisor_that_is_killed_again_and_again_are_answered_and_no_orphan_is_left() {
    let (system, over) = (System::new(), Arc::new(AtomicBool::new(false)));
    let pool = DynamicSupervisor::new("pool");
    let handle = pool.handle();
    let app = tolerant("app").child(pool).start(&system).await.expect("it starts");
    let killer = keep_killing(handle.handle(), over.clone());
    let asked = start_many(move |_, child| {
        let handle = handle.clone();
        async move { handle.start_child(child).await.map(drop) }
    });
    let asked = asked.await;
    over.store(true, Ordering::Relaxed);
    assert!(killer.await.expect("it ends well") > 0);
    assert_all_exited(&system, app, asked).await;
}
