//! Stopping a system, and waiting until it is idle.

use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use tokio::time::Instant;

enum Msg {
    /// Sends the next lower number to the other address, which sends it back; down to zero.
    Pass(u32, Option<Address<Self>>),
    Work(Duration),
    Wait,
    Fail,
    Timer(Duration),
    Shutdown(Reply<bool>),
    Settled(Reply<()>),
}

struct Worker {
    stop_time: Duration,
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = Duration;

    async fn init(stop_time: &Duration, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        tokio::task::yield_now().await;
        Ok(Self { stop_time: *stop_time })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Pass(0, _) => {}
            Msg::Pass(left, Some(other)) => {
                tokio::task::yield_now().await;
                other.cast(Msg::Pass(left - 1, Some(ctx.address())))?;
            }
            Msg::Pass(_, None) => {}
            Msg::Work(time) => tokio::time::sleep(time).await,
            Msg::Wait => std::future::pending().await,
            Msg::Fail => return Err(std::io::Error::other("it fails").into()),
            Msg::Timer(after) => drop(ctx.send_after(after, Msg::Pass(0, None))),
            Msg::Shutdown(reply) => {
                let report = ctx.system().clone().shutdown(Duration::from_secs(1)).await?;
                reply.send(report.is_clean());
            }
            Msg::Settled(reply) => {
                ctx.system().clone().settled().await;
                reply.send(());
            }
        }
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        tokio::time::sleep(self.stop_time).await;
    }
}

async fn worker(system: &System, stop_time: u64) -> Address<Msg> {
    system.spawn::<Worker>(Duration::from_secs(stop_time)).await.expect("it starts")
}

