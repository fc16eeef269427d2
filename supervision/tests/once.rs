//! Children that are started once, from arguments that they own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_actors::{Actor, ActorOnce, Address, Context, ExitReason, ProcessState, Reply, System};
use perennial_supervision::{
    Child, ChildOnce, ChildStart, DynamicSupervisor, Restart, StartChildErrorKind, Strategy,
    SupervisionStats, Supervisor,
};

const SECOND: Duration = Duration::from_secs(1);

/// Arguments that count how often they were dropped.
struct Socket {
    dropped: Arc<AtomicU32>,
    init: Init,
}

#[derive(Clone, Copy)]
enum Init {
    Succeeds,
    Fails,
    Panics,
    Hangs,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

struct Session {
    _socket: Socket,
}

enum Msg {
    Crash,
    Ping(Reply<()>),
}

impl ActorOnce for Session {
    type Msg = Msg;
    type Args = Socket;

    async fn init(socket: Socket, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        match socket.init {
            Init::Succeeds => Ok(Self { _socket: socket }),
            Init::Fails => Err(ExitReason::failed("the handshake failed")),
            Init::Panics => panic!("a bug"),
            Init::Hangs => std::future::pending().await,
        }
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => Err(ExitReason::failed("on purpose")),
            Msg::Ping(reply) => {
                reply.send(());
                Ok(())
            }
        }
    }
}

/// An actor that can be restarted.
struct Sibling;

impl Actor for Sibling {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => Err(ExitReason::failed("on purpose")),
            Msg::Ping(reply) => {
                reply.send(());
                Ok(())
            }
        }
    }
}

fn session(init: Init) -> (ChildOnce<Session>, Arc<AtomicU32>) {
    let dropped = Arc::<AtomicU32>::default();
    let socket = Socket { dropped: dropped.clone(), init };
    (Child::once::<Session>("session", socket), dropped)
}

fn count(dropped: &AtomicU32) -> u32 {
    dropped.load(Ordering::Relaxed)
}

