//! Trees through the facade: starting, restarting, escalating, stopping.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use perennial::prelude::*;
use perennial::start::TreeError;
use perennial::{ChildError, ChildFailed, ChildState, SpecError, SupervisorHandle, Totals};
use tokio::sync::Notify;

/// What happened, in order, whoever did it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

enum Msg {
    End(ExitReason),
    Pid(Reply<u32>),
    /// Says that it has begun, then blocks its thread, without ever awaiting, until the channel says something.
    Hang(Arc<Notify>, mpsc::Receiver<()>),
}

/// How a unit behaves besides what it is told.
#[derive(Clone, Copy, Default, PartialEq)]
enum Habit {
    #[default]
    Plain,
    /// Its init fails from this incarnation on.
    FailsFrom(u32),
    /// Its init never returns from this incarnation on.
    HangsFrom(u32),
    /// It takes so long to stop.
    Lingers(Duration),
}

struct Unit(Args);

#[derive(Clone)]
struct Args {
    id: &'static str,
    log: Log,
    habit: Habit,
}

impl Actor for Unit {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match args.habit {
            Habit::FailsFrom(first) if ctx.pid().incarnation() >= first => {
                Err(ExitReason::failed("no such luck"))
            }
            Habit::HangsFrom(first) if ctx.pid().incarnation() >= first => std::future::pending().await,
            _ => {
                args.log.note(format!("start {}", args.id));
                Ok(Self(args.clone()))
            }
        }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::End(reason) => return Err(reason),
            Msg::Pid(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Hang(begun, until) => {
                begun.notify_one();
                let _ = until.recv();
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if let Habit::Lingers(time) = self.0.habit {
            tokio::time::sleep(time).await;
        }
        self.0.log.note(format!("stop {}", self.0.id));
    }
}

fn unit_that(id: &'static str, log: &Log, habit: Habit) -> Child<Msg> {
    Child::new::<Unit>(id, Args { id, log: log.clone(), habit })
}

fn unit(id: &'static str, log: &Log) -> Child<Msg> {
    unit_that(id, log, Habit::Plain)
}

async fn start(supervisor: Supervisor) -> (System, SupervisorHandle) {
    let system = System::new();
    let app = supervisor.start(&system).await.expect("it starts");
    (system, app)
}

async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Pid).await.expect("it answers")
}

fn crash() -> Msg {
    Msg::End(ExitReason::failed("on purpose"))
}

/// OTP cases 3 and 4.
#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    let log = Log::default();
    let inner = Supervisor::new("inner").child(unit("b", &log)).child(unit("c", &log));
    let tree = Supervisor::new("app").child(unit("a", &log)).child(inner).child(unit("d", &log));
    let (_, app) = start(tree).await;
    assert_eq!(log.take(), ["start a", "start b", "start c", "start d"]);
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop d", "stop c", "stop b", "stop a"]);
    assert!(report.is_clean() && matches!(report.reason, ExitReason::Shutdown(None)));
    assert!(matches!(app.join().await, ExitReason::Shutdown(None)));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_start_has_those_before_it_stopped_again() {
    let log = Log::default();
    let failing = unit_that("bad", &log, Habit::FailsFrom(1));
    let address = failing.address();
    let inner = Supervisor::new("inner").child(unit("b", &log)).child(failing).child(unit("never", &log));
    let system = System::new();
    let started = Supervisor::new("app").child(unit("a", &log)).child(inner).start(&system).await;
    let Err(TreeError::Failed(reason)) = started else { panic!("it does not start") };
    assert_eq!(log.take(), ["start a", "start b", "stop b", "stop a"]);
    let outer =
        reason.error().and_then(|error| error.downcast_ref::<ChildFailed>()).expect("the child is named");
    let inner = outer
        .reason
        .error()
        .and_then(|error| error.downcast_ref::<ChildFailed>())
        .expect("and the one below");
    assert_eq!((&*outer.child, &*inner.child), ("inner", "bad"));
    assert!(address.cast(crash()).is_err(), "nobody is due");
}

