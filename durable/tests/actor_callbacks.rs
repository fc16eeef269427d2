//! The callbacks of durable actors besides their handlers: recovery, signals and the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{ActorHandle, Address, Context, ExitReason, Reply, Signal, System};
use perennial_durable::actor::{EventSourced, EventSourcedActor, EventTransaction, Journal, Snapshots};
use perennial_durable::faults::{FaultStore, Faults};
use perennial_durable::{EventFilter, MAX_BYTES, MemoryStore, Store, Wire, decode};
use serde::{Deserialize, Serialize};

enum Msg {
    Watch(ActorHandle, Reply<()>),
    /// Persists, and fails.
    Fail,
    Persist(Reply<u64>),
    /// Persists an event of this size, with a snapshot.
    PersistLarge(usize, Reply<u64>),
    Stop(Reply<()>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Recovered,
    WentDown,
    Persisted(Vec<u8>),
}

impl Wire for Event {
    const TAG: &'static str = "test.callbacks";
}

/// What the callbacks have said.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, line: String) {
        self.0.lock().expect("no panic under it").push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic under it"))
    }
}

/// Counts its events.
struct Counter(u64, Vec<u8>);

impl EventSourced for Counter {
    type Msg = Msg;
    type Event = Event;
    type Args = Log;

    fn new(_: &Log) -> Self {
        Self(0, Vec::new())
    }

    fn apply(&mut self, event: Event) {
        self.0 += 1;
        if let Event::Persisted(bytes) = event {
            self.1.extend(bytes);
        }
    }

    async fn recovered(&self, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        let log = tx.args().clone();
        log.say(format!("recovers with {}", self.0));
        tx.persist(Event::Recovered);
        tx.after_commit(move |counter| log.say(format!("has {}", counter.0)));
        Ok(())
    }

    async fn handle(&self, msg: Msg, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Watch(actor, reply) => {
                tx.context().monitor(&actor);
                tx.reply(reply, ());
            }
            Msg::Fail => {
                tx.persist(Event::Persisted(Vec::new()));
                return Err("it fails".into());
            }
            Msg::Persist(reply) => {
                tx.persist(Event::Persisted(Vec::new()));
                tx.reply_with(reply, |counter| counter.0);
            }
            Msg::PersistLarge(size, reply) => {
                tx.persist(Event::Persisted(vec![7; size]));
                tx.snapshot();
                tx.reply_with(reply, |counter| counter.0);
            }
            Msg::Stop(reply) => {
                tx.persist(Event::Persisted(Vec::new()));
                tx.reply(reply, ());
                tx.context().stop(ExitReason::Normal);
            }
        }
        Ok(())
    }

    async fn signal(&self, signal: Signal, tx: &mut EventTransaction<'_, Self>) -> Result<(), ExitReason> {
        let Signal::Down { .. } = signal else { return Ok(()) };
        let log = tx.args().clone();
        tx.persist(Event::WentDown);
        tx.after_commit(move |counter| log.say(format!("down, has {}", counter.0)));
        Ok(())
    }

    async fn terminate(&self, reason: &ExitReason, log: &Log, _: &mut Context<EventSourcedActor<Self>>) {
        log.say(format!("ends with {}: {reason}", self.0));
    }
}

impl Snapshots for Counter {
    type Snapshot = Vec<u8>;

    fn snapshot(&self) -> Vec<u8> {
        self.1.clone()
    }

    fn restore(_: &Log, bytes: Vec<u8>) -> Self {
        Self(0, bytes)
    }
}

fn journal(store: &Arc<impl Store>, log: &Log) -> Journal<Counter> {
    Journal::new(store.clone(), "a", log.clone())
}

async fn spawn(journal: Journal<Counter>) -> Address<Msg> {
    System::new().spawn::<EventSourcedActor<Counter>>(journal).await.expect("a start")
}

async fn events(store: &dyn Store) -> Vec<Event> {
    let events = store.events(EventFilter::default()).await.expect("events");
    events.iter().map(|event| decode(&event.payload).expect("an event")).collect()
}