/// Makes the actor crash, and waits until it has.
async fn crash(address: &Address<Msg>) {
    let down = address.monitor();
    address.cast(Msg::Crash).expect("it runs");
    down.await;
    tokio::time::sleep(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn session_that_crashes_is_gone_with_its_arguments_and_disturbs_no_other() {
    let system = System::new();
    let app = DynamicSupervisor::new("sessions").start(&system).await.expect("it starts");
    let (first, dropped) = session(Init::Succeeds);
    let (second, kept) = session(Init::Succeeds);
    let first = app.supervisor().start_once(first).await.expect("it starts");
    let second = app.supervisor().start_once(second).await.expect("it starts");
    crash(&first).await;
    assert_eq!((first.state(), count(&dropped)), (ProcessState::Closed, 1));
    second.call(Msg::Ping).await.expect("it runs");
    assert_eq!((count(&kept), SupervisionStats::of(&system).restarts), (0, 0));
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 1);
    assert!(app.shutdown().await.is_clean());
    assert_eq!(count(&kept), 1);
}

#[tokio::test(start_paused = true)]
async fn session_is_temporary_with_every_supervisor() {
    let system = System::new();
    let (first, _) = session(Init::Succeeds);
    let (second, _) = session(Init::Succeeds);
    let fixed = Supervisor::new("app").child(first).start(&system).await.expect("it starts");
    let policy = fixed.supervisor().get_childspec("session").await.expect("it is there");
    assert_eq!(policy.restart, Restart::Temporary);
    let dynamic = DynamicSupervisor::new("sessions").start(&system).await.expect("it starts");
    let pid = dynamic.supervisor().start_child(second).await.expect("it starts").pid().expect("it runs");
    let policy = dynamic.supervisor().get_childspec(pid).await.expect("it is there");
    assert_eq!(policy.restart, Restart::Temporary);
}

#[tokio::test(start_paused = true)]
async fn arguments_come_back_from_a_supervisor_without_room_and_start_another_session() {
    let system = System::new();
    let full = DynamicSupervisor::new("full").max_children(0).start(&system).await.expect("it starts");
    let (child, dropped) = session(Init::Succeeds);
    let refused = full.supervisor().start_once(child).await.expect_err("there is no room");
    assert!(matches!(refused.kind, StartChildErrorKind::MaxChildren));
    assert_eq!(refused.to_string(), "child \"session\": the supervisor has as many children as its maximum");
    let socket = refused.args.expect("no init took them");
    assert_eq!(count(&dropped), 0);
    let app = Supervisor::new("app").start(&system).await.expect("it starts");
    let child = Child::once::<Session>("again", socket);
    let address = app.supervisor().start_once(child).await.expect("it starts");
    address.call(Msg::Ping).await.expect("it runs");
    crash(&address).await;
    assert_eq!(count(&dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn arguments_come_back_from_a_supervisor_that_has_the_id_and_from_one_that_is_gone() {
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let (first, _) = session(Init::Succeeds);
    app.supervisor().start_once(first).await.expect("it starts");
    let (second, dropped) = session(Init::Succeeds);
    let refused = app.supervisor().start_once(second).await.expect_err("the id is taken");
    assert!(matches!(refused.kind, StartChildErrorKind::AlreadyStarted(_)));
    let socket = refused.args.expect("no init took them");
    assert!(app.shutdown().await.is_clean());
    let again = Child::once::<Session>("session", socket);
    let refused = app.supervisor().start_once(again).await.expect_err("it is gone");
    assert!(matches!(refused.kind, StartChildErrorKind::ShuttingDown));
    assert_eq!((refused.args.is_some(), count(&dropped)), (true, 0));
    drop(refused);
    assert_eq!(count(&dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn arguments_that_a_failing_init_took_are_dropped_once() {
    let app = DynamicSupervisor::new("sessions").start(&System::new()).await.expect("it starts");
    for init in [Init::Fails, Init::Panics, Init::Hangs] {
        let (child, dropped) = session(init);
        let child = child.start_timeout(SECOND);
        let failed = app.supervisor().start_once(child).await.expect_err("its init fails");
        assert!(matches!(failed.kind, StartChildErrorKind::Failed(_)), "{failed}");
        assert!(failed.args.is_none());
        assert_eq!(count(&dropped), 1);
    }
    assert_eq!(app.supervisor().count_children().await.expect("it lives").specs, 0);
}

#[tokio::test(start_paused = true)]
async fn spec_that_is_never_started_drops_its_arguments_once() {
    let (child, dropped) = session(Init::Succeeds);
    let address = child.address();
    let tree = Supervisor::new("app").child(child);
    assert_eq!(count(&dropped), 0);
    drop(tree);
    tokio::task::yield_now().await;
    assert_eq!(count(&dropped), 1);
    assert!(address.cast(Msg::Crash).is_err());
}

#[tokio::test(start_paused = true)]
async fn session_in_a_group_is_stopped_with_it_and_does_not_come_back() {
    let sibling = Child::new::<Sibling>("sibling", ());
    let address = sibling.address();
    let (child, dropped) = session(Init::Succeeds);
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).children((sibling, child));
    let app = tree.start(&System::new()).await.expect("it starts");
    crash(&address).await;
    address.call(Msg::Ping).await.expect("it is restarted");
    assert_eq!((app.tree().children.len(), count(&dropped)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn session_in_the_spec_of_a_supervisor_that_is_restarted_declines_to_start_again() {
    let (child, dropped) = session(Init::Succeeds);
    let sibling = Child::new::<Sibling>("sibling", ());
    let address = sibling.address();
    let nested = Supervisor::new("nested").children((child, sibling));
    let handle = nested.handle();
    let app = Supervisor::new("app").child(nested).start(&System::new()).await.expect("it starts");
    handle.handle().kill().expect("it runs");
    tokio::time::sleep(SECOND).await;
    address.call(Msg::Ping).await.expect("it is restarted");
    let children = handle.which_children().await.expect("it lives");
    assert_eq!(children.iter().map(|child| child.id.as_ref()).collect::<Vec<_>>(), ["sibling"]);
    assert_eq!(count(&dropped), 1);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn change_of_the_spec_cannot_make_a_session_come_back() {
    let (child, dropped) = session(Init::Succeeds);
    let address = child.address();
    let app = Supervisor::new("app").child(child).start(&System::new()).await.expect("it starts");
    let permanent = Child::new::<Sibling>("session", ()).restart(Restart::Permanent);
    app.supervisor().change(Supervisor::new("app").child(permanent)).await.expect("it is changed");
    let policy = app.supervisor().get_childspec("session").await.expect("it is there");
    assert_eq!(policy.restart, Restart::Temporary);
    crash(&address).await;
    assert_eq!(count(&dropped), 1);
    assert!(app.supervisor().which_children().await.expect("it lives").is_empty());
}

#[tokio::test(start_paused = true)]
async fn child_that_can_be_restarted_stays_one_when_a_change_names_a_session() {
    let sibling = Child::new::<Sibling>("session", ());
    let address = sibling.address();
    let app = Supervisor::new("app").child(sibling).start(&System::new()).await.expect("it starts");
    let (child, dropped) = session(Init::Succeeds);
    app.supervisor().change(Supervisor::new("app").child(child)).await.expect("it is changed");
    let permanent = Child::new::<Sibling>("session", ());
    app.supervisor().change(Supervisor::new("app").child(permanent)).await.expect("it is changed");
    crash(&address).await;
    address.call(Msg::Ping).await.expect("it is restarted");
    assert_eq!(count(&dropped), 1, "the session of the change was never started");
}

#[tokio::test(start_paused = true)]
async fn session_that_was_started_is_not_started_again_by_the_spec_that_comes_back() {
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let (child, _) = session(Init::Fails);
    let failed = app.supervisor().start_child(child).await.expect_err("its init fails");
    let again = app.supervisor().start_child(failed.child).await.expect("it declines");
    assert!(matches!(again, ChildStart::Ignored));
}
