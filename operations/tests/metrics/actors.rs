//! Starts, ends and states of actors.

use std::sync::mpsc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_operations::Metrics;
use perennial_supervision::{Backoff, Child, DynamicSupervisor, Shutdown, Supervisor};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn starts_and_ends_are_counted_by_actor_and_by_kind_of_reason() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let children = ["failing", "panicking"].map(|id| Child::new::<Unit>(id, true));
    let [failing, panicking] = [0, 1].map(|at: usize| children[at].address());
    let app = Supervisor::new("app").never_give_up().children(children).start(&system).await;
    let app = app.expect("it starts");
    for _ in 0..2 {
        failing.cast(Msg::Fail).expect("it is open");
        failing.call(Msg::Ping).await.expect("it answers");
    }
    panicking.cast(Msg::Panic).expect("it is open");
    panicking.call(Msg::Ping).await.expect("it answers");
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("actor_starts_total{actor=app}"), Some(1.0));
    assert_eq!(seen.value("actor_starts_total{actor=app/failing}"), Some(3.0));
    assert_eq!(seen.value("actor_starts_total{actor=app/panicking}"), Some(2.0));
    assert_eq!(seen.value("actor_ends_total{actor=app/failing,reason=failed}"), Some(2.0));
    assert_eq!(seen.value("actor_ends_total{actor=app/panicking,reason=panicked}"), Some(1.0));
    assert_eq!(seen.samples("recovery_seconds{actor=app/failing}").len(), 2);
    assert_eq!(Recorded::collect(&metrics).samples("recovery_seconds{actor=app/failing}").len(), 0);
    assert!(app.shutdown().await.is_clean());
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("actor_ends_total{actor=app/failing,reason=failed}"), Some(2.0));
    assert_eq!(seen.value("actor_ends_total{actor=app/failing,reason=shutdown}"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn actors_are_measured_by_state_until_they_are_closed() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let delayed = Child::new::<Unit>("delayed", true).backoff(Backoff::new(MINUTE, MINUTE));
    let address = delayed.address();
    let app = Supervisor::new("app").child(delayed).start(&system).await.expect("it starts");
    let state = |state: &str| {
        let seen = Recorded::collect(&metrics);
        seen.value(&format!("actors{{actor=app/delayed,state={state}}}")).expect("it is known")
    };
    assert_eq!(["running", "down", "starting"].map(state), [1.0, 0.0, 0.0]);
    address.cast(Msg::Fail).expect("it is open");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(["running", "down", "starting"].map(state), [0.0, 1.0, 0.0]);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(["running", "down", "starting"].map(state), [0.0, 0.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn children_of_a_dynamic_supervisor_are_counted_together() {
    let system = System::new();
    let users = DynamicSupervisor::new("users");
    let handle = users.handle();
    let app = Supervisor::new("app").child(users).start(&system).await.expect("it starts");
    // Also if the supervisor began before.
    let metrics = Metrics::of(&system);
    for id in ["ann", "bob", "eve"] {
        let child = Child::new::<Unit>(id, true);
        let user = child.address();
        handle.start_child(child).await.expect("it starts");
        user.call(Msg::Ping).await.expect("it answers");
    }
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("actor_starts_total{actor=app/users/*}"), Some(3.0));
    assert_eq!(seen.value("actors{actor=app/users/*,state=running}"), Some(3.0));
    assert_eq!(seen.value("messages_total{actor=app/users/*,outcome=handled}"), Some(3.0));
    assert!(app.shutdown().await.is_clean());
}

/// Its handler blocks its thread until it is released.
struct Stuck;

impl Actor for Stuck {
    type Msg = (mpsc::Sender<()>, mpsc::Receiver<()>);
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (begun, until): Self::Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        drop(begun);
        let _ = until.recv();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_incarnation_is_counted() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let child = Child::new::<Stuck>("stuck", ()).shutdown(Shutdown::BrutalKill);
    let stuck = child.address();
    let app = Supervisor::new("app").abandon_after(Duration::from_millis(20)).child(child);
    let app = app.start(&system).await.expect("it starts");
    let (release, until) = mpsc::channel();
    let (begins, begun) = mpsc::channel();
    stuck.cast((begins, until)).expect("it is open");
    let has_begun = tokio::task::spawn_blocking(move || begun.recv()).await.expect("it is waited for");
    assert!(has_begun.is_err(), "the handler has dropped it");
    drop(app.shutdown().await);
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("actors_abandoned_total{actor=app/stuck}"), Some(1.0));
    drop(release);
}
