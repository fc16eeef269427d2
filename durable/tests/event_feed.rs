//! The events of all journals, as a stream.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_durable::actor::EventFeed;
use perennial_durable::sqlite::SqliteStore;
use perennial_durable::{Applied, Batch, MemoryStore, Op, Store, StoreError, Timestamp};
use tempfile::TempDir;

use crate::support::payload;
use crate::support::postgres::server;
use crate::support::steps::SteppedStore;

/// Claims a journal and appends events to it.
async fn append(store: &dyn Store, journal: &str, events: &[&str]) {
    let claim = Op::Claim { journal: journal.to_owned() };
    let claimed = store.commit(Batch::of(Timestamp(1), claim)).await.expect("a claim");
    let [Applied::Claimed { writer, sequence: expected }] = claimed[..] else { panic!("{claimed:?}") };
    let events = events.iter().map(|text| payload(text)).collect();
    let append = Op::Append { journal: journal.to_owned(), writer, expected, events };
    store.commit(Batch::of(Timestamp(1), append)).await.expect("a commit");
}

async fn next(feed: &mut EventFeed) -> (String, u64) {
    let event = feed.next().await.expect("an event");
    (event.journal, event.sequence)
}

/// Follows a store by one handle, while another one writes.
async fn follows(reader: Arc<dyn Store>, store: Arc<dyn Store>) {
    let mut feed = EventFeed::new(reader.clone());
    append(&*store, "a", &["1", "2"]).await;
    append(&*store, "b", &["1"]).await;
    assert_eq!(next(&mut feed).await, ("a".to_owned(), 1));
    let second = feed.next().await.expect("an event");
    assert_eq!((second.journal.as_str(), second.sequence), ("a", 2));
    assert_eq!(next(&mut feed).await, ("b".to_owned(), 1));
    let writer = store.clone();
    let (found, ()) = tokio::join!(next(&mut feed), async move {
        // Now it waits.
        tokio::task::yield_now().await;
        append(&*writer, "a", &["3"]).await;
    });
    assert_eq!(found, ("a".to_owned(), 3));
    let mut rest = EventFeed::new(reader).after(second.position);
    assert_eq!(next(&mut rest).await, ("b".to_owned(), 1));
    assert_eq!(next(&mut rest).await, ("a".to_owned(), 3));
}

#[tokio::test]
async fn it_follows_a_store_in_memory() {
    let store = Arc::new(MemoryStore::new());
    follows(store.clone(), store).await;
}

#[tokio::test]
async fn it_follows_a_file() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path().join("events.db")).unwrap());
    follows(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_a_server_by_its_notifications() {
    let Some(server) = server() else { return };
    // It looks for what it was not told once an hour.
    let builder = server.builder().poll_interval(Duration::from_secs(3_600));
    let (reader, writer) = (builder.clone().connect().await.unwrap(), builder.connect().await.unwrap());
    follows(Arc::new(reader), Arc::new(writer)).await;
}

#[tokio::test]
async fn a_dropped_wait_loses_no_event() {
    let store = Arc::new(MemoryStore::new());
    let mut feed = EventFeed::new(store.clone());
    for number in 1..=3 {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(pin!(feed.next()).poll(&mut cx), Poll::Pending));
        append(&*store, "a", &["x"]).await;
        assert_eq!(next(&mut feed).await, ("a".to_owned(), number));
    }
}

#[tokio::test]
async fn several_pages_are_read_to_their_end() {
    let store = Arc::new(MemoryStore::new());
    append(&*store, "a", &["x"; 1_200]).await;
    let mut feed = EventFeed::new(store);
    for number in 1..=1_200 {
        assert_eq!(next(&mut feed).await, ("a".to_owned(), number));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_told_and_the_next_read_waits_and_goes_on() {
    let inner = Arc::new(MemoryStore::new());
    append(&*inner, "a", &["1"]).await;
    let store = Arc::new(SteppedStore { store: inner, steps: Arc::default(), failing_reads: 3.into() });
    let mut feed = EventFeed::new(store);
    let began = tokio::time::Instant::now();
    for _ in 0..3 {
        assert_eq!(feed.next().await.unwrap_err(), StoreError::Busy("it is read".to_owned()));
    }
    assert_eq!(next(&mut feed).await, ("a".to_owned(), 1));
    assert!(began.elapsed() >= Duration::from_millis(20 + 40 + 80), "{:?}", began.elapsed());
}
