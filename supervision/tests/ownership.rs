//! Each identity of a child has one owner, and is open only with its name.

use perennial_actors::{ExitReason, System};
use perennial_registry::{Name, Registry, Whereis};
use perennial_supervision::{
    App, Backoff, Child, DynamicSupervisor, StartChildErrorKind, Strategy, SupervisionStats, Supervisor,
    SupervisorHandle,
};

use crate::support::worker;
use crate::support::worker::{
    HOUR, InitStep, Log, Msg, SECOND, Script, crash, end, exit_of, incarnation, pid, quiet, shown, soon,
    start, tolerant, tree_exit, worker,
};

const NAMED: Name<Msg> = Name::new("named");

/// A supervisor below a root that restarts it as often as it takes.
async fn below(nested: Supervisor) -> (System, App<SupervisorHandle>, SupervisorHandle) {
    let handle = nested.handle();
    let (system, app) = start(tolerant("app").child(nested)).await;
    (system, app, handle)
}

async fn kill(supervisor: &SupervisorHandle) {
    let down = supervisor.handle().monitor();
    supervisor.handle().kill().expect("it lives");
    soon(down).await;
    quiet().await;
}

async fn listed(supervisor: &SupervisorHandle) -> Vec<String> {
    shown(&supervisor.which_children().await.expect("it lives"))
}

/// A supervisor whose named child was stopped, and another actor has its name. It is restarted
/// after a minute each time.
async fn robbed(strategy: Strategy) -> (System, App<SupervisorHandle>, SupervisorHandle, Child<Msg>) {
    let log = Log::default();
    let nested = Supervisor::new("nested").strategy(strategy).backoff(Backoff::new(SECOND, SECOND));
    let nested = nested.child(worker("a", &log).named(NAMED)).child(worker("b", &log));
    let (system, app, handle) = below(nested).await;
    handle.terminate_child("a").await.expect("it is stopped");
    (system, app, handle, worker("robber", &log).named(NAMED))
}

#[tokio::test(start_paused = true)]
async fn child_whose_name_is_taken_fails_to_start_until_it_has_its_name() {
    let (system, app, handle, robber) = robbed(Strategy::OneForOne).await;
    let other = Supervisor::new("other").child(robber).start(&system).await.expect("the name is free");
    handle.handle().kill().expect("it lives");
    tokio::time::sleep(10 * SECOND).await;
    assert!(SupervisionStats::of(&system).restarts >= 9, "every attempt has failed");
    let a = handle.tree().at(["a"]).expect("it is of the spec").handle.clone();
    assert!(a.pid().is_none(), "it does not run without its name");
    assert!(other.shutdown().await.is_clean());
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(listed(&handle).await, ["b running", "a running"]);
    assert_eq!(system.whereis(NAMED).expect("it has its name again").pid(), a.pid());
    assert!(app.shutdown().await.is_clean());
    assert!(system.whereis(NAMED).is_err());
}

