//! Actors through the facade: what every message and every end comes to.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{CallError, Counters, DeadReason, Event, NoProcess, PanicLocations, ProcessState, SendError};
use tokio::sync::{Notify, mpsc};

enum Msg {
    Log(u32),
    /// Say that it has begun, then wait to be let go.
    Block(Arc<Notify>, Arc<Notify>),
    Fail,
    Panic(&'static str),
    Stop,
    Echo(u32, Reply<u32>),
    Drop(Reply<u32>),
    Keep(Reply<u32>),
    FailWith(Reply<u32>),
    PanicWith(Reply<u32>),
}

/// Tells a channel what it handles, and how it ends.
struct Probe {
    log: mpsc::UnboundedSender<String>,
    kept: Vec<Reply<u32>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
struct DiskFull;

impl Actor for Probe {
    type Msg = Msg;
    type Args = mpsc::UnboundedSender<String>;

    async fn init(log: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { log: log.clone(), kept: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Log(n) => self.log.send(n.to_string())?,
            Msg::Block(begun, go) => {
                begun.notify_one();
                go.notified().await;
            }
            Msg::Fail => Err(DiskFull)?,
            Msg::Panic(text) => panic!("{text}"),
            Msg::Stop => ctx.stop(ExitReason::shutdown_because("done")),
            Msg::Echo(n, reply) => reply.send(n),
            Msg::Drop(reply) => drop(reply),
            Msg::Keep(reply) => self.kept.push(reply),
            Msg::FailWith(_reply) => Err(DiskFull)?,
            Msg::PanicWith(_reply) => panic!("with a reply in hand"),
        }
        Ok(())
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        self.log.send(format!("terminate: {reason}")).ok();
    }
}

struct Bench {
    system: System,
    probe: Address<Msg>,
    log: mpsc::UnboundedReceiver<String>,
}

impl Bench {
    async fn new(mailbox: Mailbox) -> Self {
        let (sender, log) = mpsc::unbounded_channel();
        let system = System::new();
        let probe = system.spawn::<Probe>(sender).mailbox(mailbox).await.expect("it starts");
        Self { system, probe, log }
    }

    /// The actor is in a handler, until the notification.
    async fn block(&self) -> Arc<Notify> {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        self.probe.cast(Msg::Block(begun.clone(), go.clone())).expect("there is room");
        begun.notified().await;
        go
    }

