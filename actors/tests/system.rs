//! Systems: their isolation, their lifecycle events, and counters that add up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use perennial_actors::host::Identity;
use perennial_actors::{
    Actor, Address, Context, DeadLetter, DeadLetterReason, ExitReason, LifecycleEvent, MailboxConfig,
    MessageStats, Pid, Reply, SendError, System,
};

enum Msg {
    Work,
    Fail,
    Count(Reply<u64>),
}

struct Worker(u64);

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Work => self.0 += 1,
            Msg::Fail => return Err(ExitReason::failed("on purpose")),
            Msg::Count(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

async fn worker(system: &System) -> Address<Msg> {
    system.spawn::<Worker>(()).mailbox(MailboxConfig::unbounded()).await.expect("it starts")
}

async fn end(worker: &Address<Msg>) {
    let down = worker.monitor();
    worker.stop(ExitReason::Normal).expect("it lives");
    down.await;
}

#[tokio::test(start_paused = true)]
async fn two_systems_are_isolated() {
    let (one, other) = (System::new(), System::new());
    let (mut events, mut dead_letters) =
        (other.subscribe::<LifecycleEvent>(), other.subscribe::<DeadLetter>());
    let (first, second) = (worker(&one).await, worker(&other).await);
    assert_eq!(first.pid(), second.pid(), "each counts for itself");
    events.next().await.expect("its own actor has started");
    [Msg::Fail, Msg::Work].into_iter().for_each(|msg| assert!(first.cast(msg).is_ok()));
    first.monitor().await;
    assert!(events.try_next().is_none() && dead_letters.try_next().is_none());
    assert_eq!((one.counters().accepted, other.counters()), (2, MessageStats::default()));
    assert!(one != other && one == one.clone());
}

#[tokio::test(start_paused = true)]
async fn the_events_of_an_actor_come_in_the_order_in_which_they_happened() {
    let system = System::new();
    let mut events = system.subscribe::<LifecycleEvent>();
    let address = system.spawn::<Worker>(()).label("a worker").await.expect("it starts");
    let lived = address.pid().expect("it lives");
    assert!(address.cast(Msg::Fail).is_ok());
    address.monitor().await;
    let seen: Vec<(&str, Pid, Arc<str>, String)> = std::iter::from_fn(|| events.try_next())
        .map(|event| match event {
            LifecycleEvent::Started { pid, label } => ("started", pid, label, String::new()),
            LifecycleEvent::Ended { pid, label, reason } => ("ended", pid, label, reason.to_string()),
            LifecycleEvent::Closed { pid, label, reason, messages } => {
                assert_eq!((messages.accepted, messages.lost_in_flight, messages.queued), (1, 1, 0));
                ("closed", pid, label, reason.to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("started", ""), ("ended", "failed: on purpose"), ("closed", "failed: on purpose")];
    assert_eq!(seen, expected.map(|(what, why)| (what, lived, "a worker".into(), why.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_actor_is_labelled_with_its_type_unless_set_otherwise() {
    let system = System::new();
    let label = worker(&system).await.handle().label();
    assert_eq!(label.as_deref(), Some(std::any::type_name::<Worker>()));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_begins_when_it_is_made_and_ends_with_the_system() {
    let system = System::new();
    let earlier = worker(&system).await;
    let mut events = system.subscribe::<LifecycleEvent>();
    end(&earlier).await;
    assert!(matches!(events.next().await, Some(LifecycleEvent::Ended { .. })));
    assert!(matches!(events.next().await, Some(LifecycleEvent::Closed { .. })));
    // An address belongs to its system, so the system lives as long as the last address.
    drop(system);
    assert!(earlier.handle().label().is_some());
    drop(earlier);
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_misses_the_oldest_and_blocks_no_actor() {
    const MANY: u64 = 10_000;
    const RING: u64 = 4_096;
    let system = System::new();
    let (mut slow, mut dead_letters) = (system.subscribe::<DeadLetter>(), system.subscribe::<DeadLetter>());
    let worker = worker(&system).await;
    assert!(worker.cast(Msg::Fail).is_ok());
    (1..MANY).for_each(|_| assert!(worker.cast(Msg::Work).is_ok()));
    assert!(worker.monitor().await.reason.is_abnormal(), "it has ended, though no dead letter was read");
    let read = std::iter::from_fn(|| slow.try_next()).count() as u64;
    assert_eq!((read, slow.missed()), (RING, MANY - RING));
    // The oldest letters are missed. The first of them is that of the message in flight.
    let first = dead_letters.next().await.expect("a dead letter");
    assert!(matches!(first.reason, DeadLetterReason::Unhandled(_)));
    assert_eq!(system.counters().dead_lettered, MANY - 1);
}

#[tokio::test(start_paused = true)]
async fn the_counters_of_actors_that_are_gone_stay_in_the_totals() {
    let system = System::new();
    for _ in 0..20 {
        let worker = worker(&system).await;
        [Msg::Work, Msg::Fail, Msg::Work].into_iter().for_each(|msg| assert!(worker.cast(msg).is_ok()));
        worker.monitor().await;
    }
    // The mailbox of an identity that is dropped without an incarnation.
    let identity = Identity::<Msg>::new(MailboxConfig::default());
    identity.open(&system, || "unserved".into());
    assert!(identity.address().cast(Msg::Work).is_ok());
    assert_eq!(system.counters().queued, 1);
    drop(identity);
    let expected =
        MessageStats { accepted: 61, handled: 20, lost_in_flight: 20, dead_lettered: 21, queued: 0 };
    assert_eq!(system.counters(), expected);
}

/// Casts up to `messages` messages. Returns how many were accepted.
async fn flood(worker: Address<Msg>, messages: u64) -> u64 {
    let mut accepted = 0;
    for n in 0..messages {
        let msg = if n % 1_000 == 999 { Msg::Fail } else { Msg::Work };
        match worker.cast(msg) {
            Ok(()) => accepted += 1,
            Err(SendError::Full(_)) => tokio::task::yield_now().await,
            Err(_) => return accepted,
        }
        tokio::task::consume_budget().await;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counters_of_a_system_add_up_at_any_time() {
    let (system, over) = (System::new(), Arc::new(AtomicBool::new(false)));
    let auditor = std::thread::spawn({
        let (system, over) = (system.clone(), over.clone());
        move || {
            let mut audits = 0;
            while !over.load(Ordering::Relaxed) {
                let counters = system.counters();
                assert!(counters.is_balanced(), "{counters:?}");
                audits += 1;
                std::thread::yield_now();
            }
            audits
        }
    });
    let (mut senders, mut workers) = (Vec::new(), Vec::new());
    for n in 0..30 {
        let small = MailboxConfig::bounded(50);
        let mailbox = if n % 2 == 0 { small } else { MailboxConfig::unbounded() };
        let worker = system.spawn::<Worker>(()).mailbox(mailbox).await.expect("it starts");
        senders.extend((0..3).map(|_| tokio::spawn(flood(worker.clone(), 3_000))));
        if n % 3 == 0 {
            // It may have failed by now.
            let _ = worker.kill();
        }
        workers.push(worker);
    }
    let mut accepted = 0;
    for sender in senders {
        accepted += sender.await.expect("it ends well");
    }
    over.store(true, Ordering::Relaxed);
    assert!(auditor.join().expect("it always added up") > 0);
    assert_eq!(system.counters().accepted, accepted);
    assert_eq!(workers.iter().map(|worker| worker.counters().accepted).sum::<u64>(), accepted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_actor_under_load_handles_every_message_it_accepted() {
    let system = System::new();
    let worker = worker(&system).await;
    let casts = |worker: Address<Msg>| async move {
        for _ in 0..5_000 {
            assert!(worker.cast(Msg::Work).is_ok());
            tokio::task::consume_budget().await;
        }
    };
    let senders: Vec<_> = (0..4).map(|_| tokio::spawn(casts(worker.clone()))).collect();
    for sender in senders {
        sender.await.expect("it ends well");
    }
    assert_eq!(worker.call(Msg::Count).await.expect("it answers"), 20_000);
    end(&worker).await;
    let expected = MessageStats { accepted: 20_001, handled: 20_001, ..MessageStats::default() };
    assert_eq!(system.counters(), expected);
}

#[test]
fn an_extension_is_the_same_for_all_of_a_type_and_system() {
    struct Motto(&'static str);
    struct Made(usize);

    let system = System::new();
    assert_eq!(system.extension(|| Motto("let it crash")).0, "let it crash");
    assert_eq!(system.clone().extension(|| Motto("never made")).0, "let it crash");
    assert_eq!(System::new().extension(|| Motto("another system")).0, "another system");
    // Several may be made at once. The first that is inserted is that of all.
    let made = AtomicUsize::new(0);
    let found = std::thread::scope(|scope| {
        let make = || system.extension(|| Made(made.fetch_add(1, Ordering::Relaxed))).0;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends well")).collect::<Vec<_>>()
    });
    let kept = system.extension(|| Made(8)).0;
    assert!(kept < made.into_inner(), "one that a thread has made");
    assert_eq!(found, [kept; 8]);
    assert_eq!(system.extension(|| Motto("never made")).0, "let it crash");
}
