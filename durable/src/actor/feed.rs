//! The events of all journals, in the order of their commits.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::watch;

use crate::error::StoreError;
use crate::store::{EventFilter, Store, StoredEvent};

/// How many events are read at once.
const PAGE: usize = 500;

/// The events of a store in the order of their commits, from a position, for projections: views
/// that are made of the events of many actors.
///
/// It is a [`Stream`], so an actor can [attach](perennial_actors::Context::attach) it. It waits for
/// events that are not there yet, in PostgreSQL for its notifications, and never ends.
///
/// # Delivery
///
/// At least once: a consumer that stores its result together with the
/// [position](StoredEvent::position) of the last event goes on [after](Self::after) it, and sees
/// each event once. One that stores the position later sees some again.
///
/// # Errors
///
/// An item may be an error of the store. The next item goes on at the same position, so wait a
/// moment before the next call if the error [may pass](StoreError::is_transient).
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
}

/// The read of the next page, which waits until there is one.
type Read = Pin<Box<dyn Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send>>;

impl EventFeed {
    /// Makes a feed that begins with the first event of the store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, position: 0, page: VecDeque::new(), read: None }
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

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<StoredEvent, StoreError>> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.position = event.position;
                return Poll::Ready(Ok(event));
            }
            let (store, after) = (&self.store, self.position);
            let read = self.read.get_or_insert_with(|| {
                let (changes, store) = (store.changes(), store.clone());
                Box::pin(read_page(store, after, changes))
            });
            let page = ready!(read.as_mut().poll(cx));
            self.read = None;
            self.page = page?.into();
        }
    }
}

/// Reads the events after a position, and waits for them if there are none.
async fn read_page(
    store: Arc<dyn Store>,
    after: u64,
    mut changes: watch::Receiver<u64>,
) -> Result<Vec<StoredEvent>, StoreError> {
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
        self.poll_event(cx).map(Some)
    }
}

impl fmt::Debug for EventFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventFeed").field("position", &self.position).finish_non_exhaustive()
    }
}
