//! Starting an actor outside any tree.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::{Poll, Waker};

use perennial_actors::{
    Actor, Capacity, Context, ExitReason, LifecycleEvent, MailboxConfig, ProcessState, Reply, SendError,
    SpawnError, System, Unsent,
};
use tokio::sync::oneshot;

/// Its init waits for a release, and fails without one.
struct Slow(u32);

struct Args(std::sync::Mutex<Option<oneshot::Receiver<u32>>>);

impl Args {
    fn now() -> Self {
        let (go, gone) = oneshot::channel();
        go.send(0).expect("it is held below");
        Self(std::sync::Mutex::new(Some(gone)))
    }

    fn later() -> (oneshot::Sender<u32>, Self) {
        let (go, gone) = oneshot::channel();
        (go, Self(std::sync::Mutex::new(Some(gone))))
    }
}

impl Actor for Slow {
    type Msg = Reply<u32>;
    type Args = Args;

    async fn init(args: &Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let gone =
            args.0.lock().expect("not poisoned").take().ok_or("begun twice").map_err(ExitReason::failed)?;
        Ok(Self(gone.await?))
    }

    async fn handle(&mut self, reply: Reply<u32>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(self.0);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn awaiting_a_spawn_waits_for_its_init() {
    let (go, args) = Args::later();
    let mut spawning = pin!(System::new().spawn::<Slow>(args).into_future());
    tokio::select! {
        biased;
        _ = &mut spawning => panic!("it is not released yet"),
        () = tokio::time::sleep(std::time::Duration::from_secs(60)) => {}
    }
    go.send(7).expect("it waits");
    let address = spawning.await.expect("it starts");
    assert_eq!(address.call(|reply| reply).await.expect("it answers"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_detached_actor_takes_messages_before_it_has_started() {
    let (go, args) = Args::later();
    let address = System::new().spawn::<Slow>(args).detach().expect("there is a runtime");
    assert!(matches!(address.state(), ProcessState::Alive(_)));
    let (answer, ()) = tokio::join!(address.call(|reply| reply).into_future(), async {
        go.send(7).expect("it waits");
    });
    assert_eq!(answer.expect("it answers"), 7);
}

#[tokio::test(start_paused = true)]
async fn a_detached_actor_that_does_not_start_is_closed() {
    let (go, args) = Args::later();
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let address = system.spawn::<Slow>(args).label("slow").detach().expect("there is a runtime");
    drop(go);
    assert_eq!(address.monitor().await.reason.to_string(), "failed: channel closed");
    assert_eq!(address.state(), ProcessState::Closed);
    assert!(matches!(events.try_next(), Some(LifecycleEvent::Ended { .. })), "it never started");
}

#[tokio::test(start_paused = true)]
async fn a_spawn_whose_init_fails_returns_the_reason() {
    let (go, args) = Args::later();
    drop(go);
    let error = System::new().spawn::<Slow>(args).await.expect_err("it is not released");
    assert_eq!(error.to_string(), "the actor did not start: failed: channel closed");
    let SpawnError::Failed(reason) = error else { panic!("its init failed") };
    assert!(reason.error().expect("an error").is::<oneshot::error::RecvError>());
}

#[tokio::test(start_paused = true)]
async fn a_spawn_continues_after_its_future_was_dropped() {
    let (go, args) = Args::later();
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    {
        let mut spawning = pin!(system.spawn::<Slow>(args).into_future());
        let mut cx = std::task::Context::from_waker(Waker::noop());
        assert!(spawning.as_mut().poll(&mut cx).is_pending());
    }
    go.send(7).expect("it waits");
    assert!(matches!(events.next().await, Some(LifecycleEvent::Started { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_actor_lives_without_an_address_of_it() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let monitor = system.spawn::<Slow>(Args::now()).await.expect("it starts").monitor();
    assert!(matches!(events.next().await, Some(LifecycleEvent::Started { .. })));
    assert!(tokio::time::timeout(std::time::Duration::from_secs(60), monitor).await.is_err());
    assert!(events.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_mailbox_is_as_it_was_asked_for() {
    let one = MailboxConfig::bounded(1);
    let (_go, args) = Args::later();
    let address = System::new().spawn::<Slow>(args).mailbox(one).detach().expect("there is a runtime");
    let fill = |_: u32| {
        let mut call = pin!(address.call(|reply| reply).no_timeout().into_future());
        let polled = call.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        address.counters().accepted
    };
    assert_eq!([1, 2].map(fill), [1, 1], "there is room for one");
}

#[test]
fn outside_a_runtime_a_spawn_is_an_error_and_not_a_panic() {
    let system = System::new();
    let detached = system.spawn::<Slow>(Args::now()).detach();
    assert!(matches!(detached, Err(SpawnError::NoRuntime)));
    let mut awaited = pin!(system.spawn::<Slow>(Args::now()).into_future());
    let polled = awaited.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = polled else { panic!("there is nothing to wait for") };
    assert_eq!(error.to_string(), "not inside a tokio runtime");
    assert_eq!(system.counters(), System::new().counters(), "nothing is left of it");
}

#[test]
fn an_actor_whose_runtime_is_gone_has_ended_for_good() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let address =
        runtime.block_on(System::new().spawn::<Slow>(Args::now()).into_future()).expect("it starts");
    let mut monitor = pin!(address.monitor());
    drop(runtime);
    let polled = monitor.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(down) if matches!(down.reason, ExitReason::Killed)));
    assert_eq!(address.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_error_returns_a_message_of_any_type() {
    let (go, args) = Args::later();
    drop(go);
    let address = System::new().spawn::<Slow>(args).detach().expect("there is a runtime");
    address.monitor().await;
    // A reply cannot be cloned: the sender can use it again only if it is returned.
    let call = address.call(|reply| reply).await;
    let reply = call.expect_err("it is closed").into_inner().expect("it was not sent");
    let error = address.cast(reply).expect_err("it is closed");
    let said = r#"actor "all::spawn::Slow" has stopped and will not be restarted (message type Reply<u32>)"#;
    assert_eq!(error.to_string(), said);
    assert!(matches!(error, SendError::Closed(Unsent { message: reply, .. }) if reply.is_closed()));
}

#[tokio::test(start_paused = true)]
async fn an_actor_with_a_capacity_of_zero_does_not_start() {
    let (_go, args) = Args::later();
    let refused = System::new().spawn::<Slow>(args).mailbox(MailboxConfig::bounded(0)).detach();
    assert!(matches!(refused, Err(SpawnError::ZeroCapacity)));
    assert!(Capacity::from(0).is_zero() && !Capacity::from(1).is_zero() && !Capacity::Unbounded.is_zero());
}
