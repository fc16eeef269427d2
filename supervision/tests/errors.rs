//! Errors of a child that cannot be reached, of a runtime that cannot run a tree, and of a job that
//! is given back.

use std::error::Error;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{Actor, Address, CallError, Context, ExitReason, ProcessState, Reply, System};
use perennial_supervision::pool::{Failures, JobError, SubmitError};
use perennial_supervision::{
    Child, ChildError, ChildNotStarted, StartChildErrorKind, StartError, Supervised, Supervisor,
};
use tokio::runtime::Builder;

struct Clerk;

impl Actor for Clerk {
    type Msg = Reply<u32>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<u32>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(7);
        Ok(())
    }
}

async fn refusal(clerk: &Address<Reply<u32>>) -> String {
    clerk.call(|reply| reply).await.expect_err("it is not running").to_string()
}

#[tokio::test(start_paused = true)]
async fn a_child_is_not_running_before_its_start_and_while_it_is_stopped_and_has_ended_for_good_when_its_tree_is_dropped()
 {
    let child = Child::new::<Clerk>("clerk", ());
    let clerk = child.address();
    let of_type = "(message type Reply<u32>)";
    assert_eq!(refusal(&clerk).await, format!(r#"actor "clerk" is not running {of_type}"#));
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    assert_eq!(clerk.call(|reply| reply).await.expect("it runs"), 7);
    app.supervisor().terminate_child("clerk").await.expect("it is down");
    assert_eq!(refusal(&clerk).await, format!(r#"actor "app/clerk" is not running {of_type}"#));
    app.supervisor().restart_child("clerk").await.expect("it is up");
    assert_eq!(clerk.call(|reply| reply).await.expect("it runs again"), 7);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(refusal(&clerk).await, format!(r#"actor "app/clerk" is not running {of_type}"#));
    drop(app);
    assert_eq!(
        refusal(&clerk).await,
        format!(r#"actor "app/clerk" has stopped and will not be restarted {of_type}"#)
    );
}

#[test]
fn a_tree_is_not_started_on_a_runtime_without_timers() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let child = Child::new::<Clerk>("clerk", ());
    let clerk = child.address();
    let start = runtime.block_on(async { Supervisor::new("app").child(child).start(&System::new()).await });
    let error = start.map(drop).expect_err("there are no timers");
    assert!(matches!(error, StartError::NoTimers));
    assert_eq!(error.to_string(), "the tokio runtime was built without enable_time");
    assert_eq!(clerk.state(), ProcessState::Closed, "nothing of it runs");
}

#[test]
fn a_reason_keeps_no_job_that_a_pool_gave_back() {
    let job = Arc::new(());
    for error in [SubmitError::Full(job.clone()), SubmitError::Closed(job.clone())] {
        let said = format!("failed: {error}");
        let reason = ExitReason::from(error);
        assert_eq!(reason.to_string(), said);
        let ExitReason::Failed(failure) = &reason else { panic!("it failed") };
        assert!(failure.downcast_ref::<SubmitError<()>>().is_some());
    }
    assert_eq!(Arc::strong_count(&job), 1);
}

/// An actor whose init fails, and whose arguments keep a reply.
struct Failing;

impl Actor for Failing {
    type Msg = ();
    type Args = Mutex<Reply<u32>>;

    async fn init(_: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Err(ExitReason::failed("no such luck"))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// An actor that starts a child with the reply among its arguments, and fails if it cannot.
struct Starter;

impl Actor for Starter {
    type Msg = Reply<u32>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Reply<u32>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        let child = Child::new::<Failing>("child", Mutex::new(reply));
        let Some(supervisor) = ctx.supervisor() else { return Ok(()) };
        supervisor.start_child(child).await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_reason_keeps_no_spec_of_a_child_that_was_not_started() {
    let child = Child::new::<Starter>("starter", ());
    let (starter, system) = (child.address(), System::new());
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    let down = starter.monitor();
    let call = starter.call(|reply| reply).no_timeout();
    let told = tokio::time::timeout(Duration::from_secs(60), call.into_future()).await;
    assert!(matches!(told.expect("the caller is told"), Err(CallError::Ended(..))));
    let reason = down.await.reason;
    let said = r#"failed: child "child": the child did not start: failed: no such luck"#;
    assert_eq!(reason.to_string(), said);
    let ExitReason::Failed(failure) = &reason else { panic!("it failed") };
    let kept = failure.downcast_ref::<ChildNotStarted>().expect("it keeps why");
    assert!(matches!(kept.kind, StartChildErrorKind::Failed(_)));
    let source = kept.source().expect("it has a cause");
    assert_eq!(source.to_string(), "no such luck");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn errors_and_the_report_of_a_shutdown_can_be_compared() {
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let supervisor = app.supervisor();
    assert_eq!(supervisor.restart_child("clerk").await, Err(ChildError::NotFound));
    let report = app.shutdown().await;
    assert_eq!(report.reason, ExitReason::shutdown());
    assert_eq!(report, app.shutdown().await);
    let failed = || StartError::Failed(ExitReason::failed("no disk"));
    assert_eq!(failed(), failed());
    assert_ne!(failed(), StartError::Failed(ExitReason::failed("no room")));
    let none = Failures::<&str>::default();
    assert_ne!(JobError::Cancelled(none.clone()), JobError::Expired(none));
}