fn persisted() -> Event {
    Event::Persisted(Vec::new())
}

#[tokio::test]
async fn what_a_recovery_persists_is_stored_before_the_first_message() {
    let (store, log) = (Arc::new(MemoryStore::new()), Log::default());
    for start in 1..=2 {
        let counter = spawn(journal(&store, &log)).await;
        assert_eq!(
            log.take(),
            [format!("recovers with {}", 2 * start - 2), format!("has {}", 2 * start - 1)]
        );
        assert_eq!(counter.call(Msg::Persist).await.unwrap(), 2 * start);
        counter.handle().kill().unwrap();
        counter.handle().monitor().await;
    }
    assert_eq!(log.take(), Vec::<String>::new(), "a kill ends it without a callback");
    assert_eq!(events(&*store).await, [Event::Recovered, persisted(), Event::Recovered, persisted()]);
}

#[tokio::test]
async fn a_signal_is_a_transaction() {
    let (store, log) = (Arc::new(MemoryStore::new()), Log::default());
    let counter = spawn(journal(&store, &log)).await;
    let other = spawn(Journal::new(store.clone(), "other", Log::default())).await;
    counter.call(|reply| Msg::Watch(other.handle(), reply)).await.unwrap();
    log.take();
    other.handle().kill().unwrap();
    while log.0.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.take(), ["down, has 2"]);
    let own = EventFilter { journal: Some("a".to_owned()), ..EventFilter::default() };
    assert_eq!(store.events(own).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_end_has_the_state_that_is_stored() {
    let (store, log) = (Arc::new(MemoryStore::new()), Log::default());
    let counter = spawn(journal(&store, &log)).await;
    log.take();
    counter.cast(Msg::Fail).unwrap();
    counter.handle().monitor().await;
    assert_eq!(log.take(), ["ends with 1: failed: it fails"]);
    let counter = spawn(journal(&store, &log)).await;
    log.take();
    counter.call(Msg::Stop).await.unwrap();
    counter.handle().monitor().await;
    assert_eq!(log.take(), ["ends with 3: normal"], "it stops after the commit");
    assert_eq!(events(&*store).await, [Event::Recovered, Event::Recovered, persisted()]);
}

#[tokio::test(start_paused = true)]
async fn an_actor_whose_transaction_was_not_committed_ends_without_a_callback() {
    let (store, log) = (Arc::new(FaultStore::new(1, Faults::default())), Log::default());
    let counter = spawn(journal(&store, &log).store_timeout(Duration::from_secs(1))).await;
    log.take();
    store.set_faults(Faults { full: 1_000, ..Faults::default() });
    counter.call(Msg::Persist).await.unwrap_err();
    counter.handle().monitor().await;
    assert_eq!(log.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_encoded_fails_if_it_was_asked_for_and_else_is_left_out() {
    let (store, log) = (Arc::new(MemoryStore::new()), Log::default());
    let counter = spawn(journal(&store, &log).snapshot_every(2)).await;
    let half = MAX_BYTES / 2;
    counter.call(|reply| Msg::PersistLarge(half, reply)).await.unwrap();
    let sequence = store.snapshot("a").await.unwrap().unwrap().sequence;
    assert_eq!(sequence, 2, "it was asked for");
    // The second half is too much for a snapshot.
    let error = counter.call(|reply| Msg::PersistLarge(half, reply)).await.unwrap_err();
    assert!(error.to_string().contains("bytes"), "{error}");
    assert_eq!(events(&*store).await.len(), 2, "nothing was stored");
    let without = spawn(journal(&store, &log)).await;
    without.call(|reply| Msg::PersistLarge(half, reply)).await.unwrap();
    without.handle().kill().unwrap();
    without.handle().monitor().await;
    let counter = spawn(journal(&store, &log).snapshot_every(2)).await;
    counter.call(Msg::Persist).await.unwrap();
    assert_eq!(events(&*store).await.len(), 6);
    assert_eq!(store.snapshot("a").await.unwrap().unwrap().sequence, 2, "it was left out");
}