/// The same where the child is started with its group.
#[tokio::test(start_paused = true)]
async fn member_of_a_group_whose_name_is_taken_fails_to_start_until_its_supervisor_gives_up() {
    let log = Log::default();
    let (a, b) = (worker("a", &log).named(NAMED), worker("b", &log));
    let (robbed, crashes) = (a.address(), b.address());
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).intensity(5, HOUR).child(a).child(b);
    let (system, app) = start(tree).await;
    app.supervisor().terminate_child("a").await.expect("it is stopped");
    let robber = worker("robber", &log).named(NAMED);
    let other = Supervisor::new("other").child(robber).start(&system).await.expect("the name is free");
    log.take();
    end(&crashes, ExitReason::failed("on purpose")).await;
    assert_eq!(tree_exit(&app).await, "shutdown: reached the maximum restart intensity");
    assert_eq!(log.take(), ["stop b: failed: on purpose"], "nothing was started without its name");
    assert!(robbed.cast(crash()).is_err() && crashes.cast(crash()).is_err());
    assert_eq!(SupervisionStats::of(&system).restarts, 5);
    assert!(system.whereis(NAMED).is_ok(), "the name was left to the one that has it");
    assert!(other.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn nested_supervisor_with_a_taken_name_below_it_leaves_nothing_open() {
    let log = Log::default();
    let (free, taken) = (Name::new("free"), worker("y", &log).named(NAMED));
    let first = worker("x", &log).named(Name::new("free"));
    let address = first.address();
    let nested = Supervisor::new("nested").child(first).child(taken);
    let (system, app, handle) = below(nested).await;
    app.supervisor().terminate_child("nested").await.expect("it is stopped");
    let robber = worker("robber", &log).named(NAMED);
    app.supervisor().start_child(robber).await.expect("the name is free");
    for _ in 0..3 {
        app.supervisor().restart_child("nested").await.expect_err("the name is taken");
        assert!(address.cast(crash()).is_err(), "nothing is due to serve it");
        assert!(system.whereis::<Msg>(&free).is_err(), "a name does not stay bound");
        assert!(handle.handle().pid().is_none());
    }
    app.supervisor().terminate_child("robber").await.expect("it is stopped");
    app.supervisor().restart_child("nested").await.expect("the name is free");
    assert_eq!(system.whereis(&free).expect("it is bound").pid(), address.pid());
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_that_replaced_one_of_the_spec_goes_with_its_supervisor() {
    for killed in [true, false] {
        let log = Log::default();
        let (original, other) = (worker("a", &log), worker("b", &log));
        let (first, crashes) = (original.address(), other.address());
        let nested = Supervisor::new("nested").intensity(0, SECOND).child(original).child(other);
        let (_, app, handle) = below(nested).await;
        handle.terminate_child("a").await.expect("it is stopped");
        drop(handle.delete_child("a").await.expect("it is down"));
        let replacement = worker("a", &log);
        let second = replacement.address();
        handle.start_child(replacement).await.expect("the id is free");
        let down = second.monitor();
        if killed {
            kill(&handle).await;
        } else {
            end(&crashes, ExitReason::failed("on purpose")).await;
        }
        exit_of(down).await;
        quiet().await;
        assert!(second.cast(crash()).is_err(), "killed: {killed}. Nothing is due to serve it");
        assert_eq!(exit_of(second.monitor()).await, ExitReason::NoProcess.to_string());
        assert_eq!(incarnation(&first).await, 2, "the spec's own is back, as in OTP");
        assert_eq!(listed(&handle).await, ["b running", "a running"]);
        assert!(app.shutdown().await.is_clean());
    }
}

/// A child that was deleted and runs elsewhere: it, its new tree, and its old one.
struct Given {
    system: System,
    old: App<SupervisorHandle>,
    handle: SupervisorHandle,
    new: App<SupervisorHandle>,
    address: perennial_actors::Address<Msg>,
}

async fn given() -> Given {
    let log = Log::default();
    let child = worker("a", &log).named(NAMED);
    let address = child.address();
    let nested = Supervisor::new("nested").child(worker("first", &log)).child(child);
    let (system, old, handle) = below(nested.child(worker("last", &log))).await;
    handle.terminate_child("a").await.expect("it is stopped");
    let spec = handle.delete_child("a").await.expect("it is down");
    let new = Supervisor::new("new").child(spec).start(&system).await.expect("it starts");
    assert_eq!(incarnation(&address).await, 2);
    Given { system, old, handle, new, address }
}

impl Given {
    async fn is_well(&self) {
        let found = self.system.whereis(NAMED).expect("it has its name");
        assert_eq!((pid(&found).await, incarnation(&found).await), (pid(&self.address).await, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn deleted_child_that_runs_elsewhere_is_not_touched_when_its_old_tree_stops() {
    let given = given().await;
    assert!(given.old.shutdown().await.is_clean());
    given.is_well().await;
    assert!(given.new.shutdown().await.is_clean());
    assert!(given.address.cast(crash()).is_err() && given.system.whereis(NAMED).is_err());
}

#[tokio::test(start_paused = true)]
async fn deleted_child_that_runs_elsewhere_is_neither_touched_nor_started_when_its_old_supervisor_is_restarted()
 {
    let given = given().await;
    for _ in 0..3 {
        kill(&given.handle).await;
        assert_eq!(listed(&given.handle).await, ["last running", "first running"]);
        given.is_well().await;
    }
    assert!(given.handle.tree().at(["a"]).is_none());
    given.old.supervisor().terminate_child("nested").await.expect("it is stopped");
    given.is_well().await;
    given.old.supervisor().restart_child("nested").await.expect("it starts");
    given.is_well().await;
    // It is restarted once the other owner has given it back.
    let Given { system, old, handle, new, address } = given;
    assert!(new.shutdown().await.is_clean());
    drop(new);
    quiet().await;
    kill(&handle).await;
    assert_eq!(listed(&handle).await, ["last running", "a running", "first running"], "in its old place");
    assert_eq!((incarnation(&address).await, system.whereis(NAMED).is_ok()), (3, true));
    assert!(old.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn deleted_child_comes_back_with_its_supervisor_unless_its_spec_is_held() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (_, app, handle) = below(Supervisor::new("nested").child(child).child(worker("b", &log))).await;
    handle.terminate_child("a").await.expect("it is stopped");
    let spec = handle.delete_child("a").await.expect("it is down");
    kill(&handle).await;
    assert_eq!(listed(&handle).await, ["b running"], "the spec is held");
    drop(spec);
    assert_eq!(listed(&handle).await, ["b running"], "it comes back with the next incarnation only");
    kill(&handle).await;
    assert_eq!(listed(&handle).await, ["b running", "a running"]);
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
}

/// Two supervisors have it in their specs, and neither holds it.
#[tokio::test(start_paused = true)]
async fn child_that_was_deleted_twice_comes_back_to_one_supervisor() {
    let log = Log::default();
    let child = worker("a", &log);
    let address = child.address();
    let (_, app, one) = below(Supervisor::new("one").child(child)).await;
    one.terminate_child("a").await.expect("it is stopped");
    let spec = one.delete_child("a").await.expect("it is down");
    let other = Supervisor::new("other").child(spec);
    let two = other.handle();
    app.supervisor().start_child(other).await.expect("it starts");
    two.terminate_child("a").await.expect("it is stopped");
    drop(two.delete_child("a").await.expect("it is down"));
    kill(&two).await;
    kill(&one).await;
    let (first, second) = (listed(&one).await, listed(&two).await);
    assert_eq!(first.len() + second.len(), 1, "{first:?} and {second:?}");
    assert_eq!(incarnation(&address).await, 3);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn spec_that_comes_back_from_a_killed_supervisor_is_not_touched_by_what_is_left_of_it() {
    let log = Log::default();
    let slow = Script::new("slow", &log)
        .with_init(|n| if n == 1 { InitStep::WaitFor(worker::gate()) } else { InitStep::Succeed });
    let slow = slow.child();
    let address = slow.address();
    let (system, app, handle) = below(Supervisor::new("nested").child(worker("a", &log))).await;
    let asked = tokio::spawn({
        let handle = handle.clone();
        async move { handle.start_child(slow).await }
    });
    quiet().await;
    handle.handle().kill().expect("it lives");
    let back = asked.await.expect("it ends well").expect_err("its supervisor is gone");
    assert!(matches!(back.kind, StartChildErrorKind::ShuttingDown));
    let elsewhere = DynamicSupervisor::new("elsewhere").start(&system).await.expect("it starts");
    elsewhere.supervisor().start_child(back.child).await.expect("the old incarnation is gone");
    quiet().await;
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(incarnation(&address).await, 2);
    assert!(elsewhere.shutdown().await.is_clean());
    assert!(Registry::of(&system).names().is_empty());
}