/// OTP cases 12 and 13.
#[tokio::test(start_paused = true)]
async fn a_wrong_spec_starts_nothing() {
    let (log, system) = (Log::default(), System::new());
    let twice = Supervisor::new("inner").child(unit("a", &log)).child(unit("a", &log));
    let started = Supervisor::new("app").child(unit("b", &log)).child(twice).start(&system).await;
    assert!(matches!(started, Err(TreeError::Spec(SpecError::DuplicateId { id, .. })) if &*id == "a"));
    let never =
        Supervisor::new("app").intensity(1, Duration::ZERO).child(unit("a", &log)).start(&system).await;
    assert!(matches!(never, Err(TreeError::Spec(SpecError::ZeroPeriod { .. }))));
    let late = unit("a", &log);
    let _address = late.address();
    let late = Supervisor::new("app").child(late.mailbox(Mailbox::unbounded())).start(&system).await;
    assert!(matches!(late, Err(TreeError::Spec(SpecError::MailboxTooLate { .. }))));
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_init_that_takes_too_long_is_a_start_that_failed() {
    let (log, system) = (Log::default(), System::new());
    let slow = unit_that("slow", &log, Habit::HangsFrom(1)).start_timeout(Duration::from_secs(3));
    let Err(TreeError::Failed(reason)) = Supervisor::new("app").child(slow).start(&system).await else {
        panic!("it does not start");
    };
    let failed =
        reason.error().and_then(|error| error.downcast_ref::<ChildFailed>()).expect("the child is named");
    assert!(matches!(failed.reason, ExitReason::StartTimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_nobody_waits_for_any_more_is_taken_back() {
    let (log, system) = (Log::default(), System::new());
    let tree =
        Supervisor::new("app").child(unit("a", &log)).child(unit_that("slow", &log, Habit::HangsFrom(1)));
    let given_up = tokio::time::timeout(Duration::from_secs(1), tree.start(&system)).await;
    assert!(given_up.is_err());
    while log.0.lock().expect("not poisoned").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.take(), ["start a", "stop a"]);
}

/// OTP cases 29, 33 and 38.
#[tokio::test(start_paused = true)]
async fn a_group_is_stopped_in_reverse_and_started_in_order() {
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["stop b", "start b"]),
        (Strategy::OneForAll, vec!["stop b", "stop c", "stop a", "start a", "start b", "start c"]),
        (Strategy::RestForOne, vec!["stop b", "stop c", "start b", "start c"]),
    ] {
        let log = Log::default();
        let middle = unit("b", &log);
        let (address, last) = (middle.address(), unit("c", &log));
        let end = last.address();
        let tree = Supervisor::new("app").strategy(strategy).child(unit("a", &log)).child(middle).child(last);
        let (system, app) = start(tree).await;
        log.take();
        address.cast(crash()).expect("it is served");
        assert_eq!(incarnation(&address).await, 2);
        incarnation(&end).await;
        assert_eq!(log.take(), expected, "{strategy:?}");
        assert_eq!(Totals::of(&system).restarts, 1, "a group counts once");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP cases 19 to 24.
#[tokio::test(start_paused = true)]
async fn the_restart_type_and_the_reason_decide_who_comes_back() {
    for (restart, reason, comes_back) in [
        (Restart::Permanent, ExitReason::Normal, true),
        (Restart::Permanent, ExitReason::shutdown(), true),
        (Restart::Transient, ExitReason::Normal, false),
        (Restart::Transient, ExitReason::shutdown_because("a note"), false),
        (Restart::Transient, ExitReason::Killed, true),
        (Restart::Temporary, ExitReason::failed("x"), false),
    ] {
        let child = unit("a", &Log::default()).restart(restart);
        let address = child.address();
        let (_, app) = start(Supervisor::new("app").child(child)).await;
        address.cast(Msg::End(reason.clone())).expect("it is served");
        let answer = address.call(Msg::Pid).await;
        assert_eq!(answer.is_ok(), comes_back, "{restart:?} after {reason}: {answer:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP cases 48 and 51.
#[tokio::test(start_paused = true)]
async fn a_supervisor_gives_up_at_one_restart_too_many_and_not_later() {
    let child = unit("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(2, Duration::from_secs(1)).child(child)).await;
    for n in 2..=3 {
        address.cast(crash()).expect("it is served");
        assert_eq!(incarnation(&address).await, n);
    }
    tokio::time::advance(Duration::from_millis(1001)).await;
    address.cast(crash()).expect("the first ones do not count any more");
    assert_eq!(incarnation(&address).await, 4);
    address.cast(crash()).expect("it is served");
    address.cast(crash()).expect("it is due");
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
    assert_eq!(Totals::of(&system).escalations, 1);
    assert!(address.cast(crash()).is_err());
}

/// OTP case 66, and what a transient supervisor does instead.
#[tokio::test(start_paused = true)]
async fn a_nested_supervisor_that_gives_up_comes_back_if_it_is_permanent_only() {
    for (restart, comes_back) in
        [(Restart::Permanent, true), (Restart::Transient, false), (Restart::Temporary, false)]
    {
        let child = unit("a", &Log::default());
        let address = child.address();
        let inner =
            Supervisor::new("inner").intensity(0, Duration::from_secs(1)).restart(restart).child(child);
        let (_, app) = start(Supervisor::new("app").child(inner)).await;
        address.cast(crash()).expect("it is served");
        let answer = address.call(Msg::Pid).await;
        assert_eq!(answer.ok(), comes_back.then_some(2), "{restart:?}");
        assert!(app.shutdown().await.is_clean());
    }
}

/// OTP case 55: retries go on until one succeeds or the intensity is exceeded.
#[tokio::test(start_paused = true)]
async fn a_restart_that_fails_is_tried_again_and_every_try_counts() {
    let child = unit_that("a", &Log::default(), Habit::FailsFrom(2));
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(3, Duration::from_secs(1)).child(child)).await;
    address.cast(crash()).expect("it is served");
    app.join().await;
    assert_eq!(Totals::of(&system).restarts, 3);
}

/// OTP cases 68, 70 and 71.
#[tokio::test(start_paused = true)]
async fn every_child_is_stopped_in_its_own_way_and_who_is_late_is_named() {
    let (log, long) = (Log::default(), Duration::from_secs(3600));
    let lingering = |id| unit_that(id, &log, Habit::Lingers(long));
    let tree = Supervisor::new("app")
        .child(lingering("patient").shutdown(Shutdown::Infinity))
        .child(
            Supervisor::new("inner")
                .child(lingering("late").shutdown(Shutdown::Timeout(Duration::from_secs(1)))),
        )
        .child(lingering("brutal").shutdown(Shutdown::BrutalKill));
    let (_, app) = start(tree).await;
    log.take();
    let report = app.shutdown().await;
    assert_eq!(log.take(), ["stop patient"]);
    let late: Vec<_> = report.stragglers.iter().map(|who| (&*who.path, who.abandoned)).collect();
    assert_eq!(late, [("app/inner/late", false)]);
}

#[tokio::test(start_paused = true)]
async fn a_tree_can_be_stopped_while_a_child_of_it_starts() {
    let log = Log::default();
    let child = unit_that("a", &log, Habit::HangsFrom(2));
    let address = child.address();
    let inner = Supervisor::new("inner").strategy(Strategy::OneForAll).child(unit("b", &log)).child(child);
    let (_, app) = start(Supervisor::new("app").child(inner)).await;
    let down = address.monitor();
    address.cast(crash()).expect("it is served");
    down.await;
    while app.tree().at(["inner", "a"]).expect("it is there").state != ChildState::Starting {
        tokio::task::yield_now().await;
    }
    assert!(app.shutdown().await.is_clean());
    assert_eq!(log.take(), ["start b", "start a", "stop a", "stop b", "start b", "stop b"]);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_by_hand_is_closed_and_opens_again_with_the_same_mailbox() {
    let child = unit("a", &Log::default());
    let address = child.address();
    let (system, app) = start(Supervisor::new("app").intensity(0, Duration::from_secs(1)).child(child)).await;
    for n in 2..=4 {
        app.terminate_child("a").await.expect("it is stopped");
        app.terminate_child("a").await.expect("it is stopped already");
        assert!(address.cast(crash()).is_err(), "nobody is due");
        app.restart_child("a").await.expect("it starts");
        assert_eq!(incarnation(&address).await, n);
    }
    assert!(matches!(app.restart_child("a").await, Err(ChildError::Running)));
    assert!(matches!(app.terminate_child("b").await, Err(ChildError::NotFound)));
    assert_eq!(Totals::of(&system).restarts, 0, "by hand does not count");
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(app.terminate_child("a").await, Err(ChildError::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_ids_states_and_restarts() {
    let log = Log::default();
    let child = unit("a", &log);
    let (address, resting) = (child.address(), unit("r", &log).restart(Restart::Transient));
    let rest = resting.address();
    let tree = Supervisor::new("app").child(Supervisor::new("inner").child(child)).child(resting);
    let (_, app) = start(tree).await;
    address.cast(crash()).expect("it is served");
    assert_eq!(incarnation(&address).await, 2);
    rest.cast(Msg::End(ExitReason::Normal)).expect("it is served");
    rest.call(Msg::Pid).await.expect_err("it has ended for good");
    let tree = app.tree();
    let shown: Vec<_> = tree.walk().map(|node| (&*node.id, node.state, node.restarts)).collect();
    assert_eq!(
        shown,
        [
            ("app", ChildState::Running, 0),
            ("inner", ChildState::Running, 0),
            ("a", ChildState::Running, 1),
            ("r", ChildState::Stopped, 0),
        ]
    );
    let drawn = tree.to_string();
    assert_eq!(drawn.lines().nth(2), Some("│  └─ a  running <3.2>, 1 restart"), "{drawn}");
    assert_eq!(drawn.lines().nth(3), Some("└─ r  stopped"), "{drawn}");
    assert!(app.shutdown().await.is_clean());
    assert!(app.tree().walk().all(|node| node.state == ChildState::Stopped));
}

/// OTP case 67 and 77.
#[tokio::test(start_paused = true)]
async fn a_killed_supervisor_is_gone_only_when_all_below_it_are() {
    let log = Log::default();
    let lingering = unit_that("deep", &log, Habit::Lingers(Duration::from_secs(2)));
    let address = lingering.address();
    let middle =
        Supervisor::new("middle").child(Supervisor::new("inner").child(lingering)).child(unit("b", &log));
    let (_, app) = start(Supervisor::new("app").child(middle)).await;
    log.take();
    let down = address.monitor();
    app.tree().at(["middle"]).expect("it is there").handle.kill().expect("it lives");
    down.await;
    assert_eq!(incarnation(&address).await, 2);
    app.tree().at(["middle", "b"]).expect("it is there").handle.pid().expect("it lives");
    // The worker of the killed one died at once; the supervisor below it stopped its own child in good order.
    assert_eq!(log.take()[..2], ["stop deep", "start deep"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_that_never_awaits_is_abandoned_and_its_mailbox_goes_on() {
    let child = unit("a", &Log::default()).shutdown(Shutdown::BrutalKill);
    let address = child.address();
    let tree = Supervisor::new("app").abandon_after(Duration::from_millis(20)).child(child);
    let (system, app) = start(tree).await;
    let ((go, hang), begun) = (mpsc::channel(), Arc::new(Notify::new()));
    address.cast(Msg::Hang(begun.clone(), hang)).expect("it is served");
    begun.notified().await;
    let waiting = tokio::spawn({
        let address = address.clone();
        async move { address.call(Msg::Pid).await }
    });
    while address.counters().queued != 2 {
        tokio::task::yield_now().await;
    }
    // Killed from outside it does not die. Its supervisor finds out when it stops it.
    let (stop, handle) = (app.terminate_child("a"), app.clone());
    stop.await.expect("it is given up");
    assert_eq!(Totals::of(&system).abandoned, 1);
    assert!(waiting.await.expect("it ends well").is_err(), "the mailbox was closed by hand");
    handle.restart_child("a").await.expect("the next incarnation starts beside it");
    assert_eq!(incarnation(&address).await, 2);
    go.send(()).expect("the old one still hangs");
    assert_eq!(incarnation(&address).await, 2, "the old one can do nothing more");
    let report = app.shutdown().await;
    assert_eq!(report.stragglers.iter().filter(|who| who.abandoned).count(), 1);
    assert!(address.counters().balanced());
}