    async fn log(mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = self.log.recv().await {
            all.push(line);
        }
        all
    }
}

fn two() -> Mailbox {
    Mailbox::bounded(NonZeroUsize::new(2).expect("two is not zero"))
}

#[tokio::test(start_paused = true)]
async fn a_stop_acts_after_the_message_in_hand_and_ahead_of_all_that_wait() {
    let bench = Bench::new(Mailbox::default()).await;
    let mut dead = bench.system.dead_letters();
    let (down, go) = (bench.probe.monitor(), bench.block().await);
    bench.probe.cast(Msg::Log(1)).expect("there is room");
    bench.probe.stop(ExitReason::shutdown()).expect("it lives");
    go.notify_one();
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    let letter = dead.next().await.expect("the message that waited is dead");
    assert!(matches!(letter.reason, DeadReason::Unhandled(ExitReason::Shutdown(None))));
    assert!(letter.message_type.ends_with("Msg"));
    assert!(matches!(bench.probe.cast(Msg::Log(2)), Err(SendError::Closed(Msg::Log(2)))));
    assert_eq!(bench.probe.stop(ExitReason::Normal), Err(NoProcess));
    let counters = bench.system.counters();
    assert_eq!((counters.accepted, counters.handled, counters.dead_lettered), (2, 1, 1));
    assert_eq!(bench.log().await, ["terminate: shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_kill_acts_inside_a_handler_and_skips_terminate() {
    let bench = Bench::new(Mailbox::default()).await;
    let (down, _never) = (bench.probe.monitor(), bench.block().await);
    bench.probe.kill().expect("it lives");
    assert!(matches!(down.await.reason, ExitReason::Killed));
    let Counters { accepted, lost_in_flight, queued, .. } = bench.probe.counters();
    assert_eq!((accepted, lost_in_flight, queued), (1, 1, 0));
    assert_eq!(bench.log().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_actor_with_its_message_and_its_place() {
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    let (sender, _log) = mpsc::unbounded_channel();
    let probe = system.spawn::<Probe>(sender).await.expect("it starts");
    let (down, mut dead) = (probe.monitor(), system.dead_letters());
    probe.cast(Msg::Panic("out of luck")).expect("there is room");
    let ExitReason::Panicked(panic) = down.await.reason else { panic!("it panicked") };
    assert_eq!(panic.message, "out of luck");
    assert!(panic.location.as_deref().is_some_and(|place| place.contains("tests/actors.rs:")), "{panic:?}");
    let letter = dead.next().await.expect("the message in hand is dead");
    assert!(matches!(letter.reason, DeadReason::InFlight(ExitReason::Panicked(_))));
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_an_actor_with_that_error() {
    let bench = Bench::new(Mailbox::default()).await;
    let down = bench.probe.monitor();
    bench.probe.cast(Msg::Fail).expect("there is room");
    let reason = down.await.reason;
    let ExitReason::Failed(failure) = &reason else { panic!("it failed: {reason}") };
    assert!(failure.downcast_ref::<DiskFull>().is_some());
    assert!(reason.is_abnormal());
    assert_eq!(bench.log().await, ["terminate: failed: the disk is full"]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_stops_itself_has_handled_the_message() {
    let bench = Bench::new(Mailbox::default()).await;
    let down = bench.probe.monitor();
    bench.probe.cast(Msg::Stop).expect("there is room");
    assert_eq!(down.await.reason.to_string(), "shutdown: done");
    assert_eq!(bench.probe.counters().handled, 1);
    assert_eq!(bench.probe.state(), ProcessState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_call_says_what_became_of_it() {
    let bench = Bench::new(Mailbox::default()).await;
    assert_eq!(bench.probe.call(|reply| Msg::Echo(7, reply)).await.expect("it answers"), 7);
    assert!(matches!(bench.probe.call(Msg::Drop).await, Err(CallError::ReplyDropped)));
    let late = bench.probe.call(Msg::Keep).timeout(Duration::from_millis(10)).await;
    assert!(matches!(late, Err(CallError::TimedOut)));
    let long = bench.probe.call(Msg::Keep).await;
    assert!(matches!(long, Err(CallError::TimedOut)), "5 seconds unless set otherwise");
    let kept = tokio::spawn({
        let probe = bench.probe.clone();
        async move { probe.call(Msg::Keep).no_timeout().await }
    });
    let Err(CallError::Ended(reason)) = bench.probe.call(Msg::FailWith).await else { panic!("it ended") };
    assert_eq!(reason.to_string(), "failed: the disk is full");
    let Err(CallError::Ended(reason)) = kept.await.expect("it ends well") else { panic!("it ended") };
    assert_eq!(
        reason.to_string(),
        "failed: the disk is full",
        "a reply that was kept goes down with the actor"
    );
    let Err(CallError::Closed(Msg::Echo(8, _))) = bench.probe.call(|reply| Msg::Echo(8, reply)).await else {
        panic!("the message comes back");
    };
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_or_waits_in_a_mailbox_that_closes_is_told_why() {
    let bench = Bench::new(Mailbox::default()).await;
    let go = bench.block().await;
    let call = |message: fn(Reply<u32>) -> Msg| {
        let probe = bench.probe.clone();
        tokio::spawn(async move { probe.call(message).await })
    };
    let (first, second) = (call(Msg::PanicWith), call(Msg::Drop));
    while bench.probe.counters().queued < 3 {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    assert!(matches!(first.await.expect("it ends well"), Err(CallError::Ended(ExitReason::Panicked(_)))));
    assert!(matches!(second.await.expect("it ends well"), Err(CallError::Ended(ExitReason::Panicked(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_gives_a_cast_back_and_lets_a_send_wait() {
    let bench = Bench::new(two()).await;
    let go = bench.block().await;
    for n in 1..=2 {
        bench.probe.cast(Msg::Log(n)).expect("there is room");
    }
    assert!(matches!(bench.probe.cast(Msg::Log(9)), Err(SendError::Full(Msg::Log(9)))));
    let quick = bench.probe.call(|reply| Msg::Echo(9, reply)).timeout(Duration::from_millis(1));
    assert!(matches!(quick.await, Err(CallError::NoRoom(Msg::Echo(9, _)))));
    let cancelled = tokio::time::timeout(Duration::from_millis(1), bench.probe.send(Msg::Log(9)));
    assert!(cancelled.await.is_err(), "there is no room");
    let waiting = tokio::spawn({
        let probe = bench.probe.clone();
        async move {
            for n in 3..=20 {
                probe.send(Msg::Log(n)).await.expect("it is served");
            }
        }
    });
    tokio::task::yield_now().await;
    go.notify_one();
    waiting.await.expect("it ends well");
    bench.probe.call(|reply| Msg::Echo(0, reply)).await.expect("it answers");
    bench.probe.stop(ExitReason::Normal).expect("it lives");
    let mut expected: Vec<String> = (1..=20).map(|n: u32| n.to_string()).collect();
    expected.push("terminate: normal".to_owned());
    assert_eq!(bench.log().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_when_the_mailbox_closes_gets_its_message_back() {
    let bench = Bench::new(two()).await;
    let _never = bench.block().await;
    for n in 1..=2 {
        bench.probe.cast(Msg::Log(n)).expect("there is room");
    }
    let waiting = tokio::spawn({
        let probe = bench.probe.clone();
        async move { probe.send(Msg::Log(3)).await }
    });
    tokio::task::yield_now().await;
    bench.probe.kill().expect("it lives");
    let refused = waiting.await.expect("it ends well").expect_err("it is closed");
    assert!(matches!(refused.0, Msg::Log(3)));
}

#[tokio::test(start_paused = true)]
async fn a_monitor_always_answers_once_for_one_incarnation() {
    let bench = Bench::new(Mailbox::default()).await;
    let pid = bench.probe.pid();
    let (one, other) = (bench.probe.monitor(), bench.probe.handle().monitor());
    drop(bench.probe.monitor());
    bench.probe.stop(ExitReason::Normal).expect("it lives");
    assert_eq!((one.await.pid, other.await.pid), (pid, pid));
    let late = bench.probe.monitor().await;
    assert!(late.pid.is_none() && matches!(late.reason, ExitReason::NoProcess));
}

#[tokio::test(start_paused = true)]
async fn events_of_an_actor_come_in_order() {
    let (system, (sender, _log)) = (System::new(), mpsc::unbounded_channel());
    let mut events = system.events();
    let probe = system.spawn::<Probe>(sender).label("probe").await.expect("it starts");
    let pid = probe.pid().expect("it lives");
    probe.stop(ExitReason::Normal).expect("it lives");
    probe.monitor().await;
    assert!(
        matches!(events.try_next(), Some(Event::Started { pid: p, label }) if p == pid && &*label == "probe")
    );
    assert!(
        matches!(events.try_next(), Some(Event::Ended { pid: p, reason: ExitReason::Normal, .. }) if p == pid)
    );
    assert!(matches!(events.try_next(), Some(Event::Closed { pid: p, .. }) if p == pid));
    assert!(events.try_next().is_none());
}

#[test]
fn outside_a_runtime_a_spawn_is_refused() {
    let (sender, _log) = mpsc::unbounded_channel();
    let refused = System::new().spawn::<Probe>(sender).detach();
    assert!(matches!(refused, Err(perennial::start::ActorError::NoRuntime)));
}

#[tokio::test]
async fn a_flooded_actor_lets_its_neighbours_run() {
    let bench = Bench::new(Mailbox::unbounded()).await;
    for n in 0..10_000 {
        bench.probe.cast(Msg::Log(n)).expect("there is room");
    }
    // On this one thread a neighbour gets its turn long before the flood is over.
    let neighbour = tokio::spawn(async {});
    neighbour.await.expect("it ends well");
    assert!(bench.probe.counters().handled < 10_000);
    bench.probe.call(|reply| Msg::Echo(1, reply)).await.expect("it answers");
    assert!(bench.probe.counters().balanced());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_accounts_of_a_system_add_up_at_any_time_under_load() {
    let system = System::new();
    let actors: Vec<_> = (0..8)
        .map(|_| system.spawn::<Probe>(mpsc::unbounded_channel().0).mailbox(Mailbox::unbounded()).detach())
        .collect::<Result<_, _>>()
        .expect("they start");
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let actors = actors.clone();
            tokio::spawn(async move {
                for n in 0..2_000_u32 {
                    let actor = &actors[(n as usize + sender) % actors.len()];
                    // They do not have anybody to log to any more: each dies of the first message, or of a kill.
                    drop(actor.cast(if n % 3 == 0 { Msg::Log(n) } else { Msg::Fail }));
                    tokio::task::consume_budget().await;
                }
            })
        })
        .collect();
    for _ in 0..200 {
        let counters = system.counters();
        assert!(counters.balanced(), "{counters:?}");
        tokio::task::yield_now().await;
    }
    for sender in senders {
        sender.await.expect("it ends well");
    }
    for actor in &actors {
        actor.monitor().await;
    }
    let (living, accepted) = (system.counters(), system.counters().accepted);
    assert!(living.balanced() && living.queued == 0, "{living:?}");
    drop(actors);
    assert_eq!(system.counters().accepted, accepted, "the books keep those that are gone");
}
