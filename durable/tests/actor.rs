//! Actors whose state is in a store: what they recover, and what ends them.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use perennial_actors::{ActorHandle, Address, ExitReason, SpawnError, System};
use perennial_durable::actor::{DurableStateActor, EventSourcedActor, Journal, JournalError, StoredState};
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{
    Batch, Conflict, DecodeError, EventFilter, JobFilter, Json, MemoryStore, Op, Payload, Store, StoreError,
    Timestamp, decode, encode,
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

/// Stores events as they are, as the first writer of the journal.
async fn append(store: &MemoryStore, events: Vec<Payload>) {
    let filter = EventFilter { journal: Some("a".to_owned()), ..EventFilter::default() };
    let expected = store.events(filter).await.expect("events").len() as u64;
    let op = Op::Append { journal: "a".to_owned(), writer: 1, expected, events };
    store.commit(Batch::of(Timestamp(1), op)).await.expect("a commit");
}

/// Returns a store whose journal has these events.
async fn store_with(events: Vec<Payload>) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    let claim = Op::Claim { journal: "a".to_owned() };
    store.commit(Batch::of(Timestamp(1), claim)).await.expect("a claim");
    append(&store, events).await;
    store
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
    let without = spawn(journal(&store)).await.unwrap();
    assert_eq!(deposit(&without, 1).await, 6, "the events are there too");
}

#[tokio::test]
async fn events_before_a_snapshot_are_not_read() {
    let store = store_with(vec![event(9, b""); 2]).await;
    let state = encode::<_, Json>(&Account { announced: 7, balance: 7 }).unwrap();
    let snapshot = Op::Snapshot { journal: "a".to_owned(), writer: 1, sequence: 2, state };
    store.commit(Batch::of(Timestamp(1), snapshot)).await.unwrap();
    append(&store, vec![event(1, b"\x01\x05")]).await;
    assert!(matches!(start_error(journal(&store)).await, JournalError::Event { sequence: 1, .. }));
    let account = spawn(journal(&store).snapshot_every(1)).await.unwrap();
    assert_eq!(account.call(Msg::Balance).await.unwrap(), 12);
}

#[tokio::test]
async fn a_snapshot_and_a_state_that_cannot_be_read_are_the_reason() {
    let store = store_with(vec![event(1, b"\x01\x05")]).await;
    let state = encode::<_, Json>(&7_u64).unwrap();
    let snapshot = Op::Snapshot { journal: "a".to_owned(), writer: 1, sequence: 1, state };
    store.commit(Batch::of(Timestamp(1), snapshot)).await.unwrap();
    let error = DecodeError::WrongType { expected: "test.account.state".into(), found: "u64".into() };
    let expected = JournalError::State { journal: "a".to_owned(), error };
    assert_eq!(start_error(journal(&store).snapshot_every(1)).await, expected);
    let args = StoredState::<Account>::new(store.clone(), "a", Arc::default());
    let start = System::new().spawn::<DurableStateActor<Account>>(args).await;
    let Err(SpawnError::Failed(reason)) = start else { panic!("{start:?}") };
    assert_eq!(journal_error(&reason), &expected);
    // Neither has claimed the journal: its writer goes on.
    append(&store, vec![event(1, b"\x01\x05")]).await;
}

#[tokio::test]
async fn a_journal_of_several_pages_is_read_to_its_end() {
    for events in [999, 1_000, 2_500] {
        let store = store_with(vec![event(2, b"\x01\x01"); events]).await;
        let account = spawn(journal(&store)).await.unwrap();
        assert_eq!(account.call(Msg::Balance).await.unwrap(), events as u64);
        assert_eq!(deposit(&account, 1).await, events as u64 + 1);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_the_reason_and_changes_nothing() {
    for (payload, expected) in [
        (event(9, b""), DecodeError::UnknownVersion { tag: "test.account".into(), found: 9, known: 2 }),
        (event(1, b"\x00\x07\x07"), DecodeError::TrailingBytes { left: 1 }),
        (
            Payload { tag: "test.order".to_owned(), ..event(1, b"") },
            DecodeError::WrongType { expected: "test.account".into(), found: "test.order".into() },
        ),
    ] {
        let store = store_with(vec![event(1, b"\x01\x07"), payload]).await;
        let expected = JournalError::Event { journal: "a".to_owned(), sequence: 2, error: expected };
        assert_eq!(start_error(journal(&store)).await, expected);
        // It is still there, and the journal was not claimed.
        append(&store, vec![event(1, b"\x01\x07")]).await;
        assert_eq!(store.events(EventFilter::default()).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn events_of_every_version_are_read() {
    // These bytes were written once, and never change.
    let json = |version, bytes: &[u8]| Payload { codec: "json".to_owned(), ..event(version, bytes) };
    let fixtures = vec![
        event(1, b"\x00\x07"),
        event(1, b"\x01\x07"),
        json(1, br#"{"Deposited":5}"#),
        event(2, b"\x01\xfb\x2c\x01"),
        json(2, br#"{"Deposited":8000000000}"#),
    ];
    let first: Result<Event, _> = decode(&fixtures[0]);
    assert_eq!(first, Ok(Event::Announced(7)));
    let store = store_with(fixtures).await;
    let account = spawn(journal(&store)).await.unwrap();
    assert_eq!(account.call(Msg::Balance).await.unwrap(), 7 + 5 + 300 + 8_000_000_000);
}

/// An incarnation blocks its thread, so that it cannot be killed, and wakes up when the next one
/// has begun: it stores nothing any more, no event and no job.
async fn a_late_transaction_is_refused(store: &Arc<dyn Store>, name: &'static str, amount: u64) {
    let spawn = || spawn(Journal::new(store.clone(), name, Arc::default()));
    let abandoned = spawn().await.expect("a start");
    assert_eq!(deposit(&abandoned, 40).await, 40);
    let ((begin, begun), (release, released)) = (channel(), channel());
    abandoned.cast(Msg::DepositLate(amount, begin, released)).expect("it runs");
    begun.recv().expect("it has begun");
    abandoned.handle().kill().expect("it runs");
    let next = spawn().await.expect("a start");
    let monitor = abandoned.handle().monitor();
    release.send(()).expect("it waits");
    assert_eq!(monitor.await.reason, ExitReason::Killed);
    // This commit follows that of the other.
    assert_eq!(deposit(&next, 2).await, 42);
    assert_eq!(Account::of_events(&**store, name).await.balance, 42);
}

/// An earlier incarnation cannot write any more, whether it was abandoned or not.
async fn is_fenced(store: Arc<dyn Store>, next_process: Arc<dyn Store>) {
    a_late_transaction_is_refused(&store, "events", 1).await;
    a_late_transaction_is_refused(&store, "jobs", 0).await;
    let jobs = store.jobs(JobFilter::default()).await.expect("jobs");
    assert_eq!(jobs.len(), 4, "those of the deposits");
    let spawn = |store: &Arc<dyn Store>| spawn(Journal::new(store.clone(), "a", Arc::default()));
    let second = spawn(&store).await.expect("a start");
    assert_eq!(deposit(&second, 40).await, 40);
    let third = spawn(&next_process).await.expect("a start");
    let down = ended(&second.handle(), second.call(|reply| Msg::Deposit(2, reply))).await;
    let expected = Conflict::StaleWriter { journal: "a".to_owned(), writer: 1, latest: 2 };
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
