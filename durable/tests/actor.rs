//! Actors whose state is in a store: what they recover, and what ends them.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use perennial_actors::{ActorHandle, Address, ExitReason, SpawnError, System};
use perennial_durable::actor::{EventSourcedActor, Journal, JournalError, StoredState};
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Batch, Conflict, DecodeError, EventFilter, Json, MemoryStore, Op, Payload, Store, StoreError, Timestamp,
};
use perennial_supervision::entities::Entities;
use perennial_supervision::{Child, Restart, Supervisor};
use tempfile::TempDir;

use crate::support::account::{Account, Event, Msg};
use crate::support::postgres::server;

fn journal(store: &Arc<impl Store>) -> Journal<Account> {
    Journal::new(store.clone(), "a", Arc::default())
}

async fn spawn(journal: Journal<Account>) -> Result<Address<Msg>, SpawnError> {
    System::new().spawn::<EventSourcedActor<Account>>(journal).await
}

async fn deposit(account: &Address<Msg>, amount: u64) -> u64 {
    account.call(|reply| Msg::Deposit(amount, reply)).await.expect("a deposit")
}

/// Returns the error of a journal that is in an exit reason.
fn journal_error(reason: &ExitReason) -> &JournalError {
    let ExitReason::Failed(error) = reason else { panic!("{reason}") };
    error.downcast_ref().expect("the error of a journal")
}

async fn start_error(journal: Journal<Account>) -> JournalError {
    match spawn(journal).await {
        Err(SpawnError::Failed(reason)) => journal_error(&reason).clone(),
        other => panic!("{other:?}"),
    }
}

/// Stores an event as it is.
async fn append(store: &MemoryStore, payload: Payload) {
    let filter = EventFilter { journal: Some("a".to_owned()), ..EventFilter::default() };
    let expected = store.events(filter).await.expect("events").len() as u64;
    let ops = vec![
        Op::Erase { journal: "other".to_owned() },
        Op::Append { journal: "a".to_owned(), writer: 1, expected, events: vec![payload] },
    ];
    store.commit(Batch { now: Timestamp(1), ops }).await.expect("a commit");
}

fn event(version: u32, bytes: &[u8]) -> Payload {
    let (tag, codec) = ("test.account".to_owned(), "bincode2".to_owned());
    Payload { tag, version, codec, bytes: bytes.to_vec() }
}

#[tokio::test]
async fn the_next_process_has_the_state() {
    let store = Arc::new(MemoryStore::new());
    let account = spawn(journal(&store)).await.unwrap();
    assert_eq!(deposit(&account, 40).await, 40);
    account.handle().kill().unwrap();
    let store = Arc::new(store.restart());
    let account = spawn(journal(&store)).await.unwrap();
    assert_eq!(deposit(&account, 2).await, 42);
}

