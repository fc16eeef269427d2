//! The sessions that read.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use perennial_actors::host::sync::{AtomicUsize, Ordering};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::errors::store_error;
use super::process;
use super::session::{Connector, Session};
use super::writer::ConnectBackoff;
use crate::error::StoreError;
use crate::record::Epoch;

/// The future of something that is read.
pub(super) type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Something to be read and answered.
pub(super) type Read = Box<dyn FnOnce(Arc<Readers>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A session, or `None` if it is lost or was not needed yet.
#[derive(Default)]
struct Slot {
    session: Option<Arc<Session>>,
    backoff: ConnectBackoff,
}

/// The sessions of a process that read. Each is connected when it is needed.
pub(super) struct Readers {
    connector: Arc<Connector>,
    epoch: Epoch,
    slots: Vec<tokio::sync::Mutex<Slot>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn new(connector: Arc<Connector>, epoch: Epoch, sessions: usize) -> Self {
        let slots = (0..sessions.max(1)).map(|_| tokio::sync::Mutex::default()).collect();
        Self { connector, epoch, slots, next: AtomicUsize::new(0) }
    }

    /// Reads what is received, until all senders are gone.
    pub(super) async fn run(self: Arc<Self>, mut reads: UnboundedReceiver<Read>) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                read = reads.recv() => match read {
                    Some(read) => drop(running.spawn(read(self.clone()))),
                    None => break,
                },
                Some(_) = running.join_next() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Reads with one of the sessions; with a new one if it is lost meanwhile.
    pub(super) async fn read<T>(
        &self,
        read: impl for<'a> Fn(&'a Session) -> Reading<'a, T>,
    ) -> Result<T, StoreError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len().max(1);
        let Some(slot) = self.slots.get(next) else { return Err(StoreError::Closed) };
        let session = self.session(slot).await?;
        match read(&session).await {
            Err(StoreError::Disconnected(_)) => {}
            answer => return answer,
        }
        // The server tells of the end before the client knows that it is closed.
        slot.lock().await.session.take_if(|lost| Arc::ptr_eq(lost, &session));
        drop(session);
        read(&*self.session(slot).await?).await
    }

    async fn session(&self, slot: &tokio::sync::Mutex<Slot>) -> Result<Arc<Session>, StoreError> {
        let mut slot = slot.lock().await;
        if let Some(session) = slot.session.as_ref().filter(|session| !session.client.is_closed()) {
            return Ok(session.clone());
        }
        slot.session = None;
        slot.backoff.check()?;
        let connected = self.connect().await;
        let session = Arc::new(slot.backoff.note(connected)?);
        slot.session = Some(session.clone());
        Ok(session)
    }

    async fn connect(&self) -> Result<Session, StoreError> {
        let session = self.connector.connect(None).await?;
        process::share_life(&session, self.epoch).await.map_err(|error| store_error(&error))?;
        Ok(session)
    }
}
