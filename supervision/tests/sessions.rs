//! Dynamic supervisors with every default: what the end of one child is to the others.

use std::num::NonZeroUsize;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Pid, ProcessState, Reply, System};
use perennial_supervision::pool::Pool;
use perennial_supervision::{
    App, Child, DynamicHandle, DynamicSupervisor, PartitionSupervisor, Restart, SupervisionStats, Supervisor,
};

/// Longer than any restart counts.
const LATER: Duration = Duration::from_secs(6);

enum Msg {
    Bye,
    Crash,
    Pid(Reply<Pid>),
}

/// A session that says which incarnation it is.
struct Session;

impl Actor for Session {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Bye => ctx.stop(ExitReason::Normal),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Pid(reply) => reply.send(ctx.pid()),
        }
        Ok(())
    }
}

/// An actor that fails as soon as it has started.
struct Doomed;

impl Actor for Doomed {
    type Msg = ();
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.continue_with(());
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Err(ExitReason::failed("a fault that all of them have"))
    }
}

fn session(id: &str) -> Child<Msg> {
    Child::new::<Session>(id, ())
}

async fn supervisor() -> (System, App<DynamicHandle>) {
    let system = System::new();
    let app = DynamicSupervisor::new("sessions").start(&system).await.expect("it starts");
    (system, app)
}

async fn start(app: &App<DynamicHandle>, number: usize) -> Vec<Address<Msg>> {
    let mut addresses = Vec::new();
    for _ in 0..number {
        let child = session("session");
        addresses.push(child.address());
        app.supervisor().start_child(child).await.expect("it starts");
    }
    addresses
}

async fn pids(sessions: &[Address<Msg>]) -> Vec<Pid> {
    let mut pids = Vec::new();
    for session in sessions {
        pids.push(session.call(Msg::Pid).await.expect("it runs"));
    }
    pids
}

/// Waits until the session has ended for this message.
async fn end(session: &Address<Msg>, msg: Msg) {
    let down = session.monitor();
    session.cast(msg).expect("it runs");
    down.await;
}

