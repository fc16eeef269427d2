//! The events of all journals, in the order of their commits.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::writer::RETRY;
use crate::error::StoreError;
use crate::store::{EventFilter, Store, StoredEvent};

/// How many events are read at once.
const PAGE: usize = 500;

/// The events of a store in the order of their commits, from a position, for projections: views
/// that are made of the events of many actors.
///
/// It is a [`Stream`], so an actor can [attach](perennial_actors::Context::attach) it. It waits for
/// events that are not there yet, in PostgreSQL for its notifications. As a stream it ends when the
/// store is closed.
///
/// # Delivery
///
/// At least once: a consumer that stores its result together with the
/// [position](StoredEvent::position) of the last event goes on [after](Self::after) it, and sees
/// each event once. One that stores the position later sees some again.
///
/// # Errors
///
/// An item may be an error of the store. The next item goes on at the same position, after a delay
/// that grows with each failure, up to a second.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use perennial_durable::actor::EventFeed;
/// use perennial_durable::{Batch, MemoryStore, Op, Payload, Store, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let mut feed = EventFeed::new(store.clone());
/// # let event = Payload { tag: "t".into(), version: 1, codec: "raw".into(), bytes: vec![7] };
/// let journal = || "account/ann".to_owned();
/// let claim = Op::Claim { journal: journal() };
/// let append = Op::Append { journal: journal(), writer: 1, expected: 0, events: vec![event] };
/// store.commit(Batch { now: Timestamp::now(), ops: vec![claim, append] }).await?;
/// assert_eq!(feed.next().await?.journal, "account/ann");
/// # Ok(())
/// # }
/// ```
#[must_use = "a feed does nothing unless it is polled"]
pub struct EventFeed {
    store: Arc<dyn Store>,
    /// The position of the last event that was returned.
    position: u64,
    page: VecDeque<StoredEvent>,
    read: Option<Read>,
    /// The reads that have failed in a row.
    failures: u32,
    is_closed: bool,
}

/// The read of the next page, which waits until there is one.
type Read = Pin<Box<dyn Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send>>;

impl EventFeed {
    /// Makes a feed that begins with the first event of the store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, position: 0, page: VecDeque::new(), read: None, failures: 0, is_closed: false }
    }

    /// Begins after the event at a position.
    pub fn after(self, position: u64) -> Self {
        Self { position, page: VecDeque::new(), read: None, ..self }
    }

    /// Returns the next event, once there is one.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if it is dropped.
    ///
    /// # Errors
    ///
    /// The store failed. The next call tries again.
    pub async fn next(&mut self) -> Result<StoredEvent, StoreError> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the time before the next read.
    fn delay(&self) -> Duration {
        let doubled = self.failures.saturating_sub(1).min(16);
        if self.failures == 0 { Duration::ZERO } else { RETRY.0.saturating_mul(1 << doubled).min(RETRY.1) }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<StoredEvent, StoreError>> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.position = event.position;
                return Poll::Ready(Ok(event));
            }
            let (store, after, delay) = (&self.store, self.position, self.delay());
            let read = self.read.get_or_insert_with(|| {
                let (changes, store) = (store.changes(), store.clone());
                Box::pin(read_page(store, after, changes, delay))
            });
            let page = ready!(read.as_mut().poll(cx));
            self.read = None;
            self.failures = if page.is_ok() { 0 } else { self.failures.saturating_add(1) };
            self.is_closed = page == Err(StoreError::Closed);
            self.page = page?.into();
        }
    }
}

/// Reads the events after a position, and waits for them if there are none.
async fn read_page(
    store: Arc<dyn Store>,
    after: u64,
    mut changes: watch::Receiver<u64>,
    delay: Duration,
) -> Result<Vec<StoredEvent>, StoreError> {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    loop {
        // Marked before the read: what is committed after it is a change.
        changes.borrow_and_update();
        let page = store.events(EventFilter { journal: None, after, max: PAGE }).await?;
        if !page.is_empty() {
            return Ok(page);
        }
        changes.changed().await.map_err(|_| StoreError::Closed)?;
    }
}

impl Stream for EventFeed {
    type Item = Result<StoredEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_closed {
            return Poll::Ready(None);
        }
        self.poll_event(cx).map(Some)
    }
}

impl fmt::Debug for EventFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventFeed").field("position", &self.position).finish_non_exhaustive()
    }
}
