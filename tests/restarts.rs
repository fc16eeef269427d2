//! The headline, through the facade alone: one address, one name, whatever crashes beneath and above.

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

/// Writes down what it handles, where every incarnation and the test can see it.
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

/// So many restarts are never needed here.
fn tolerant(id: &'static str) -> Supervisor {
    Supervisor::new(id).intensity(1_000_000, Duration::from_secs(1))
}

async fn incarnation(address: &Address<Msg>) -> u32 {
    address.call(Msg::Incarnation).await.expect("it answers")
}

#[tokio::test(start_paused = true)]
async fn an_address_taken_before_the_start_reaches_the_third_incarnation() {
    let (system, child) = (System::new(), worker(&Notes::default()));
    let address = child.address();
    let refused = address.cast(Msg::Crash).expect_err("nobody is due to serve it yet");
    let app = tolerant("app").child(child).start(&system).await.expect("it starts");
    address.cast(refused.into_inner()).expect("it is served");
    address.cast(Msg::Panic).expect("it is due");
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
    let app = tolerant("app").child(child).start(&system).await.expect("it starts");
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let address = address.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    address.cast(Msg::Note(sender * EACH + n)).expect("it is never closed");
                    if n % (SENDERS * EACH / CRASHES) == 0 {
                        address.cast(Msg::Crash).expect("it is never closed");
                    }
                    tokio::task::consume_budget().await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("it ends well");
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

/// A root that takes in what its child, a supervisor with no patience, gives up.
async fn two_levels(system: &System, notes: &Notes) -> (App<SupervisorHandle>, Address<Msg>) {
    let child = worker(notes);
    let address = child.address();
    let inner = Supervisor::new("inner").intensity(0, Duration::from_secs(1)).child(child);
    (tolerant("app").child(inner).start(system).await.expect("it starts"), address)
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_supervisor_that_gave_up_is_reached_by_the_old_address_and_name() {
    let (system, notes) = (System::new(), Notes::default());
    let mut reports = system.subscribe::<SupervisorReport>();
    let (app, address) = two_levels(&system, &notes).await;
    address.cast(Msg::Crash).expect("it is served");
    address.cast(Msg::Note(7)).expect("it is due");
    assert_eq!(incarnation(&system.whereis(WORKER).expect("its supervisor owns it")).await, 2);
    assert_eq!(notes.lock().expect("not poisoned").get(&7), Some(&1));
    assert_eq!(SupervisionStats::of(&system).escalations, 1);
    let gave_up = std::iter::from_fn(|| reports.try_next())
        .find(|report| matches!(report.kind, ReportKind::GaveUp { .. }));
    assert!(gave_up.is_some_and(|report| &*report.path == "app/inner"));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_supervisor_that_was_killed_is_reached_by_the_old_address_and_name() {
    let (system, notes) = (System::new(), Notes::default());
    let (app, address) = two_levels(&system, &notes).await;
    for killed in 1..=20 {
        let inner = app.tree().at(["inner"]).expect("it is there").handle.clone();
        let down = inner.monitor();
        inner.kill().expect("it lives");
        // The worker may still live: what is sent now is handled by it, or by the next incarnation.
        address.cast(Msg::Note(killed)).expect("it is never closed");
        assert!(matches!(down.await.reason, ExitReason::Killed));
        address.cast(Msg::Note(100 + killed)).expect("it is never closed");
        system.whereis(WORKER).expect("its name has no gap");
        assert_eq!(u64::from(incarnation(&address).await), killed + 1);
    }
    assert_eq!(notes.lock().expect("not poisoned").len(), 40);
    let tree = app.tree();
    assert_eq!(tree.at(["inner", "worker"]).expect("it is there").state, ChildState::Running);
    assert!(app.shutdown().await.is_clean());
    assert!(system.whereis(WORKER).is_err(), "the name is free");
    assert!(system.counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_a_crash_is_kept_unless_the_mailbox_is_set_to_discard_it() {
    for (mailbox, kept) in
        [(MailboxConfig::unbounded(), 2), (MailboxConfig::unbounded().discard_on_restart(), 0)]
    {
        let (system, notes) = (System::new(), Notes::default());
        let mut dead = system.subscribe::<DeadLetter>();
        let child = worker(&notes).mailbox(mailbox);
        let address = child.address();
        let app = tolerant("app").child(child).start(&system).await.expect("it starts");
        let down = address.monitor();
        for message in [Msg::Crash, Msg::Note(1), Msg::Note(2)] {
            address.cast(message).expect("it is served");
        }
        down.await;
        assert_eq!(incarnation(&address).await, 2);
        assert_eq!(notes.lock().expect("not poisoned").len(), kept);
        let in_flight = dead.try_next().expect("the message that crashed it is dead");
        assert!(matches!(in_flight.reason, DeadLetterReason::InFlight(_)));
        let unhandled = std::iter::from_fn(|| dead.try_next()).count();
        assert_eq!(unhandled, 2 - kept);
        assert!(app.shutdown().await.is_clean());
        assert!(address.counters().is_balanced());
    }
}