#[tokio::test(start_paused = true)]
async fn of_100_sessions_one_leaves_and_two_crash_and_97_go_on_undisturbed() {
    let (system, app) = supervisor().await;
    let sessions = start(&app, 100).await;
    let before = pids(&sessions).await;
    end(&sessions[0], Msg::Bye).await;
    end(&sessions[1], Msg::Crash).await;
    end(&sessions[2], Msg::Crash).await;
    let after = pids(&sessions[1..]).await;
    assert_eq!(after[2..], before[3..], "97 are the incarnations that they were");
    assert_eq!(after[..2].iter().map(|pid| pid.incarnation()).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(sessions[0].state(), ProcessState::Closed);
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 99);
    assert_eq!((SupervisionStats::of(&system).restarts, SupervisionStats::of(&system).escalations), (2, 0));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_the_sessions_may_crash_within_five_seconds_and_one_more_is_too_many() {
    let (system, app) = supervisor().await;
    let sessions = start(&app, 100).await;
    for session in &sessions[..10] {
        end(session, Msg::Crash).await;
        session.call(Msg::Pid).await.expect("it is restarted");
    }
    tokio::time::sleep(LATER).await;
    for session in &sessions[..10] {
        end(session, Msg::Crash).await;
        session.call(Msg::Pid).await.expect("it is restarted");
    }
    end(&sessions[10], Msg::Crash).await;
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
    assert_eq!(SupervisionStats::of(&system).restarts, 20);
}

#[tokio::test(start_paused = true)]
async fn three_crashes_are_tolerated_of_however_few_sessions() {
    let (_, app) = supervisor().await;
    let sessions = start(&app, 1).await;
    for incarnation in 2..5 {
        end(&sessions[0], Msg::Crash).await;
        assert_eq!(pids(&sessions).await[0].incarnation(), incarnation);
    }
    end(&sessions[0], Msg::Crash).await;
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
}

#[tokio::test(start_paused = true)]
async fn fault_of_all_children_makes_the_supervisor_give_up_after_a_tenth_of_them() {
    for (number, restarts) in [(1, 3), (10, 3), (100, 10), (1_000, 100)] {
        let system = System::new();
        let app = DynamicSupervisor::new("doomed").start(&system).await.expect("it starts");
        for _ in 0..number {
            // The supervisor may have given up before the last one.
            let _ = app.supervisor().start_child(Child::new::<Doomed>("child", ())).await;
        }
        assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
        let needed = SupervisionStats::of(&system).restarts;
        assert!(needed <= restarts, "{number} children: {needed} restarts");
    }
}

#[tokio::test(start_paused = true)]
async fn intensity_that_is_set_does_not_grow_with_the_sessions() {
    let system = System::new();
    let supervisor = DynamicSupervisor::new("sessions").intensity(1, Duration::from_secs(5));
    let app = supervisor.start(&system).await.expect("it starts");
    let sessions = start(&app, 100).await;
    end(&sessions[0], Msg::Crash).await;
    sessions[0].call(Msg::Pid).await.expect("it is restarted");
    end(&sessions[1], Msg::Crash).await;
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
}

#[tokio::test(start_paused = true)]
async fn restart_type_of_a_child_is_by_default_that_of_its_supervisor() {
    let (_, app) = supervisor().await;
    let dynamic = app.supervisor();
    let task = Child::task("task", |_| std::future::pending());
    let set = session("set").restart(Restart::Permanent);
    let nested = Supervisor::new("nested").child(session("inner"));
    let inner = nested.handle();
    let mut types = Vec::new();
    for started in [
        dynamic.start_child(session("session")).await,
        dynamic.start_child(task).await,
        dynamic.start_child(set).await,
        dynamic.start_child(nested).await,
    ] {
        let pid = started.expect("it starts").pid().expect("it runs");
        types.push(dynamic.get_childspec(pid).await.expect("it is there").restart);
    }
    assert_eq!(types, [Restart::Transient, Restart::Transient, Restart::Permanent, Restart::Permanent]);
    assert_eq!(inner.get_childspec("inner").await.expect("it is there").restart, Restart::Permanent);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn spec_that_comes_back_from_a_dynamic_supervisor_is_permanent_elsewhere() {
    let system = System::new();
    let full = DynamicSupervisor::new("full").max_children(0).start(&system).await.expect("it starts");
    let refused = full.supervisor().start_child(session("a")).await.expect_err("there is no room");
    let app = Supervisor::new("app").child(refused.child).start(&system).await.expect("it starts");
    assert_eq!(app.supervisor().get_childspec("a").await.expect("it is there").restart, Restart::Permanent);
}

#[tokio::test(start_paused = true)]
async fn partitions_tolerate_as_many_crashes_as_dynamic_children() {
    let system = System::new();
    let forty = NonZeroUsize::new(40).expect("it is not zero");
    let supervisor = PartitionSupervisor::new("partitions", forty, |_| session("partition"));
    let partitions = supervisor.handle();
    let app = supervisor.start(&system).await.expect("it starts");
    for address in &partitions.addresses()[..4] {
        end(address, Msg::Crash).await;
        address.call(Msg::Pid).await.expect("it is restarted");
    }
    end(&partitions.addresses()[4], Msg::Crash).await;
    assert_eq!(app.join().await.to_string(), "shutdown: reached the maximum restart intensity");
}

#[tokio::test(start_paused = true)]
async fn children_of_several_types_are_added_in_one_tuple_in_order() {
    let task = Child::task("task", |_| std::future::pending());
    let three = NonZeroUsize::new(3).expect("it is not zero");
    let partitions = PartitionSupervisor::new("partitions", three, |_| session("partition"));
    let list = (session("a"), task, DynamicSupervisor::new("dynamic"), partitions, Supervisor::new("nested"));
    let tree = Supervisor::new("app").children(list).children([session("b"), session("c")]);
    let app = tree.start(&System::new()).await.expect("it starts");
    let tree = app.tree();
    let ids: Vec<&str> = tree.children.iter().map(|child| child.id.as_ref()).collect();
    assert_eq!(ids, ["a", "task", "dynamic", "partitions", "nested", "b", "c"]);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn monitors_of_an_app_and_of_its_handles_tell_the_end_of_the_supervisor() {
    let system = System::new();
    let three = NonZeroUsize::new(3).expect("it is not zero");
    let supervisor = PartitionSupervisor::new("partitions", three, |_| session("partition"));
    let partitions = supervisor.handle();
    let fixed = supervisor.start(&system).await.expect("it starts");
    let dynamic = DynamicSupervisor::new("dynamic").start(&system).await.expect("it starts");
    let downs = [
        fixed.monitor(),
        fixed.supervisor().monitor(),
        partitions.monitor(),
        dynamic.monitor(),
        dynamic.supervisor().monitor(),
    ];
    let of = [fixed.handle(), fixed.handle(), fixed.handle(), dynamic.handle(), dynamic.handle()];
    let pids = of.map(|handle| handle.pid());
    assert!(fixed.shutdown().await.is_clean());
    assert!(dynamic.shutdown().await.is_clean());
    for (down, pid) in downs.into_iter().zip(pids) {
        let down = down.await;
        assert!(matches!(down.reason, ExitReason::Shutdown(None)));
        assert_eq!(down.pid, pid);
    }
    assert!(matches!(fixed.monitor().await.reason, ExitReason::NoProcess));
}

#[tokio::test(start_paused = true)]
async fn monitor_of_a_pool_handle_tells_the_end_of_the_pool() {
    let pool = Pool::from_fn("pool", 1, |_: &u32| std::future::ready(Ok::<u32, String>(1)));
    let handle = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    let down = handle.monitor();
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
}
