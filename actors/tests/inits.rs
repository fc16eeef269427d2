//! How a start ends: with a live actor, or with an error.

use std::sync::Arc;

use perennial_actors::{
    Address, ExitReason, LifecycleEvent, NoProcessError, ProcessState, SpawnError, System,
};

use crate::support::scripted_lifecycle::{LifecycleActor, Msg, Step, cast, plan, starting};

#[tokio::test(start_paused = true)]
async fn c119_an_init_that_fails_or_panics_is_a_start_that_failed_without_a_terminate() {
    for (deed, reason) in [
        (Step::Fail, "failed: invalid digit found in string"),
        (Step::Panic, "panicked: in init"),
        (Step::PanicAtOnce, "panicked: before init"),
    ] {
        let (mut plan, mut lines) = plan();
        plan.init = deed;
        let Err(SpawnError::Failed(failed)) = System::new().spawn::<LifecycleActor>(Arc::new(plan)).await
        else {
            panic!("{deed:?} lets no actor start")
        };
        assert_eq!(failed.to_string(), reason);
        assert!(lines.recv().await.is_none(), "nothing was written, and the writer is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn an_init_that_ignores_declines_to_start_without_a_terminate_and_is_no_failure() {
    let (mut plan, mut lines) = plan();
    plan.init = Step::Ignore;
    let Err(SpawnError::Failed(reason)) = System::new().spawn::<LifecycleActor>(Arc::new(plan)).await else {
        panic!("it does not start")
    };
    assert!(matches!(reason, ExitReason::Ignore));
    assert_eq!((reason.is_abnormal(), reason.to_string().as_str()), (false, "ignore"));
    assert!(lines.recv().await.is_none(), "nothing was written, and the writer is gone");
}

#[tokio::test(start_paused = true)]
async fn c119_an_actor_that_stops_itself_in_its_init_has_started_and_handles_nothing() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let patient = starting(&system, |plan| plan.init = Step::Stop("at once"));
    let (reason, lines) = patient.after(|address| cast(address, Msg::Note(1))).await;
    assert_eq!((reason.as_str(), lines), ("shutdown: at once", vec!["terminate: shutdown: at once".into()]));
    assert!(matches!(events.try_next(), Some(LifecycleEvent::Started { .. })));
}

/// This is how a start that takes too long is cancelled. The timeout belongs to the caller.
#[tokio::test(start_paused = true)]
async fn c120_a_stop_or_a_kill_ends_an_init_that_awaits_without_a_terminate() {
    type Ender = fn(&Address<Msg>) -> Result<(), NoProcessError>;
    let enders: [(Ender, &str); 2] =
        [(|address| address.stop(ExitReason::shutdown()), "shutdown"), (Address::kill, "killed")];
    for (end, expected) in enders {
        let mut patient = starting(&System::new(), |plan| plan.init = Step::Hang);
        patient.until("init hangs").await;
        let address = patient.address.clone();
        let (reason, lines) = patient.after(|address| end(address).expect("it lives")).await;
        assert_eq!((reason.as_str(), lines), (expected, vec![]));
        assert_eq!(address.state(), ProcessState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_do_not_disturb_an_init() {
    let mut patient = starting(&System::new(), |plan| plan.init = Step::Hang);
    patient.until("init hangs").await;
    cast(&patient.address, Msg::Note(1));
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(matches!(patient.address.state(), ProcessState::Alive(_)));
    assert_eq!(patient.after(|address| address.kill().expect("it lives")).await.1, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_before_the_init_lets_it_not_begin() {
    let patient = starting(&System::new(), |plan| plan.init = Step::Hang);
    let (reason, lines) = patient.after(|address| address.stop(ExitReason::Normal).expect("it is due")).await;
    assert_eq!((reason.as_str(), lines), ("normal", vec![]));
}