fn send(address: &Address<Msg>, msg: Msg) {
    assert!(address.cast(msg).is_ok());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_every_actor_by_shutdown_after_the_message_in_flight() {
    let (system, begun) = (System::new(), Instant::now());
    let (slow, idle) = (worker(&system, 2).await, worker(&system, 0).await);
    send(&slow, Msg::Work(Duration::from_secs(3)));
    tokio::task::yield_now().await;
    send(&slow, Msg::Wait);
    let (slow_ends, idle_ends) = (slow.monitor(), idle.monitor());
    let report = system.shutdown(Duration::from_secs(10)).await.expect("there are timers");
    assert!(report.is_clean());
    assert_eq!(begun.elapsed().as_secs(), 5, "three in the handler and two in terminate");
    assert!(matches!(slow_ends.await.reason, ExitReason::Shutdown(None)));
    assert!(matches!(idle_ends.await.reason, ExitReason::Shutdown(None)));
    assert_eq!((report.counters.handled, report.counters.dead_lettered), (1, 1));
    assert!(report.counters.is_balanced());
}

#[tokio::test(start_paused = true)]
async fn shutdown_kills_actors_that_have_not_stopped_after_the_grace_period() {
    let (system, begun) = (System::new(), Instant::now());
    let hanging = worker(&system, 0).await;
    send(&hanging, Msg::Wait);
    tokio::task::yield_now().await;
    let ends = hanging.monitor();
    let report = system.shutdown(Duration::from_secs(7)).await.expect("there are timers");
    assert_eq!(begun.elapsed().as_secs(), 7);
    assert_eq!(
        (report.killed.as_slice(), report.unstopped.as_slice()),
        ([hanging.handle()].as_slice(), [].as_slice())
    );
    assert!(!report.is_clean());
    assert!(matches!(ends.await.reason, ExitReason::Killed));
    assert_eq!(report.counters.lost_in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_stops_actors_that_are_spawned_while_it_waits() {
    let system = System::new();
    let first = worker(&system, 5).await;
    let stopping = tokio::spawn({
        let system = system.clone();
        async move { system.shutdown(Duration::from_secs(60)).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = worker(&system, 0).await;
    let _ = first.monitor().await;
    assert!(stopping.await.expect("no panic").expect("there are timers").is_clean());
    assert!(second.pid().is_none());
}

#[test]
fn shutdown_reports_an_actor_that_never_awaits() {
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let system = System::new();
    let (release, until) = std::sync::mpsc::channel();
    let (tell_begun, begun) = std::sync::mpsc::channel();
    let stuck = other.block_on(async {
        let system = system.clone();
        tokio::spawn(async move { system.spawn::<Stuck>(()).await })
            .await
            .expect("no panic")
            .expect("it starts")
    });
    assert!(stuck.cast((tell_begun, until)).is_ok());
    begun.recv().expect("the handler runs");
    let paused = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let report = paused.expect("a runtime").block_on(system.shutdown(Duration::ZERO)).expect("timers");
    assert_eq!(report.unstopped, [stuck.handle()]);
    release.send(()).expect("it still waits");
}

/// Blocks its thread in a handler.
struct Stuck;

impl Actor for Stuck {
    type Msg = (std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>);
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (begun, until): Self::Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        begun.send(())?;
        until.recv()?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_excludes_the_actor_that_awaits_it() {
    let system = System::new();
    let (caller, other) = (worker(&system, 0).await, worker(&system, 0).await);
    assert!(caller.call(Msg::Shutdown).await.expect("an answer"));
    assert!(other.pid().is_none() && caller.pid().is_some());
}

#[test]
fn shutdown_without_timers_is_an_error_and_stops_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let system = System::new();
        let actor = worker(&system, 0).await;
        assert!(system.shutdown(Duration::from_secs(1)).await.is_err());
        assert!(actor.pid().is_some());
    });
}

#[tokio::test]
async fn an_empty_system_is_settled_and_shut_down_at_once() {
    let system = System::new();
    system.settled().await;
    assert!(system.shutdown(Duration::ZERO).await.expect("there are timers").is_clean());
}

#[tokio::test]
async fn settled_waits_for_messages_that_messages_cause() {
    let system = System::new();
    let (one, two) = (worker(&system, 0).await, worker(&system, 0).await);
    send(&one, Msg::Pass(1000, Some(two)));
    system.settled().await;
    let counters = system.counters();
    assert_eq!((counters.handled, counters.queued), (1001, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_waits_for_messages_that_messages_cause_on_other_threads() {
    for _ in 0..50 {
        let system = System::new();
        let ring: Vec<_> = vec![worker(&system, 0).await, worker(&system, 0).await, worker(&system, 0).await];
        for (at, actor) in ring.iter().enumerate() {
            send(actor, Msg::Pass(50, Some(ring[(at + 1) % 3].clone())));
        }
        system.settled().await;
        let counters = system.counters();
        assert_eq!((counters.handled, counters.queued), (153, 0));
    }
}

#[tokio::test]
async fn settled_waits_for_starts_and_for_ends() {
    let system = System::new();
    let actor = system.spawn::<Worker>(Duration::ZERO).detach().expect("a runtime");
    send(&actor, Msg::Fail);
    send(&actor, Msg::Fail);
    system.settled().await;
    let counters = system.counters();
    assert_eq!((counters.lost_in_flight, counters.dead_lettered, actor.pid()), (1, 1, None));
}

#[tokio::test(start_paused = true)]
async fn settled_does_not_wait_for_timers() {
    let (system, begun) = (System::new(), Instant::now());
    let actor = worker(&system, 0).await;
    send(&actor, Msg::Timer(Duration::from_secs(60)));
    system.settled().await;
    assert!(begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_a_handler_that_awaits() {
    let (system, begun) = (System::new(), Instant::now());
    let actor = worker(&system, 0).await;
    send(&actor, Msg::Work(Duration::from_secs(3)));
    system.settled().await;
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn settled_waits_for_a_suspended_actor_until_it_is_resumed() {
    let system = System::new();
    let actor = worker(&system, 0).await;
    actor.handle().suspend().expect("it lives");
    send(&actor, Msg::Pass(0, None));
    let settled = tokio::spawn({
        let system = system.clone();
        async move { system.settled().await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!settled.is_finished());
    actor.handle().resume().expect("it lives");
    settled.await.expect("no panic");
    assert_eq!(actor.counters().handled, 1);
}

#[tokio::test]
async fn settled_excludes_the_actor_that_awaits_it() {
    let system = System::new();
    let actor = worker(&system, 0).await;
    actor.call(Msg::Settled).await.expect("an answer");
}