#[tokio::test]
async fn a_whole_state_is_stored_when_it_has_changed() {
    let store = Arc::new(MemoryStore::new());
    let stored = || StoredState::<Account>::new(store.clone(), "a", Arc::default()).codec::<Json>();
    let child = stored().child("a");
    let account = child.address();
    let app = Supervisor::new("bank").child(child).start(&System::new()).await.unwrap();
    assert_eq!(deposit(&account, 40).await, 40);
    let bytes = || async { store.snapshot("a").await.unwrap().unwrap().state.bytes };
    assert_eq!(bytes().await, br#"{"announced":40,"balance":40}"#);
    account.handle().kill().unwrap();
    assert_eq!(deposit(&account, 2).await, 42);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test]
async fn a_snapshot_is_made_every_so_many_events_and_read_instead_of_them() {
    let store = Arc::new(MemoryStore::new());
    // Each deposit has two events.
    let account = spawn(journal(&store).snapshot_every(4)).await.unwrap();
    let mut sequences = Vec::new();
    for _ in 0..5 {
        deposit(&account, 1).await;
        sequences.push(store.snapshot("a").await.unwrap().map(|snapshot| snapshot.sequence));
    }
    assert_eq!(sequences, [None, Some(4), Some(4), Some(8), Some(8)]);
    // An event before the snapshot that cannot be decoded is not read.
    let unread = Op::Erase { journal: "other".to_owned() };
    store.commit(Batch::of(Timestamp(1), unread)).await.unwrap();
    let account = spawn(journal(&store).snapshot_every(4)).await.unwrap();
    assert_eq!(deposit(&account, 1).await, 6);
    let without = spawn(journal(&store)).await.unwrap();
    assert_eq!(deposit(&without, 1).await, 7, "the events are there too");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_the_reason_and_changes_nothing() {
    for (payload, expected) in [
        (event(9, b""), DecodeError::UnknownVersion { tag: "test.account".into(), found: 9, known: 1 }),
        (event(1, b"\x00\x07\x07"), DecodeError::TrailingBytes { left: 1 }),
        (
            Payload { tag: "test.order".to_owned(), ..event(1, b"") },
            DecodeError::WrongType { expected: "test.account".into(), found: "test.order".into() },
        ),
    ] {
        let store = Arc::new(MemoryStore::new());
        let account = spawn(journal(&store)).await.unwrap();
        assert_eq!(deposit(&account, 40).await, 40);
        append(&store, payload).await;
        let expected = JournalError::Event { journal: "a".to_owned(), sequence: 3, error: expected };
        assert_eq!(start_error(journal(&store)).await, expected);
        let events = store.events(EventFilter::default()).await.unwrap();
        assert_eq!(events.len(), 3, "it is still there");
    }
}

#[tokio::test]
async fn events_of_every_version_are_read() {
    let store = Arc::new(MemoryStore::new());
    drop(spawn(journal(&store)).await.unwrap());
    // These bytes were written once, and never change.
    for bytes in [b"\x00\x07", b"\x01\x07"] {
        append(&store, event(1, bytes)).await;
    }
    append(&store, Payload { codec: "json".into(), ..event(1, br#"{"Deposited":5}"#) }).await;
    let account = spawn(journal(&store)).await.unwrap();
    assert_eq!(account.call(Msg::Balance).await.unwrap(), 12);
    assert_eq!(perennial_durable::decode::<Event>(&event(1, b"\x00\x07")), Ok(Event::Announced(7)));
}

/// An incarnation blocks its thread, so that it cannot be killed, and wakes up when the next one
/// has begun: it cannot write any more. Nor can one that was not killed.
async fn is_fenced(store: Arc<dyn Store>, next_process: Arc<dyn Store>) {
    let spawn = |store: &Arc<dyn Store>| spawn(Journal::new(store.clone(), "a", Arc::default()));
    let abandoned = spawn(&store).await.expect("a start");
    assert_eq!(deposit(&abandoned, 40).await, 40);
    let ((begin, begun), (release, released)) = (channel(), channel());
    abandoned.cast(Msg::DepositLate(1, begin, released)).expect("it runs");
    begun.recv().expect("it has begun");
    abandoned.handle().kill().expect("it runs");
    let second = spawn(&store).await.expect("a start");
    let monitor = abandoned.handle().monitor();
    release.send(()).expect("it waits");
    assert_eq!(monitor.await.reason, ExitReason::Killed);
    assert_eq!(second.call(Msg::Balance).await.expect("a balance"), 40);

    let third = spawn(&next_process).await.expect("a start");
    let down = ended(&second.handle(), second.call(|reply| Msg::Deposit(2, reply))).await;
    let expected = Conflict::StaleWriter { journal: "a".to_owned(), writer: 2, latest: 3 };
    assert_eq!(journal_error(&down), &JournalError::Refused(expected));
    assert_eq!(deposit(&third, 2).await, 42);
    assert_eq!(Account::of_events(&*store, "a").await.balance, 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_incarnation_cannot_write_in_memory() {
    let store = Arc::new(MemoryStore::new());
    is_fenced(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_incarnation_cannot_write_in_a_file() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path().join("events.db")).unwrap());
    is_fenced(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_incarnation_cannot_write_in_a_server_nor_can_another_process() {
    let Some(server) = server() else { return };
    let builder = server.builder();
    let (first, second) = (builder.clone().connect().await.unwrap(), builder.connect().await.unwrap());
    is_fenced(Arc::new(first), Arc::new(second)).await;
}

/// Returns the reason of the end of an actor that ends in a call.
async fn ended<T: std::fmt::Debug, E: std::fmt::Debug>(
    actor: &ActorHandle,
    call: impl IntoFuture<Output = Result<T, E>>,
) -> ExitReason {
    let monitor = actor.monitor();
    call.await.expect_err("the actor ends");
    monitor.await.reason
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_is_waited_for() {
    let store = Arc::new(FaultStore::new(1, Faults { full: 500, ..Faults::default() }));
    let account = spawn(journal(&store)).await.unwrap();
    for deposits in 1..=20 {
        assert_eq!(deposit(&account, 1).await, deposits);
    }
    assert_eq!(Account::of_events(&*store, "a").await.balance, 20);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_longer_ends_the_actor_and_nothing_is_stored() {
    let store = Arc::new(FaultStore::new(1, Faults::default()));
    let account = spawn(journal(&store).store_timeout(Duration::from_secs(5))).await.unwrap();
    store.set_faults(Faults { full: 1_000, ..Faults::default() });
    let reason = ended(&account.handle(), account.call(|reply| Msg::Deposit(2, reply))).await;
    assert!(matches!(journal_error(&reason), JournalError::Store(StoreError::Full(_))), "{reason}");
    assert_eq!(Account::of_events(&*store, "a").await, Account::default());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_ends_the_actor_and_the_next_incarnation_knows_it() {
    let store = Arc::new(FaultStore::new(1, Faults::default()));
    let child = journal(&store).child("a").restart(Restart::Permanent);
    let account = child.address();
    let app = Supervisor::new("bank").child(child).start(&System::new()).await.unwrap();
    store.set_faults(Faults { lost_answer: 1_000, ..Faults::default() });
    let reason = ended(&account.handle(), account.call(|reply| Msg::Deposit(7, reply))).await;
    assert!(matches!(journal_error(&reason), JournalError::Unknown(_)), "{reason}");
    store.set_faults(Faults::default());
    assert_eq!(account.call(Msg::Balance).await.unwrap(), 7, "it was stored");
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn entities_come_back_with_their_state() {
    let store = Arc::new(MemoryStore::new());
    let args = {
        let store = store.clone();
        move |key: &u32| Journal::<Account>::new(store.clone(), format!("account/{key}"), Arc::default())
    };
    let accounts = Entities::<u32, EventSourcedActor<Account>>::new("accounts", args).max_live(3);
    let handle = accounts.handle();
    let app = Supervisor::new("bank").child(accounts).start(&System::new()).await.unwrap();
    for round in 1..=3 {
        for key in 0..20 {
            let account = handle.address(&key).unwrap();
            assert_eq!(deposit(&account, u64::from(key)).await, u64::from(key) * round);
        }
    }
    assert!(handle.stats().live <= 3, "{:?}", handle.stats());
    assert!(app.shutdown().await.is_clean());
}

#[test]
fn a_journal_and_a_child_are_values_of_any_thread() {
    const fn is_sendable<T: Send + Sync>() {}
    is_sendable::<Journal<Account>>();
    is_sendable::<StoredState<Account>>();
    is_sendable::<Child<Msg>>();
}
