//! Monitors: each completes once, for one incarnation.

use std::sync::Arc;

use perennial_actors::host::Identity;
use perennial_actors::{
    Actor, Address, CallError, Context, ExitReason, LifecycleEvent, MailboxConfig, Monitor, ProcessState,
    Reply, System,
};
use tokio::sync::{mpsc, oneshot};

use crate::support::parent::recorder;

enum Msg {
    Fail,
    Keep(Reply<u32>),
}

/// Fails on request, and keeps the values that it gets.
#[derive(Default)]
struct Worker(Vec<Reply<u32>>);

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => Err(ExitReason::failed("on purpose")),
            Msg::Keep(reply) => {
                self.0.push(reply);
                Ok(())
            }
        }
    }
}

async fn worker(system: &System) -> Address<Msg> {
    system.spawn::<Worker>(()).await.expect("it starts")
}

/// An open identity without an incarnation.
fn identity(system: &System) -> Identity<Msg> {
    let identity = Identity::new(MailboxConfig::default());
    identity.open(system, || "worker".into());
    identity
}

/// Returns `true` if the monitor has completed.
fn is_told(monitor: &mut Monitor) -> bool {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(monitor).poll(&mut cx).is_ready()
}

#[tokio::test(start_paused = true)]
async fn a_monitor_reports_the_incarnation_and_its_exit_reason() {
    let worker = worker(&System::new()).await;
    let (pid, monitor) = (worker.pid(), worker.monitor());
    worker.cast(Msg::Fail).expect("it is open");
    let down = monitor.await;
    assert!(pid.is_some());
    assert_eq!((down.pid, down.reason.to_string().as_str()), (pid, "failed: on purpose"));
}

/// OTP: a normal exit is reported like any other.
#[tokio::test(start_paused = true)]
async fn a_normal_exit_is_reported_too() {
    let worker = worker(&System::new()).await;
    let monitor = worker.monitor();
    worker.stop(ExitReason::Normal).expect("it lives");
    assert!(matches!(monitor.await.reason, ExitReason::Normal));
}

/// OTP case 111.
#[tokio::test(start_paused = true)]
async fn every_monitor_of_an_actor_completes_unless_it_was_dropped() {
    let worker = worker(&System::new()).await;
    let (first, dropped, handle) = (worker.monitor(), worker.monitor(), worker.handle());
    let third = handle.monitor();
    drop(dropped);
    worker.kill().expect("it lives");
    let (first, third) = tokio::join!(first, third);
    assert!(matches!((first.reason, third.reason), (ExitReason::Killed, ExitReason::Killed)));
    assert_eq!(first.pid, third.pid);
}

