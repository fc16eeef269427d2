//! Handler deadlines of tasks, which have no handlers: no tree has one.

use std::future::pending;
use std::num::NonZeroUsize;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_supervision::{
    ChangeError, Child, DynamicSupervisor, PartitionSupervisor, SpecError, StartChildErrorKind, StartError,
    Supervisor,
};

const SECOND: Duration = Duration::from_secs(1);

fn refused() -> SpecError {
    SpecError::HandlerDeadlineOfTask { id: "a".into() }
}

fn with_deadline() -> Child<std::convert::Infallible> {
    Child::task("a", |_| async { panic!("it is not called") }).handler_deadline(SECOND)
}

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_deadline_of_a_task_is_refused_before_any_child_starts() {
    let tree = || Supervisor::new("app").child(Supervisor::new("inner").child(with_deadline()));
    assert_eq!(tree().check(), Err(refused()));
    let started = tree().start(&System::new()).await.expect_err("it is not built");
    assert!(matches!(&started, StartError::Spec(error) if *error == refused()), "{started}");
    assert_eq!(refused().to_string(), "task \"a\" has a handler deadline, but no handlers");

    let partitions = PartitionSupervisor::new("parts", NonZeroUsize::MIN, |_| with_deadline());
    assert!(matches!(partitions.check(), Err(SpecError::HandlerDeadlineOfTask { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_task_with_a_handler_deadline_is_not_added_at_runtime() {
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let added = app.supervisor().start_child(with_deadline()).await.expect_err("it is not added");
    assert!(matches!(&added.kind, StartChildErrorKind::Spec(error) if *error == refused()), "{added}");
    let changed = app.supervisor().change(Supervisor::new("app").child(with_deadline())).await;
    assert_eq!(changed, Err(ChangeError::Spec(refused())));
    assert_eq!(app.supervisor().count_children().await.expect("it runs").specs, 0);
    assert!(app.shutdown().await.is_clean());

    let app = DynamicSupervisor::new("app").start(&System::new()).await.expect("it starts");
    let added = app.supervisor().start_child(with_deadline()).await.expect_err("it is not added");
    assert!(matches!(&added.kind, StartChildErrorKind::Spec(error) if *error == refused()), "{added}");
    assert!(app.shutdown().await.is_clean());
}

/// An actor may have a handler deadline. Its spec gives one to the task that runs under its id.
#[tokio::test(start_paused = true)]
async fn a_change_of_the_spec_gives_no_handler_deadline_to_a_task_that_runs() {
    let task = Child::task("a", |_| pending());
    let address = task.address();
    let app = Supervisor::new("app").child(task).start(&System::new()).await.expect("it starts");
    let before = (address.pid(), app.supervisor().get_childspec("a").await.expect("it is there"));
    for changed in [
        Supervisor::new("app").child(with_deadline()),
        Supervisor::new("app").child(Child::new::<Idle>("a", ()).handler_deadline(SECOND)),
    ] {
        let new = Child::new::<Idle>("new", ());
        let changed = app.supervisor().change(changed.child(new)).await;
        assert_eq!(changed, Err(ChangeError::Spec(refused())));
        let after = (address.pid(), app.supervisor().get_childspec("a").await.expect("it is there"));
        assert_eq!(after, before);
        assert_eq!(app.supervisor().count_children().await.expect("it runs").specs, 1, "nothing is added");
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_spec_does_not_make_an_actor_a_task() {
    let actor = Child::new::<Idle>("a", ());
    let address = actor.address();
    let app = Supervisor::new("app").child(actor).start(&System::new()).await.expect("it starts");
    let change = async |supervisor| app.supervisor().change(supervisor).await;
    assert_eq!(
        change(Supervisor::new("app").child(with_deadline())).await,
        Err(ChangeError::Spec(refused())),
        "the spec itself is invalid"
    );
    change(Supervisor::new("app").child(Child::task("a", |_| pending()))).await.expect("it changes");
    let actor = Child::new::<Idle>("a", ()).handler_deadline(SECOND);
    change(Supervisor::new("app").child(actor)).await.expect("it is still an actor");
    let policy = app.supervisor().get_childspec("a").await.expect("it is there");
    let deadline = policy.liveness.and_then(|liveness| liveness.handler_deadline);
    assert_eq!((deadline, address.pid().map(|pid| pid.incarnation())), (Some(SECOND), Some(1)));
    assert!(app.shutdown().await.is_clean());
}
