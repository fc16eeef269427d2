//! A panic whose payload panics as it is dropped is a panic like any other, wherever it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{Address, ExitReason, Reply, System};
use perennial_supervision::pool::{AttemptError, JobError, Pool};
use perennial_supervision::{
    App, Child, Probe, ReportKind, Restart, StartError, Supervisor, SupervisorHandle, SupervisorReport,
    TaskScope,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::support::bombs::{Msg, idler, incarnation, panic_with_a_bomb, tell};

async fn start(tree: Supervisor) -> App<SupervisorHandle> {
    tree.start(&System::new()).await.expect("it starts")
}

const fn is_a_panic(reason: &ExitReason) -> bool {
    matches!(reason, ExitReason::Panicked(_))
}

#[tokio::test(start_paused = true)]
async fn of_a_handler_it_restarts_the_child() {
    let child = idler("a", ());
    let address = child.address();
    let app = start(Supervisor::new("app").child(child)).await;
    let down = address.monitor();
    tell(&address, Msg::Do(|| panic_with_a_bomb()));
    assert_eq!(incarnation(&address).await, 2);
    assert!(is_a_panic(&down.await.reason));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn of_the_first_step_of_a_task_it_restarts_the_task_and_the_tree_starts() {
    let runs = Arc::new(AtomicU32::new(0));
    let count = runs.clone();
    let task = Child::task("a", move |ctx| {
        let run = count.fetch_add(1, Ordering::Relaxed);
        async move {
            if run == 0 {
                panic_with_a_bomb();
            }
            ctx.stopped().await;
            Ok(())
        }
    });
    let address = task.address();
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    let tree = Supervisor::new("app").child(task).child(idler("b", ()));
    let app = tree.start(&system).await.expect("it starts");
    while address.pid().is_none_or(|pid| pid.incarnation() < 2) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut ends = std::iter::from_fn(|| reports.try_next());
    let is_told = |report: SupervisorReport| matches!(report.kind, ReportKind::Terminated { reason } if is_a_panic(&reason));
    assert!(ends.any(is_told));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn of_a_call_of_a_task_it_is_a_start_that_fails() {
    let task = Child::task("a", |_| {
        if true {
            panic_with_a_bomb();
        }
        async { Ok(()) }
    });
    let started = Supervisor::new("app").child(task).start(&System::new()).await;
    assert!(matches!(started, Err(StartError::Failed(_))), "{:?}", started.is_ok());
}

#[tokio::test(start_paused = true)]
async fn of_a_task_of_a_scope_it_is_its_result() {
    let mut scope = TaskScope::start("scope", &System::new()).await.expect("a runtime");
    scope.spawn("a", async { panic_with_a_bomb() }).await.expect("it starts");
    scope.spawn("b", async { 7 }).await.expect("it starts");
    let results: Vec<Result<u32, ExitReason>> = scope.join_all().await;
    assert!(matches!(&results[..], [Err(reason), Ok(7)] if is_a_panic(reason)), "{results:?}");
}

/// A ractor actor that panics in the given callback.
struct ScriptedActor;

enum Order {
    Panic,
    Incarnation(Reply<u32>),
}

impl Actor for ScriptedActor {
    type Msg = Order;
    type State = u32;
    type Arguments = u32;

    async fn pre_start(&self, _: ActorRef<Order>, run: u32) -> Result<u32, ActorProcessingErr> {
        if run == 2 {
            panic_with_a_bomb();
        }
        Ok(run)
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        run: &mut u32,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Panic => panic_with_a_bomb(),
            Order::Incarnation(reply) => reply.send(*run),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Order>, _: &mut u32) -> Result<(), ActorProcessingErr> {
        panic_with_a_bomb()
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_callback_of_a_ractor_actor_it_restarts_the_child() {
    let runs = AtomicU32::new(1);
    let child = Child::ractor("a", move || match runs.fetch_add(1, Ordering::Relaxed) {
        3 => panic_with_a_bomb(),
        run => (ScriptedActor, run),
    });
    let address: Address<Order> = child.address();
    let app = start(Supervisor::new("app").intensity(5, Duration::from_secs(1)).child(child)).await;
    let down = address.monitor();
    address.cast(Order::Panic).expect("it is open");
    assert!(is_a_panic(&down.await.reason));
    // The second did not start, and the third could not be made.
    assert_eq!(address.call(Order::Incarnation).await.expect("it answers"), 4);
    let down = address.monitor();
    assert!(app.shutdown().await.is_clean());
    assert!(is_a_panic(&down.await.reason), "of its post_stop");
}

#[tokio::test(start_paused = true)]
async fn of_a_job_it_is_a_failure_of_its_worker() {
    for blocking in [false, true] {
        let work = |job: u32| match job {
            0 => panic_with_a_bomb(),
            job => Ok::<u32, std::io::Error>(job),
        };
        let pool = if blocking {
            Pool::from_blocking_fn("pool", 1, work)
        } else {
            Pool::from_fn("pool", 1, move |job: &u32| {
                let job = *job;
                async move { work(job) }
            })
        };
        let jobs = pool.handle();
        let app = pool.start(&System::new()).await.expect("it starts");
        let Err(JobError::Failed(failures)) = jobs.submit(0).await.expect("it is open").await else {
            panic!("it panicked")
        };
        let all =
            failures.iter().all(|one| matches!(one, AttemptError::WorkerEnded(reason) if is_a_panic(reason)));
        assert!(all && failures.len() == 3, "{failures:?}");
        assert_eq!(jobs.submit(7).await.expect("it is open").await.expect("it is done"), 7);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_question_to_a_child_it_is_an_answer_that_is_missed() {
    let probe = Probe::new(|_| panic_with_a_bomb()).period(Duration::from_secs(1)).failure_threshold(3);
    let child = idler("a", ()).probe(probe).restart(Restart::Permanent);
    let address = child.address();
    let app = start(Supervisor::new("app").intensity(100, Duration::from_secs(1)).child(child)).await;
    let down = address.monitor();
    assert!(matches!(down.await.reason, ExitReason::Shutdown(_) | ExitReason::Unresponsive));
    assert!(incarnation(&address).await > 1, "it is found to hang");
    assert!(app.shutdown().await.is_clean());
}