/// OTP case 110.
#[tokio::test(start_paused = true)]
async fn a_monitor_of_a_dead_actor_completes_at_once() {
    let worker = worker(&System::new()).await;
    let monitor = worker.monitor();
    worker.stop(ExitReason::Normal).expect("it lives");
    monitor.await;
    let mut late = worker.monitor();
    assert!(is_told(&mut worker.monitor()));
    let down = (&mut late).await;
    assert!(matches!((down.pid, down.reason), (None, ExitReason::NoProcess)));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_of_an_actor_that_was_never_opened_completes_at_once() {
    let identity = Identity::<Msg>::new(MailboxConfig::default());
    let down = identity.address().monitor().await;
    assert!(matches!((down.pid, down.reason), (None, ExitReason::NoProcess)));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_was_polled_by_reference_still_completes() {
    let worker = worker(&System::new()).await;
    let mut monitor = worker.monitor();
    tokio::select! {
        biased;
        _ = &mut monitor => panic!("it lives"),
        () = tokio::task::yield_now() => {}
    }
    worker.kill().expect("it lives");
    assert!(matches!(monitor.await.reason, ExitReason::Killed));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_keeps_no_actor_alive_and_outlives_every_address() {
    let worker = worker(&System::new()).await;
    let monitor = worker.monitor();
    worker.cast(Msg::Fail).expect("it is open");
    drop(worker);
    assert!(monitor.await.reason.is_abnormal());
}

#[tokio::test(start_paused = true)]
async fn a_monitor_is_bound_to_the_running_incarnation() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let address = identity.address();
    let first = identity.start::<Worker>(Arc::new(()), parent.clone(), 1).expect("it is open");
    record.started(1).await;
    let of_first = address.monitor();
    address.cast(Msg::Fail).expect("it is open");
    record.ended(1).await;
    let second = identity.start::<Worker>(Arc::new(()), parent, 2).expect("it is open");
    record.started(2).await;
    let mut of_second = address.monitor();
    assert_eq!(of_first.await.pid, Some(first), "it reports the first, though the second lives by now");
    assert!(!is_told(&mut of_second));
    address.kill().expect("it lives");
    assert_eq!(of_second.await.pid, Some(second));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_made_between_two_incarnations_is_bound_to_the_next() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let address = identity.address();
    let mut monitor = address.monitor();
    let mut pids = Vec::new();
    for run in 1..=2 {
        assert_eq!(address.state(), ProcessState::Pending);
        assert!(!is_told(&mut monitor));
        pids.push(identity.start::<Worker>(Arc::new(()), parent.clone(), run).expect("it is open"));
        record.started(run).await;
        address.cast(Msg::Fail).expect("it is open");
        record.ended(run).await;
        let told = std::mem::replace(&mut monitor, address.monitor()).await;
        assert_eq!(told.pid, pids.last().copied());
    }
    assert_ne!(pids[0], pids[1]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_of_an_incarnation_that_never_started_completes_when_none_is_due_any_more() {
    let (system, (parent, mut record)) = (System::new(), recorder());
    let identity = identity(&system);
    let before_any = identity.address().monitor();
    identity.start::<Worker>(Arc::new(()), parent, 1).expect("it is open");
    record.started(1).await;
    identity.address().kill().expect("it lives");
    record.ended(1).await;
    assert!(before_any.await.pid.is_some());
    // Between two incarnations. The first had ended before this monitor was made: the monitor does
    // not report its exit.
    let monitor = identity.address().monitor();
    assert!(identity.close(&ExitReason::shutdown()).is_some());
    let down = monitor.await;
    assert_eq!((down.pid, down.reason.to_string().as_str()), (None, "shutdown"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_init_is_reported() {
    struct Stillborn;

    impl Actor for Stillborn {
        type Msg = ();
        type Args = ();

        async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Err(ExitReason::failed("no bed"))
        }

        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
            Ok(())
        }
    }

    let address = System::new().spawn::<Stillborn>(()).detach().expect("there is a runtime");
    let (pid, down) = (address.pid(), address.monitor().await);
    assert_eq!((down.pid, down.reason.to_string().as_str()), (pid, "failed: no bed"));
}

/// OTP case 113, for this crate: a hook frees the name.
#[tokio::test(start_paused = true)]
async fn when_a_monitor_completes_hooks_have_run_callers_are_notified_and_the_actor_is_closed() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let worker = worker(&system).await;
    let (tell, mut hook_ran) = oneshot::channel();
    assert!(worker.handle().on_close(move || tell.send(()).expect("the test waits")));
    let (order, mut told) = mpsc::unbounded_channel();
    let caller = tokio::spawn({
        let (worker, order) = (worker.clone(), order.clone());
        async move {
            let result = worker.call(Msg::Keep).await;
            assert!(matches!(result, Err(CallError::Ended(ExitReason::Killed, _))));
            order.send("caller").expect("the test waits");
        }
    });
    let watcher = tokio::spawn({
        let monitor = worker.monitor();
        async move {
            monitor.await;
            order.send("monitor").expect("the test waits");
        }
    });
    tokio::task::yield_now().await;
    worker.kill().expect("it lives");
    assert_eq!((told.recv().await, told.recv().await), (Some("caller"), Some("monitor")));
    assert!(hook_ran.try_recv().is_ok());
    assert_eq!(worker.state(), ProcessState::Closed);
    let seen: Vec<LifecycleEvent> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(
        matches!(
            &seen[..],
            [LifecycleEvent::Started { .. }, LifecycleEvent::Ended { .. }, LifecycleEvent::Closed { .. }]
        ),
        "{seen:?}"
    );
    tokio::try_join!(caller, watcher).expect("both end well");
}

/// A name is free when its hook has run. A monitor that is made before that waits for the hook.
#[tokio::test(start_paused = true)]
async fn a_monitor_of_an_actor_that_is_just_closing_waits_for_its_hooks() {
    let system = System::new();
    let worker = worker(&system).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let (watched, tell_last) = (worker.clone(), tell.clone());
    let hook = move || {
        let (mut late, forgotten) = (watched.monitor(), watched.monitor());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let waits = std::pin::Pin::new(&mut late).poll(&mut cx).is_pending();
        tell.send(format!("{:?}, waits: {waits}", watched.state())).expect("it waits");
        drop(forgotten);
        tokio::spawn(async move { tell.send(late.await.reason.to_string()) });
    };
    assert!(worker.handle().on_close(hook));
    assert!(worker.handle().on_close(move || tell_last.send("the last hook".to_owned()).expect("it waits")));
    worker.kill().expect("it lives");
    assert_eq!(told.recv().await.as_deref(), Some("Closed, waits: true"));
    assert_eq!(told.recv().await.as_deref(), Some("the last hook"));
    assert_eq!(told.recv().await, Some(ExitReason::NoProcess.to_string()));
    assert_eq!(worker.monitor().await.pid, None, "at once, now that it is over");
}

#[tokio::test(start_paused = true)]
async fn a_hook_on_an_actor_that_is_closed_does_not_run() {
    let identity = Identity::<Msg>::new(MailboxConfig::default());
    assert!(!identity.address().handle().on_close(|| panic!("it never closes")));
}
