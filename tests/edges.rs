//! The edges of an incarnation: its init and its terminate, and what may come in between.

use std::future::pending;
use std::sync::Arc;

use perennial::prelude::*;
use perennial::start::ActorError;
use perennial::{Event, ProcessState};
use tokio::sync::Notify;

/// What an edge does.
#[derive(Clone, Copy, Default)]
enum Edge {
    #[default]
    Plain,
    Fails,
    Panics,
    Hangs,
    Stops,
}

#[derive(Default)]
struct Args {
    init: Edge,
    terminate: Edge,
    /// Told when the edge that hangs is reached.
    reached: Arc<Notify>,
}

struct Edgy(Edge, Arc<Notify>);

impl Actor for Edgy {
    type Msg = ();
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        match args.init {
            Edge::Plain => {}
            Edge::Fails => Err("no number".parse::<u32>().expect_err("it is none"))?,
            Edge::Panics => panic!("in init"),
            Edge::Stops => ctx.stop(ExitReason::shutdown_because("at once")),
            Edge::Hangs => {
                args.reached.notify_one();
                pending().await
            }
        }
        Ok(Self(args.terminate, args.reached.clone()))
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        match self.0 {
            Edge::Panics => panic!("in terminate"),
            Edge::Hangs => {
                self.1.notify_one();
                pending().await
            }
            Edge::Plain | Edge::Fails | Edge::Stops => {}
        }
    }
}

fn init(edge: Edge) -> Args {
    Args { init: edge, ..Args::default() }
}

/// An actor that hangs in its init.
async fn starting(system: &System) -> Address<()> {
    let args = init(Edge::Hangs);
    let reached = args.reached.clone();
    let actor = system.spawn::<Edgy>(args).detach().expect("there is a runtime");
    reached.notified().await;
    actor
}

#[tokio::test(start_paused = true)]
async fn an_init_that_fails_or_panics_is_a_start_that_failed() {
    let system = System::new();
    let Err(ActorError::Failed(failed)) = system.spawn::<Edgy>(init(Edge::Fails)).await else {
        panic!("it fails")
    };
    assert_eq!(failed.to_string(), "failed: invalid digit found in string");
    let Err(ActorError::Failed(panicked)) = system.spawn::<Edgy>(init(Edge::Panics)).await else {
        panic!("it panics")
    };
    assert_eq!(panicked.to_string(), "panicked: in init");
}

#[tokio::test(start_paused = true)]
async fn messages_that_waited_for_an_init_that_fails_come_to_the_dead_letters() {
    let system = System::new();
    let mut dead = system.dead_letters();
    let actor = system.spawn::<Edgy>(init(Edge::Fails)).detach().expect("there is a runtime");
    actor.cast(()).expect("it is due");
    let down = actor.monitor().await;
    assert_eq!(down.reason.to_string(), "failed: invalid digit found in string");
    assert!(dead.try_next().is_some());
    assert_eq!(actor.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_actor_can_stop_itself_in_its_init() {
    let system = System::new();
    let mut events = system.events();
    let actor = system.spawn::<Edgy>(init(Edge::Stops)).await.expect("it starts");
    actor.monitor().await;
    let ended = std::iter::from_fn(|| events.try_next()).find_map(|event| match event {
        Event::Ended { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    assert_eq!(ended.as_deref(), Some("shutdown: at once"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_an_init_and_so_does_a_kill() {
    let system = System::new();
    let stopped = starting(&system).await;
    let down = stopped.monitor();
    stopped.stop(ExitReason::shutdown()).expect("it starts");
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    let killed = starting(&system).await;
    let down = killed.monitor();
    killed.kill().expect("it starts");
    assert!(matches!(down.await.reason, ExitReason::Killed));
}

/// OTP case 132.
#[tokio::test(start_paused = true)]
async fn a_panic_in_terminate_replaces_the_reason() {
    let args = Args { terminate: Edge::Panics, ..Args::default() };
    let actor = System::new().spawn::<Edgy>(args).await.expect("it starts");
    let down = actor.monitor();
    actor.stop(ExitReason::Normal).expect("it lives");
    assert_eq!(down.await.reason.to_string(), "panicked: in terminate");
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_a_terminate_that_hangs() {
    let args = Args { terminate: Edge::Hangs, ..Args::default() };
    let reached = args.reached.clone();
    let actor = System::new().spawn::<Edgy>(args).await.expect("it starts");
    let down = actor.monitor();
    actor.stop(ExitReason::Normal).expect("it lives");
    reached.notified().await;
    actor.kill().expect("it lives");
    assert!(matches!(down.await.reason, ExitReason::Killed));
}

#[test]
fn a_runtime_that_goes_away_ends_its_actors_as_killed() {
    let (system, runtime) =
        (System::new(), tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    let actor = runtime.block_on(async { system.spawn::<Edgy>(Args::default()).await }).expect("it starts");
    actor.cast(()).expect("there is room");
    let down = actor.monitor();
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert!(matches!(other.block_on(down).reason, ExitReason::Killed));
    assert_eq!(actor.cast(()), Err(perennial::SendError::Closed(())));
    assert!(system.counters().balanced());
}

#[test]
fn a_runtime_that_goes_away_closes_its_trees() {
    let (system, runtime) = (System::new(), tokio::runtime::Runtime::new().expect("a runtime"));
    let child = Child::new::<Edgy>("edgy", Args::default()).named(Name::new("edgy"));
    let address = child.address();
    let tree = Supervisor::new("app").child(Supervisor::new("inner").child(child));
    let app = runtime.block_on(tree.start(&system)).expect("it starts");
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Killed with its children, or after it has seen that none of them can be started any more.
    let reason = other.block_on(app.join());
    assert!(matches!(reason, ExitReason::Killed | ExitReason::Shutdown(_)), "{reason}");
    assert_eq!(address.cast(()), Err(perennial::SendError::Closed(())));
    assert!(system.whereis::<()>(&Name::new("edgy")).is_err());
}
