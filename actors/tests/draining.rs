//! Draining: queued messages are handled, and no further one is accepted.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, ProcessState, System};
use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Handles each number when the gate lets it through.
struct Gated {
    gate: Arc<Semaphore>,
    handled: u64,
}

impl Actor for Gated {
    type Msg = u64;
    type Args = Arc<Semaphore>;

    async fn init(gate: &Arc<Semaphore>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { gate: gate.clone(), handled: 0 })
    }

    async fn handle(&mut self, number: u64, _: &mut Context<Self>) -> Result<(), ExitReason> {
        assert_eq!(number, self.handled, "messages keep their order");
        self.handled += 1;
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

async fn spawn(mailbox: MailboxConfig) -> (System, Arc<Semaphore>, Address<u64>) {
    let (system, gate) = (System::new(), Arc::new(Semaphore::new(0)));
    let actor = system.spawn::<Gated>(gate.clone()).mailbox(mailbox).await.expect("it starts");
    (system, gate, actor)
}

#[tokio::test(start_paused = true)]
async fn drained_actor_handles_what_is_queued_in_order_and_then_ends() {
    let (system, gate, actor) = spawn(MailboxConfig::unbounded()).await;
    for number in 0..1_000 {
        actor.cast(number).expect("it is accepted");
    }
    yield_now().await;
    let down = actor.monitor();
    actor.handle().drain(ExitReason::shutdown()).expect("it runs");
    gate.add_permits(1_000);
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    let counters = actor.handle().counters();
    assert_eq!((counters.handled, counters.dead_lettered, counters.queued), (1_000, 0, 0));
    assert!(system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn draining_mailbox_refuses_messages_permits_and_waiting_senders_and_gives_the_messages_back() {
    let (_system, gate, actor) = spawn(MailboxConfig::bounded(2.try_into().expect("not zero"))).await;
    let permit = actor.reserve().await.expect("there is room");
    actor.cast(0).expect("there is room");
    yield_now().await;
    actor.cast(1).expect("there is room");
    let waiting = tokio::spawn({
        let actor = actor.clone();
        async move { actor.send(7).await }
    });
    yield_now().await;
    let down = actor.monitor();
    actor.handle().drain(ExitReason::shutdown()).expect("it runs");
    assert!(matches!(actor.handle().state(), ProcessState::Alive(_)), "it still works");
    assert!(actor.handle().drain(ExitReason::Killed).is_err(), "the first one counts");
    assert_eq!(actor.cast(8).expect_err("it is refused").into_inner(), 8);
    assert_eq!(waiting.await.expect("it ends").expect_err("it is refused").into_inner(), 7);
    assert_eq!(permit.send(9).expect_err("it is refused").into_inner(), 9);
    gate.add_permits(2);
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    assert_eq!(actor.handle().counters().handled, 2);
}

#[tokio::test(start_paused = true)]
async fn drained_actor_without_messages_ends_at_once() {
    let (_system, _gate, actor) = spawn(MailboxConfig::default()).await;
    yield_now().await;
    let down = actor.monitor();
    actor.handle().drain(ExitReason::Normal).expect("it runs");
    assert!(matches!(down.await.reason, ExitReason::Normal));
    assert!(actor.handle().drain(ExitReason::Normal).is_err(), "no incarnation lives");
}

#[tokio::test(start_paused = true)]
async fn drained_actor_that_is_suspended_is_resumed() {
    let (_system, gate, actor) = spawn(MailboxConfig::default()).await;
    actor.handle().suspend().expect("it runs");
    yield_now().await;
    actor.cast(0).expect("it is accepted");
    gate.add_permits(1);
    let down = actor.monitor();
    actor.handle().drain(ExitReason::Normal).expect("it runs");
    assert!(matches!(down.await.reason, ExitReason::Normal));
    assert_eq!(actor.handle().counters().handled, 1);
}

#[tokio::test(start_paused = true)]
async fn stop_and_kill_do_not_wait_for_a_drain() {
    for kills in [false, true] {
        let (system, gate, actor) = spawn(MailboxConfig::default()).await;
        for number in 0..10 {
            actor.cast(number).expect("it is accepted");
        }
        yield_now().await;
        let down = actor.monitor();
        actor.handle().drain(ExitReason::Normal).expect("it runs");
        if kills { actor.kill() } else { actor.stop(ExitReason::shutdown()) }.expect("it runs");
        gate.add_permits(1);
        let reason = tokio::time::timeout(Duration::from_secs(1), down).await.expect("it ends").reason;
        assert_eq!(matches!(reason, ExitReason::Killed), kills, "{reason}");
        let counters = actor.handle().counters();
        assert_eq!(counters.dead_lettered, 9, "{counters:?}");
        assert!(system.counters().is_balanced());
    }
}

/// The suspension is queued behind the running handler, so it is handled only when the actor
/// drains already.
#[tokio::test(start_paused = true)]
async fn suspension_that_is_pending_when_the_drain_begins_or_comes_later_is_ignored() {
    for is_later in [false, true] {
        let (_system, gate, actor) = spawn(MailboxConfig::default()).await;
        for number in 0..3 {
            actor.cast(number).expect("it is accepted");
        }
        yield_now().await;
        let down = actor.monitor();
        if is_later {
            actor.handle().drain(ExitReason::Normal).expect("it runs");
        }
        actor.handle().suspend().expect("it runs");
        if !is_later {
            actor.handle().drain(ExitReason::Normal).expect("it runs");
        }
        gate.add_permits(3);
        let ended = tokio::time::timeout(Duration::from_secs(60), down).await.expect("it ends");
        assert!(matches!(ended.reason, ExitReason::Normal));
        assert_eq!(actor.handle().counters().handled, 3);
    }
}
