//! The health of running trees.

use std::convert::Infallible;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, System};
use perennial_operations::{Health, HealthCheck, HealthStatus, NotLive, NotReady, ReadinessGate};
use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
use perennial_supervision::{Backoff, Child, ChildState, DynamicSupervisor, Restart, Shutdown, Supervisor};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

enum Msg {
    Crash,
    Ready,
}

/// An actor with a gate of its own, if it has the name of one.
struct Unit {
    terminate: Duration,
    _gate: Option<ReadinessGate>,
}

#[derive(Default)]
struct Setup {
    init: Duration,
    defers: bool,
    terminate: Duration,
    gate: Option<&'static str>,
}

impl Actor for Unit {
    type Msg = Msg;
    type Args = Setup;

    async fn init(setup: &Setup, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        sleep(setup.init).await;
        if setup.defers {
            ctx.defer_ready();
        }
        let gate = setup.gate.map(|name| ReadinessGate::new(ctx.system(), name));
        Ok(Self { terminate: setup.terminate, _gate: gate })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err("on purpose".into()),
            Msg::Ready => ctx.ready(),
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        sleep(self.terminate).await;
    }
}

fn unit(id: &'static str, setup: Setup) -> Child<Msg> {
    Child::new::<Unit>(id, setup)
}

fn crash(child: &Address<Msg>) {
    child.cast(Msg::Crash).map_err(drop).expect("it runs");
}

fn down(child: &str, state: ChildState) -> NotReady {
    NotReady::Down { child: child.into(), state }
}

