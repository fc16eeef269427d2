//! The central promise, through the facade alone: an address and a name stay valid across all
//! crashes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{
    App, CallError, ChildState, DeadLetter, DeadLetterReason, ReportKind, SupervisionStats, SupervisorHandle,
    SupervisorReport,
};

const WORKER: Name<Msg> = Name::new("worker");

enum Msg {
    Note(u64),
    Crash,
    Panic,
    Incarnation(Reply<u32>),
}

/// A worker that records its messages where every incarnation and the test can read them.
type Notes = Arc<Mutex<HashMap<u64, u32>>>;

struct Worker(Notes);

impl Actor for Worker {
    type Msg = Msg;
    type Args = Notes;

    async fn init(notes: &Notes, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(notes.clone()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Note(n) => *self.0.lock().expect("not poisoned").entry(n).or_default() += 1,
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Panic => panic!("on purpose"),
            Msg::Incarnation(reply) => reply.send(ctx.pid().incarnation()),
        }
        Ok(())
    }
}

fn worker(notes: &Notes) -> Child<Msg> {
    Child::new::<Worker>("worker", notes.clone()).named(WORKER).mailbox(MailboxConfig::unbounded())
}

/// Creates a supervisor with more restarts than any test needs.
fn tolerant(id: &'static str) -> Supervisor {
    Supervisor::new(id).intensity(1_000_000, Duration::from_secs(1))
}

async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).await.expect("the actor replies")
}

#[tokio::test(start_paused = true)]
async fn an_address_taken_before_the_start_reaches_the_third_incarnation() {
    let (system, child) = (System::new(), worker(&Notes::default()));
    let address = child.address();
    let refused = address.cast(Msg::Crash).expect_err("the mailbox is closed");
    let app = tolerant("app").child(child).start(&system).await.expect("the tree starts");
    address.cast(refused.into_inner()).expect("the mailbox is open");
    address.cast(Msg::Panic).expect("the child is pending");
    assert_eq!(incarnation(&address).await, 3);
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(address.call(Msg::Incarnation).await, Err(CallError::Closed(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cast_during_a_restart_storm_are_all_handled_once() {
    const SENDERS: u64 = 4;
    const EACH: u64 = 5_000;
    const CRASHES: u64 = 500;
    let (system, notes) = (System::new(), Notes::default());
    let child = worker(&notes);
    let address = child.address();
    let app = tolerant("app").child(child).start(&system).await.expect("the tree starts");
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let address = address.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    address.cast(Msg::Note(sender * EACH + n)).expect("the mailbox stays open");
                    if n % (SENDERS * EACH / CRASHES) == 0 {
                        address.cast(Msg::Crash).expect("the mailbox stays open");
                    }
                    tokio::task::consume_budget().await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("the task succeeds");
    }
    assert_eq!(u64::from(incarnation(&address).await), CRASHES + 1);
    {
        let notes = notes.lock().expect("not poisoned");
        assert_eq!(notes.len() as u64, SENDERS * EACH);
        assert!(notes.values().all(|times| *times == 1));
    }
    assert_eq!(SupervisionStats::of(&system).restarts, CRASHES);
    assert!(app.shutdown().await.is_clean());
    let counters = address.counters();
    assert!(counters.is_balanced(), "{counters:?}");
    assert_eq!((counters.lost_in_flight, counters.dead_lettered, counters.queued), (CRASHES, 0, 0));
}

/// Starts a root with a supervisor below it that tolerates no restart.
async fn two_levels(system: &System, notes: &Notes) -> (App<SupervisorHandle>, Address<Msg>) {
    let child = worker(notes);
    let address = child.address();
    let inner = Supervisor::new("inner").intensity(0, Duration::from_secs(1)).child(child);
    (tolerant("app").child(inner).start(system).await.expect("the tree starts"), address)
}

#[tokio::test(start_paused = true)]
async fn child_of_a_supervisor_that_exceeded_its_intensity_keeps_its_address_and_name() {
    let (system, notes) = (System::new(), Notes::default());
    let mut reports = system.subscribe::<SupervisorReport>();
    let (app, address) = two_levels(&system, &notes).await;
    address.cast(Msg::Crash).expect("the mailbox is open");
    address.cast(Msg::Note(7)).expect("the child is pending");
    assert_eq!(incarnation(&system.whereis(WORKER).expect("the name is bound")).await, 2);
    assert_eq!(notes.lock().expect("not poisoned").get(&7), Some(&1));
    assert_eq!(SupervisionStats::of(&system).escalations, 1);
    let gave_up = std::iter::from_fn(|| reports.try_next())
        .find(|report| matches!(report.kind, ReportKind::GaveUp { .. }));
    assert!(gave_up.is_some_and(|report| &*report.path == "app/inner"));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn child_of_a_killed_supervisor_keeps_its_address_and_name() {
    let (system, notes) = (System::new(), Notes::default());
    let (app, address) = two_levels(&system, &notes).await;
    for killed in 1..=20 {
        let inner = app.tree().at(["inner"]).expect("it exists").handle.clone();
        let down = inner.monitor();
        inner.kill().expect("an incarnation runs");
        // The worker may still run. A message sent now is handled by it or by the next incarnation.
        address.cast(Msg::Note(killed)).expect("the mailbox stays open");
        assert!(matches!(down.await.reason, ExitReason::Killed));
        address.cast(Msg::Note(100 + killed)).expect("the mailbox stays open");
        system.whereis(WORKER).expect("the name is bound");
        assert_eq!(u64::from(incarnation(&address).await), killed + 1);
    }
    assert_eq!(notes.lock().expect("not poisoned").len(), 40);
    let tree = app.tree();
    assert_eq!(tree.at(["inner", "worker"]).expect("it exists").state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
    assert!(system.whereis(WORKER).is_err(), "the name is free");
    assert!(system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn messages_queued_at_a_crash_are_kept_unless_the_mailbox_discards_them() {
    for (mailbox, kept) in
        [(MailboxConfig::unbounded(), 2), (MailboxConfig::unbounded().discard_on_restart(), 0)]
    {
        let (system, notes) = (System::new(), Notes::default());
        let mut dead = system.subscribe::<DeadLetter>();
        let child = worker(&notes).mailbox(mailbox);
        let address = child.address();
        let app = tolerant("app").child(child).start(&system).await.expect("the tree starts");
        let down = address.monitor();
        for message in [Msg::Crash, Msg::Note(1), Msg::Note(2)] {
            address.cast(message).expect("the mailbox is open");
        }
        down.await;
        assert_eq!(incarnation(&address).await, 2);
        assert_eq!(notes.lock().expect("not poisoned").len(), kept);
        let in_flight = dead.try_next().expect("the message in flight is a dead letter");
        assert!(matches!(in_flight.reason, DeadLetterReason::InFlight(_)));
        let unhandled = std::iter::from_fn(|| dead.try_next()).count();
        assert_eq!(unhandled, 2 - kept);
        assert!(app.shutdown().await.is_clean());
        assert!(address.counters().is_balanced());
    }
}
