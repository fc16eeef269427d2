//! How an actor ends: what still runs, what is skipped, and which reason is reported.

use std::future::{Future, ready};

use perennial_actors::{
    Actor, Address, Context, DeadLetter, DeadLetterReason, ExitReason, NoProcessError, ProcessState,
    SendError, System, Unsent,
};
use tokio::sync::mpsc;

use crate::support::scripted_lifecycle::{Msg, Step, TestProbe, cast, started};

/// Starts an actor that does nothing special.
async fn patient() -> TestProbe {
    started(&System::new(), |_| {}).await
}

#[tokio::test(start_paused = true)]
async fn c136_a_stop_runs_terminate_with_its_reason() {
    let patient = patient().await;
    let stop = |address: &Address<Msg>| address.stop(ExitReason::shutdown_with("tea")).expect("it lives");
    let (reason, lines) = patient.after(stop).await;
    assert_eq!((reason.as_str(), lines), ("shutdown: tea", vec!["terminate: shutdown: tea".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_stop_acts_before_queued_messages() {
    let (_, lines) = patient()
        .await
        .after(|address| {
            cast(address, Msg::Note(1));
            address.stop(ExitReason::Normal).expect("it lives");
        })
        .await;
    assert_eq!(lines, ["terminate: normal"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_for_an_abnormal_reason_does_not_lose_the_message_in_flight() {
    let mut patient = patient().await;
    let address = patient.address.clone();
    cast(&address, Msg::Note(1));
    patient.until("note 1").await;
    let (reason, _) =
        patient.after(|address| address.stop(ExitReason::failed("ill")).expect("it lives")).await;
    assert_eq!(reason, "failed: ill");
    let counters = address.counters();
    assert_eq!((counters.handled, counters.lost_in_flight), (1, 0));
}

/// OTP case 115.
#[tokio::test(start_paused = true)]
async fn a_kill_skips_terminate_and_queued_messages() {
    let (reason, lines) = patient()
        .await
        .after(|address| {
            cast(address, Msg::Note(1));
            address.kill().expect("it lives");
        })
        .await;
    assert_eq!((reason.as_str(), lines), ("killed", vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_kill_acts_inside_a_handler_that_awaits() {
    let mut patient = patient().await;
    let address = patient.address.clone();
    cast(&address, Msg::Do(Step::Hang));
    patient.until("handle hangs").await;
    let (reason, lines) = patient.after(|address| address.kill().expect("it lives")).await;
    assert_eq!((reason.as_str(), lines), ("killed", vec![]));
    assert_eq!(address.counters().lost_in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_handler() {
    let mut patient = patient().await;
    cast(&patient.address, Msg::Do(Step::Hang));
    patient.until("handle hangs").await;
    patient.address.stop(ExitReason::Normal).expect("it lives");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(matches!(patient.address.state(), ProcessState::Alive(_)));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_handled_when_the_kill_came_is_not_lost() {
    // This holds also when the actor was about to yield to other tasks.
    for messages in [1, 127, 128, 129, 256] {
        let patient = patient().await;
        let address = patient.address.clone();
        let kill = |address: &Address<Msg>| {
            (1..messages).for_each(|n| cast(address, Msg::Note(n)));
            cast(address, Msg::Do(Step::Kill));
        };
        assert_eq!(patient.after(kill).await.0, "killed");
        let counters = address.counters();
        assert_eq!((counters.handled, counters.lost_in_flight), (u64::from(messages), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_handler_that_returned_a_normal_end_is_handled_however_terminate_ends() {
    for (terminate, expected) in [
        (Step::Nothing, "normal"),
        (Step::Panic, "panicked: in terminate"),
        (Step::PanicAtOnce, "panicked: before terminate"),
        (Step::Hang, "killed"),
    ] {
        let mut patient = started(&System::new(), |plan| plan.terminate = terminate).await;
        let address = patient.address.clone();
        let down = address.monitor();
        cast(&address, Msg::Do(Step::EndNormally));
        patient.until("terminate: normal").await;
        if terminate == Step::Hang {
            patient.until("terminate hangs").await;
            address.kill().expect("it lives");
        }
        assert_eq!(down.await.reason.to_string(), expected);
        let counters = address.counters();
        assert_eq!((counters.handled, counters.lost_in_flight), (1, 0), "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_an_actor_after_its_terminate() {
    let (reason, lines) = patient().await.after(|address| cast(address, Msg::Do(Step::Fail))).await;
    assert_eq!(reason, "failed: invalid digit found in string");
    assert_eq!(lines, ["terminate: failed: invalid digit found in string"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_only_its_own_actor_after_its_terminate() {
    let system = System::new();
    let neighbour = started(&system, |_| {}).await;
    let patient = started(&system, |_| {}).await;
    let (reason, lines) = patient.after(|address| cast(address, Msg::Do(Step::Panic))).await;
    assert_eq!(
        (reason.as_str(), lines),
        ("panicked: in handle", vec!["terminate: panicked: in handle".into()])
    );
    assert!(matches!(neighbour.address.state(), ProcessState::Alive(_)));
}

#[tokio::test(start_paused = true)]
async fn c132_a_panic_in_terminate_replaces_the_reason() {
    for (deed, message) in [(Step::Panic, "in terminate"), (Step::PanicAtOnce, "before terminate")] {
        let patient = started(&System::new(), |plan| plan.terminate = deed).await;
        let (reason, _) = patient.after(|address| address.stop(ExitReason::Normal).expect("it lives")).await;
        assert_eq!(reason, format!("panicked: {message}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_state_is_dropped_replaces_the_reason() {
    let patient = started(&System::new(), |plan| plan.drop = Step::Panic).await;
    let (reason, lines) = patient.after(|address| address.stop(ExitReason::Normal).expect("it lives")).await;
    assert_eq!((reason.as_str(), lines), ("panicked: in drop", vec!["terminate: normal".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_a_terminate_that_hangs() {
    let mut patient = started(&System::new(), |plan| plan.terminate = Step::Hang).await;
    patient.address.stop(ExitReason::Normal).expect("it lives");
    patient.until("terminate: normal").await;
    patient.until("terminate hangs").await;
    let (reason, _) = patient.after(|address| address.kill().expect("it lives")).await;
    assert_eq!(reason, "killed");
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_stops_itself_has_handled_the_message_whatever_the_reason() {
    for (deed, reason) in [(Step::Stop("done"), "shutdown: done"), (Step::StopAbnormally, "failed: enough")] {
        let patient = patient().await;
        let address = patient.address.clone();
        let end = |address: &Address<Msg>| {
            cast(address, Msg::Do(deed));
            cast(address, Msg::Note(1));
        };
        assert_eq!(patient.after(end).await, (reason.into(), vec![format!("terminate: {reason}")]));
        let counters = address.counters();
        assert_eq!((counters.handled, counters.lost_in_flight, counters.dead_lettered), (1, 0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn c128_c136_an_actor_that_has_ended_is_closed_to_messages_stops_and_kills() {
    let patient = patient().await;
    let address = patient.address.clone();
    patient.after(|address| address.stop(ExitReason::Normal).expect("it lives")).await;
    assert_eq!((address.state(), address.pid()), (ProcessState::Closed, None));
    assert!(matches!(
        address.cast(Msg::Note(1)),
        Err(SendError::Closed(Unsent { message: Msg::Note(1), .. }))
    ));
    assert!(matches!(address.send(Msg::Note(2)).await.map_err(SendError::into_inner), Err(Msg::Note(2))));
    assert_eq!(address.stop(ExitReason::Normal), Err(NoProcessError));
    assert_eq!(address.kill(), Err(NoProcessError));
}

#[tokio::test(start_paused = true)]
async fn queued_messages_become_dead_letters_when_the_actor_ends() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let patient = started(&system, |_| {}).await;
    let pid = patient.address.pid().expect("it lives");
    patient
        .after(|address| {
            [Msg::Do(Step::Fail), Msg::Note(1), Msg::Note(2)].into_iter().for_each(|msg| cast(address, msg));
        })
        .await;
    let first = dead_letters.next().await.expect("the message in flight");
    assert_eq!((first.target, first.message_type), (pid, std::any::type_name::<Msg>()));
    assert!(first.label.ends_with("LifecycleActor"), "{}", first.label);
    assert!(matches!(first.reason, DeadLetterReason::InFlight(ExitReason::Failed(_))));
    for _ in 0..2 {
        let letter = dead_letters.next().await.expect("one that waited");
        assert!(matches!(letter.reason, DeadLetterReason::Unhandled(ExitReason::Failed(_))));
    }
    assert!(dead_letters.try_next().is_none());
}

/// A message that panics when it is dropped, and an actor that never handles it.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("it explodes");
    }
}

struct Sapper;

impl Actor for Sapper {
    type Msg = Mine;
    type Args = ();

    fn init(_: &(), ctx: &mut Context<Self>) -> impl Future<Output = Result<Self, ExitReason>> + Send {
        ctx.stop(ExitReason::Normal);
        ready(Ok(Self))
    }

    async fn handle(&mut self, _: Mine, _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn messages_and_hooks_that_panic_at_an_exit_do_not_stop_its_notifications() {
    let system = System::new();
    let mut dead_letters = system.subscribe::<DeadLetter>();
    let sapper = system.spawn::<Sapper>(()).detach().expect("there is a runtime");
    let (tell, mut told) = mpsc::unbounded_channel();
    assert!(sapper.handle().on_close(|| panic!("the hook breaks")));
    assert!(sapper.handle().on_close(move || tell.send(()).expect("the test waits")));
    [Mine, Mine].into_iter().for_each(|mine| sapper.cast(mine).expect("it is open"));
    assert!(matches!(sapper.monitor().await.reason, ExitReason::Normal));
    assert!(told.try_recv().is_ok(), "the other hook has run before");
    assert_eq!(std::iter::from_fn(|| dead_letters.try_next()).count(), 2);
    assert!(sapper.counters().is_balanced());
}