#[tokio::test(start_paused = true)]
async fn tree_is_unready_while_a_child_that_matters_restarts() {
    let worker = unit("worker", Setup::default()).backoff(Backoff::new(SECOND, SECOND));
    let address = worker.address();
    let spare = unit("spare", Setup::default()).backoff(Backoff::new(SECOND, SECOND));
    let to_spare = spare.address();
    let app = Supervisor::new("app").never_give_up().child(worker).child(spare);
    let app = app.start(&System::new()).await.expect("it starts");
    let check = HealthCheck::of(&app).ignoring("app/spare");
    assert_eq!(check.check().await.status(), HealthStatus::Ready);

    crash(&address);
    crash(&to_spare);
    sleep(SECOND / 2).await;
    let health = check.check().await;
    assert_eq!(health.not_ready, [down("app/worker", ChildState::Restarting)]);
    assert!(health.is_live() && health.is_started());
    let all = Health::of(&app).await.not_ready;
    assert_eq!(all[1], down("app/spare", ChildState::Restarting));

    sleep(SECOND).await;
    assert_eq!(Health::of(&app).await.status(), HealthStatus::Ready);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn tree_is_started_once_its_last_child_is_ready() {
    let system = System::new();
    let check = HealthCheck::of_tree(&system, "app");
    assert_eq!(check.check().await.status(), HealthStatus::Starting);
    let slow = unit("slow", Setup { init: SECOND, ..Setup::default() });
    let deferring = unit("deferring", Setup { defers: true, ..Setup::default() });
    let address = deferring.address();
    let app = Supervisor::new("app").child(slow).child(deferring);
    let task = tokio::spawn({
        let system = system.clone();
        async move { app.start(&system).await.expect("it starts") }
    });
    for _ in 0..3 {
        sleep(SECOND).await;
        let health = check.check().await;
        assert_eq!((health.status(), health.is_live()), (HealthStatus::Starting, true));
    }
    address.cast(Msg::Ready).map_err(drop).expect("it runs");
    let app = task.await.expect("it does not panic");
    assert_eq!(check.check().await.status(), HealthStatus::Ready);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn tree_that_gives_up_is_not_live() {
    let worker = unit("worker", Setup::default());
    let address = worker.address();
    let app = Supervisor::new("app").child(worker).start(&System::new()).await.expect("it starts");
    let check = HealthCheck::of(&app);
    crash(&address);
    sleep(SECOND / 10).await;
    assert!(check.check().await.is_live());
    crash(&address);
    app.join().await;
    assert_eq!(check.check().await.not_live, [NotLive::GaveUp { tree: "app".into() }]);
    drop(app);
    assert_eq!(check.check().await.not_live, [NotLive::Ended { tree: "app".into() }]);
}

#[tokio::test(start_paused = true)]
async fn tree_that_stops_is_unready_and_its_snapshot_shows_what_has_not_stopped() {
    let slow = Setup { terminate: SECOND, ..Setup::default() };
    let slow = unit("slow", slow).shutdown(Shutdown::Timeout(SECOND * 3));
    let system = System::new();
    let app = Supervisor::new("app").child(slow).child(unit("quick", Setup::default()));
    let app = app.start(&system).await.expect("it starts");
    let stopping = app.clone();
    let report = tokio::spawn(async move { stopping.shutdown().await });
    sleep(SECOND / 4).await;

    let health = Health::of(&app).await;
    assert_eq!(health.not_ready, [down("app", ChildState::Stopping)]);
    assert!(health.is_live());
    let nodes = perennial_operations::Snapshot::take(&system).figures.trees;
    let states: Vec<_> = nodes.iter().map(|node| (&*node.id, node.state)).collect();
    let expected =
        [("app", ChildState::Stopping), ("slow", ChildState::Stopping), ("quick", ChildState::Stopped)];
    assert_eq!(states, expected);
    let stop = nodes[1].stop.expect("it is being stopped");
    assert!(!stop.killed);
    let left = stop.time_left.expect("its time is limited");
    assert!(left <= SECOND * 11 / 4 && left > SECOND * 2, "{left:?}");
    assert!(report.await.expect("it does not panic").is_clean());
    assert_eq!(Health::of(&app).await.not_live, [NotLive::Ended { tree: "app".into() }]);
}

struct Doubler;

impl Worker for Doubler {
    type Job = u64;
    type Output = u64;
    type Error = Infallible;
    type Args = ();

    async fn init((): &(), at: &WorkerContext) -> Result<Self, ExitReason> {
        at.set_ready(false);
        let at = at.clone();
        tokio::spawn(async move {
            sleep(SECOND).await;
            at.set_ready(true);
        });
        Ok(Self)
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, Infallible> {
        Ok(job * 2)
    }
}

#[tokio::test(start_paused = true)]
async fn pool_keeps_its_tree_unready_until_a_worker_is_ready() {
    let pool = Pool::<Doubler>::new("pool", 2, ());
    let app = Supervisor::new("app").child(pool).start(&System::new()).await.expect("it starts");
    let health = Health::of(&app).await;
    assert_eq!(health.not_ready, [NotReady::NoReadyWorker { pool: "app/pool".into() }]);
    sleep(SECOND * 2).await;
    assert!(Health::of(&app).await.is_ready());
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn dynamic_and_temporary_children_do_not_matter() {
    let sessions = DynamicSupervisor::new("sessions").never_give_up();
    let handle = sessions.handle();
    let temporary = unit("temporary", Setup::default()).restart(Restart::Temporary);
    let to_temporary = temporary.address();
    let app = Supervisor::new("app").child(sessions).child(temporary);
    let app = app.start(&System::new()).await.expect("it starts");
    let session = unit("session", Setup::default()).backoff(Backoff::new(SECOND, SECOND));
    let to_session = session.address();
    handle.start_child(session).await.expect("it starts");
    crash(&to_session);
    crash(&to_temporary);
    sleep(SECOND / 2).await;
    let session = app.tree().at(["sessions", "session"]).map(|node| node.state);
    assert_eq!(session, Some(ChildState::Restarting));
    assert!(Health::of(&app).await.is_ready());
    drop(app.shutdown().await);
}

#[tokio::test(start_paused = true)]
async fn gate_of_an_actor_is_gone_with_its_incarnation() {
    let worker = unit("worker", Setup { gate: Some("cache"), ..Setup::default() });
    let worker = worker.restart(Restart::Temporary);
    let address = worker.address();
    let app = Supervisor::new("app").child(worker).start(&System::new()).await.expect("it starts");
    assert_eq!(Health::of(&app).await.to_string(), "not ready: cache is closed");
    crash(&address);
    sleep(SECOND).await;
    assert!(Health::of(&app).await.is_ready());
    assert!(app.shutdown().await.is_clean());
}

/// The tree runs on a runtime whose only thread has left it, so it does not get to run.
#[test]
fn supervisor_that_does_not_get_to_run_is_not_live() {
    let hanging = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let inner = Supervisor::new("inner").child(unit("worker", Setup::default()));
    let app = hanging.block_on(Supervisor::new("app").child(inner).start(&System::new()));
    let app = app.expect("it starts");
    let runs = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let health = runs.block_on(async { timeout(SECOND, Health::of(&app)).await });
    let health = health.expect("it has a limit");
    let unresponsive = |path: &str| NotLive::Unresponsive { supervisor: path.into() };
    assert_eq!(health.not_live, [unresponsive("app"), unresponsive("app/inner")]);

    let health = hanging.block_on(Health::of(&app));
    assert!(health.is_live());
    assert!(hanging.block_on(app.shutdown()).is_clean());
}
