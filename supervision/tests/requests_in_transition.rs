//! Requests that meet a child while it is being started or stopped. They wait until that is over,
//! in order, as in OTP.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_supervision::{
    Child, ChildError, ChildStart, ChildState, DynamicSupervisor, StartChildError, StartChildErrorKind,
    Strategy, Supervisor, SupervisorHandle,
};
use tokio::time::{Instant, sleep};

use crate::support::unit;
use crate::support::unit::{
    InitStep, Log, Script, crash, end, incarnation, quiet, scripted, scripted_with, shape, soon, start,
};

const SECOND: Duration = Duration::from_secs(1);

fn tolerant() -> Supervisor {
    Supervisor::new("app").intensity(1_000_000, SECOND)
}

fn why(started: Result<ChildStart, StartChildError>) -> StartChildErrorKind {
    started.expect_err("it is refused").kind
}

/// A child that takes a second to start and fails, from its second incarnation to its fourth.
fn failing_slowly(log: &Log) -> Child<unit::Msg> {
    scripted_with(
        "a",
        log,
        |n| if (2..5).contains(&n) { InitStep::FailAfter(SECOND) } else { InitStep::Succeed },
    )
}

#[tokio::test(start_paused = true)]
async fn child_whose_retry_is_slow_and_fails_is_restarting_to_every_request() {
    let log = Log::default();
    let child = failing_slowly(&log);
    let address = child.address();
    let (_, app) = start(tolerant().child(child)).await;
    let supervisor = app.supervisor();
    end(&address, crash()).await;
    // The restart and two retries take a second each. Something is asked within each of them.
    for _ in 0..3 {
        sleep(SECOND / 2).await;
        let counts = supervisor.count_children().await.expect("it lives");
        assert_eq!((counts.specs, counts.active), (1, 0));
        let child = supervisor.which_child("a").await.expect("it is there");
        assert_eq!(child.state, ChildState::Restarting);
        let (started, restarted, deleted) = tokio::join!(
            supervisor.start_child(scripted("a", &log)),
            supervisor.restart_child("a"),
            supervisor.delete_child("a"),
        );
        assert!(matches!(why(started), StartChildErrorKind::AlreadyPresent));
        assert!(matches!(restarted, Err(ChildError::Restarting)));
        assert!(matches!(deleted, Err(ChildError::Restarting)));
    }
    assert_eq!(incarnation(&address).await, 5);
    assert!(matches!(supervisor.restart_child("a").await, Err(ChildError::Running)));
    assert_eq!(supervisor.count_children().await.expect("it lives").active, 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn member_of_a_group_whose_retry_is_slow_and_fails_is_restarting_to_every_look() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::default();
        let child = failing_slowly(&log);
        let address = child.address();
        let (_, app) = start(tolerant().strategy(strategy).child(child)).await;
        let supervisor = app.supervisor();
        end(&address, crash()).await;
        for _ in 0..3 {
            sleep(SECOND / 2).await;
            let counts = supervisor.count_children().await.expect("it lives");
            assert_eq!((counts.specs, counts.active), (1, 0), "{strategy:?}");
            let child = supervisor.which_child("a").await.expect("it is there");
            assert_eq!(child.state, ChildState::Restarting, "{strategy:?}");
            let restarted = supervisor.restart_child("a").await;
            assert!(matches!(restarted, Err(ChildError::Restarting)), "{strategy:?}");
        }
        assert_eq!(incarnation(&address).await, 5);
        assert_eq!(supervisor.count_children().await.expect("it lives").active, 1);
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn child_whose_retry_is_slow_and_succeeds_runs_to_the_requests_that_waited() {
    let log = Log::default();
    let child =
        scripted_with("a", &log, |n| if n == 2 { InitStep::SucceedAfter(SECOND) } else { InitStep::Succeed });
    let address = child.address();
    let (_, app) = start(tolerant().child(child).child(scripted("b", &log))).await;
    let supervisor = app.supervisor();
    end(&address, crash()).await;
    let begun = Instant::now();
    // A request for another child goes on.
    assert!(matches!(supervisor.restart_child("b").await, Err(ChildError::Running)));
    assert!(begun.elapsed() < SECOND);
    let (started, deleted) =
        tokio::join!(supervisor.start_child(scripted("a", &log)), supervisor.delete_child("a"));
    assert!(matches!(why(started), StartChildErrorKind::AlreadyStarted(pid) if Some(pid) == address.pid()));
    assert!(matches!(deleted, Err(ChildError::Running)));
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn second_start_child_of_an_id_starts_it_when_the_first_one_fails() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::default();
        let (_, app) = start(Supervisor::new("app").strategy(strategy)).await;
        let (first, second) =
            (scripted_with("a", &log, |_| InitStep::FailAfter(SECOND)), scripted("a", &log));
        let (failed, lives) = (first.address(), second.address());
        let (first, second) =
            tokio::join!(app.supervisor().start_child(first), app.supervisor().start_child(second));
        assert!(matches!(why(first), StartChildErrorKind::Failed(_)), "{strategy:?}");
        second.expect("the id is free");
        assert_eq!(incarnation(&lives).await, 1);
        assert!(failed.cast(unit::Msg::Panic).is_err(), "nothing is due to serve it");
        assert_eq!(shape(app.supervisor()).await, ["a 1"]);
        assert!(app.shutdown().await.is_clean());
    }
}

/// A child that takes a second to stop.
fn lingering(id: &str, log: &Log) -> Child<unit::Msg> {
    Script::new(id, log).with_slow_stop(SECOND).child()
}

#[tokio::test(start_paused = true)]
async fn requests_during_terminate_child_are_done_in_order_after_it() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let log = Log::default();
        let child = lingering("a", &log);
        let address = child.address();
        let (_, app) = start(tolerant().strategy(strategy).child(child)).await;
        let supervisor = app.supervisor();
        let (stopped, restarted, again, present, stopped_again, deleted, new) = tokio::join!(
            supervisor.terminate_child("a"),
            supervisor.restart_child("a"),
            supervisor.restart_child("a"),
            supervisor.start_child(scripted("a", &log)),
            supervisor.terminate_child("a"),
            supervisor.delete_child("a"),
            supervisor.start_child(scripted("a", &log)),
        );
        stopped.expect("it is stopped");
        assert!(matches!(restarted, Ok(ChildStart::Started(pid)) if pid.incarnation() == 2));
        assert!(matches!(again, Err(ChildError::Running)), "{strategy:?}");
        assert!(matches!(why(present), StartChildErrorKind::AlreadyStarted(_)), "{strategy:?}");
        stopped_again.expect("it is stopped");
        drop(deleted.expect("it is down"));
        new.expect("the id is free");
        assert_eq!(shape(supervisor).await, ["a 1"], "{strategy:?}: another one");
        assert!(address.cast(unit::Msg::Panic).is_err());
        assert!(app.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn requests_for_other_children_do_not_wait_for_one_that_is_being_stopped() {
    let log = Log::default();
    let (_, app) = start(tolerant().child(lingering("a", &log)).child(scripted("b", &log))).await;
    let (supervisor, begun) = (app.supervisor(), Instant::now());
    let others = async {
        supervisor.terminate_child("b").await.expect("it is stopped");
        supervisor.restart_child("b").await.expect("it starts");
        supervisor.start_child(scripted("c", &log)).await.expect("it starts");
        begun.elapsed()
    };
    let (stopped, others) = tokio::join!(supervisor.terminate_child("a"), others);
    stopped.expect("it is stopped");
    assert!(others < SECOND && begun.elapsed() >= SECOND);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn terminate_child_gets_through_an_init_that_hangs_whatever_waits_before_it() {
    let log = Log::default();
    let hangs = || scripted_with("a", &log, |_| InitStep::SucceedAfter(Duration::MAX));
    let (_, app) = start(tolerant()).await;
    let supervisor = app.supervisor();
    let stops = async {
        quiet().await;
        supervisor.terminate_child("a").await
    };
    let (first, second, restarted, stopped) = soon(async {
        tokio::join!(
            supervisor.start_child(hangs()),
            supervisor.start_child(hangs()),
            supervisor.restart_child("a"),
            stops,
        )
    })
    .await;
    assert!(matches!(why(first), StartChildErrorKind::Failed(reason) if !reason.is_abnormal()));
    assert!(matches!(why(second), StartChildErrorKind::Failed(reason) if !reason.is_abnormal()));
    assert!(matches!(restarted, Err(ChildError::NotFound)), "what start_child could not start is gone");
    assert!(matches!(stopped, Err(ChildError::NotFound)));
    assert_eq!(supervisor.count_children().await.expect("it lives").specs, 0);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn supervisor_that_stops_refuses_the_requests_that_wait() {
    let log = Log::default();
    let (_, app) = start(tolerant().child(lingering("a", &log))).await;
    let supervisor = app.supervisor();
    let report = async {
        quiet().await;
        app.shutdown().await
    };
    let (stopped, restarted, started, report) = tokio::join!(
        supervisor.terminate_child("a"),
        supervisor.restart_child("a"),
        supervisor.start_child(scripted("a", &log)),
        report,
    );
    stopped.expect("it was on its way");
    assert!(matches!(restarted, Err(ChildError::ShuttingDown)));
    assert!(matches!(why(started), StartChildErrorKind::ShuttingDown));
    assert!(report.is_clean());
    assert_eq!(log.take(), ["start a", "told a", "stop a: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn dynamic_start_beyond_the_limit_waits_for_a_child_that_is_being_stopped() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").max_children(1).start(&system).await.expect("it starts");
    let supervisor = app.supervisor();
    let first = supervisor.start_child(lingering("a", &log)).await.expect("it starts");
    let first = first.pid().expect("it has started");
    let refused = supervisor.start_child(scripted("b", &log)).await;
    assert!(matches!(why(refused), StartChildErrorKind::MaxChildren), "nothing is on its way out");
    let (stopped, second, third) = tokio::join!(
        supervisor.terminate_child(first),
        supervisor.start_child(scripted("b", &log)),
        supervisor.start_child(scripted("c", &log)),
    );
    stopped.expect("it is stopped");
    assert!(matches!(second, Ok(ChildStart::Started(_))), "it has the room of the first");
    assert!(matches!(why(third), StartChildErrorKind::MaxChildren));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn dynamic_start_beyond_the_limit_waits_for_a_start_that_fails() {
    let (log, system) = (Log::default(), System::new());
    let app = DynamicSupervisor::new("app").max_children(1).start(&system).await.expect("it starts");
    let supervisor = app.supervisor();
    let (first, second) = tokio::join!(
        supervisor.start_child(scripted_with("a", &log, |_| InitStep::FailAfter(SECOND))),
        supervisor.start_child(scripted("b", &log)),
    );
    assert!(matches!(why(first), StartChildErrorKind::Failed(_)));
    assert!(matches!(second, Ok(ChildStart::Started(_))));
    assert!(app.shutdown().await.is_clean());
}

/// An actor whose init asks its supervisor about the actor itself, and waits for the answer.
struct Circular;

impl Actor for Circular {
    type Msg = ();
    type Args = SupervisorHandle;

    async fn init(supervisor: &SupervisorHandle, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let asked = supervisor.restart_child("a").await;
        Err(ExitReason::failed(format!("it is answered: {asked:?}")))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn init_that_waits_for_a_request_about_itself_waits_until_its_start_timeout() {
    let (_, app) = start(tolerant()).await;
    let supervisor = app.supervisor();
    let child = Child::new::<Circular>("a", supervisor.clone()).start_timeout(SECOND);
    let begun = Instant::now();
    let refused = why(supervisor.start_child(child).await);
    assert!(matches!(refused, StartChildErrorKind::Failed(ExitReason::StartTimedOut)), "{refused}");
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert_eq!(supervisor.count_children().await.expect("it lives").specs, 0);
    assert!(app.shutdown().await.is_clean());
}

/// Trees, lists and counts tell the same of each child.
async fn agreed(supervisor: &SupervisorHandle) -> Vec<String> {
    let (tree, mut listed) = (supervisor.tree(), supervisor.which_children().await.expect("it lives"));
    listed.reverse();
    let listed: Vec<_> = listed.into_iter().map(|child| (child.id, child.state)).collect();
    let drawn: Vec<_> = tree.children.iter().map(|child| (child.id.clone(), child.state)).collect();
    assert_eq!(drawn, listed);
    let is_active = |state: &ChildState| {
        matches!(state, ChildState::Starting | ChildState::Running | ChildState::Stopping)
    };
    let active = listed.iter().filter(|(_, state)| is_active(state)).count();
    assert_eq!(supervisor.count_children().await.expect("it lives").active, active);
    listed.into_iter().map(|(id, state)| format!("{id} {state}")).collect()
}

#[tokio::test(start_paused = true)]
async fn tree_and_lists_and_counts_tell_one_state_of_a_child() {
    let log = Log::default();
    let b = scripted_with("b", &log, |n| match n {
        1 => InitStep::SucceedAfter(SECOND),
        2 | 3 => InitStep::FailAfter(SECOND),
        _ => InitStep::Succeed,
    });
    let (fails, last) = (b.address(), lingering("d", &log));
    let children = [scripted("a", &log), b, scripted("c", &log), last];
    let tree = tolerant().strategy(Strategy::RestForOne).children(children);
    let (supervisor, system) = (tree.handle(), System::new());
    let starting = tokio::spawn(async move { tree.start(&system).await });
    quiet().await;
    assert_eq!(agreed(&supervisor).await, ["a running", "b starting", "c waiting", "d waiting"]);
    let app = starting.await.expect("it ends well").expect("it starts");
    assert_eq!(agreed(&supervisor).await, ["a running", "b running", "c running", "d running"]);
    end(&fails, crash()).await;
    assert_eq!(agreed(&supervisor).await, ["a running", "b restarting", "c running", "d stopping"]);
    sleep(SECOND).await;
    assert_eq!(agreed(&supervisor).await, ["a running", "b restarting", "c waiting", "d waiting"]);
    sleep(3 * SECOND).await;
    assert_eq!(agreed(&supervisor).await, ["a running", "b running", "c running", "d running"]);
    supervisor.terminate_child("c").await.expect("it is stopped");
    assert_eq!(agreed(&supervisor).await, ["a running", "b running", "c stopped", "d running"]);
    drop(supervisor.delete_child("c").await.expect("it is down"));
    assert_eq!(agreed(&supervisor).await, ["a running", "b running", "d running"]);
    assert!(app.shutdown().await.is_clean());
}
