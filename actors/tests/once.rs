//! Actors that are started once, from arguments that they own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use perennial_actors::{ActorHandle, ActorOnce, Context, ExitReason, Pid, Reply, SpawnError, System};

/// Arguments that count how often they were dropped.
struct Socket {
    dropped: Arc<AtomicU32>,
    init: Init,
}

#[derive(Clone, Copy, PartialEq)]
enum Init {
    Succeeds,
    Fails,
    Panics,
}

impl Socket {
    fn new(init: Init) -> (Self, Arc<AtomicU32>) {
        let dropped = Arc::<AtomicU32>::default();
        (Self { dropped: dropped.clone(), init }, dropped)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn count(dropped: &AtomicU32) -> u32 {
    dropped.load(Ordering::Relaxed)
}

struct Session {
    _socket: Socket,
    signals: u32,
}

enum Msg {
    Look(Reply<(Pid, u32)>),
    Watch(ActorHandle),
    Crash,
}

impl ActorOnce for Session {
    type Msg = Msg;
    type Args = Socket;

    async fn init(socket: Socket, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        match socket.init {
            Init::Succeeds => Ok(Self { _socket: socket, signals: 0 }),
            Init::Fails => Err(ExitReason::failed("the handshake failed")),
            Init::Panics => panic!("a bug"),
        }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Look(reply) => reply.send((ctx.pid(), self.signals)),
            Msg::Watch(peer) => _ = ctx.monitor(&peer),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }

    async fn signal(&mut self, _: perennial_actors::Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.signals += 1;
        Ok(())
    }

    fn debug_state(&mut self) -> Option<&mut (dyn std::any::Any + Send)> {
        Some(&mut self.signals)
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        assert!(!reason.is_abnormal(), "terminate panics, which is then the reason");
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_belong_to_the_actor_and_are_dropped_with_it_once() {
    let (socket, dropped) = Socket::new(Init::Succeeds);
    let session = System::new().spawn_once::<Session>(socket).await.expect("it starts");
    session.call(Msg::Look).await.expect("it runs");
    assert_eq!(count(&dropped), 0);
    let down = session.monitor();
    session.stop(ExitReason::Normal).expect("it runs");
    assert!(matches!(down.await.reason, ExitReason::Normal));
    assert_eq!(count(&dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn signals_state_and_terminate_are_those_of_the_actor() {
    let (socket, _) = Socket::new(Init::Succeeds);
    let (session, down) =
        System::new().spawn_once::<Session>(socket).label("session").detach_monitored().expect("it starts");
    let (peer, _) = Socket::new(Init::Succeeds);
    let peer = System::new().spawn_once::<Session>(peer).await.expect("it starts");
    peer.kill().expect("it runs");
    peer.monitor().await;
    session.cast(Msg::Watch(peer.handle())).expect("it runs");
    session.call(Msg::Look).await.expect("it runs");
    assert_eq!(session.call(Msg::Look).await.expect("it runs").1, 1);
    let signals = session.handle().get_state::<u32>().await.expect("it is offered");
    assert_eq!(signals, 1);
    session.cast(Msg::Crash).expect("it runs");
    assert!(matches!(down.await.reason, ExitReason::Panicked(_)));
}

#[tokio::test(start_paused = true)]
async fn arguments_that_a_failing_init_took_are_dropped_once_and_not_returned() {
    for (init, panics) in [(Init::Fails, false), (Init::Panics, true)] {
        let (socket, dropped) = Socket::new(init);
        let error = System::new().spawn_once::<Session>(socket).await.expect_err("its init fails");
        let SpawnError::Failed(reason) = &error.kind else { panic!("{error}") };
        assert_eq!(matches!(reason, ExitReason::Panicked(_)), panics, "{reason}");
        assert!(error.args.is_none());
        assert_eq!(count(&dropped), 1);
    }
}

#[test]
fn arguments_are_returned_if_there_is_no_runtime() {
    let (socket, dropped) = Socket::new(Init::Succeeds);
    let error = System::new().spawn_once::<Session>(socket).detach().expect_err("there is no runtime");
    assert!(matches!(error.kind, SpawnError::NoRuntime));
    let socket = error.args.expect("no init took them");
    assert_eq!(count(&dropped), 0);
    drop(socket);
    assert_eq!(count(&dropped), 1);
}

#[test]
fn reason_that_is_made_of_the_error_keeps_no_arguments() {
    let (socket, dropped) = Socket::new(Init::Succeeds);
    let error = System::new().spawn_once::<Session>(socket).detach().expect_err("there is no runtime");
    let reason = ExitReason::from(error);
    assert_eq!(count(&dropped), 1);
    let kept = reason.error().and_then(|error| error.downcast_ref::<SpawnError>());
    assert!(matches!(kept, Some(SpawnError::NoRuntime)), "{reason}");
}

#[test]
fn arguments_of_a_task_that_never_ran_are_dropped_once_with_its_runtime() {
    let (socket, dropped) = Socket::new(Init::Succeeds);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it is built");
    let begun = {
        let _entered = runtime.enter();
        System::new().spawn_once::<Session>(socket).detach().expect("it starts")
    };
    assert_eq!(count(&dropped), 0);
    drop(runtime);
    assert_eq!(count(&dropped), 1);
    assert!(begun.cast(Msg::Crash).is_err());
}
