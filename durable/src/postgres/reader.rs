//! The sessions that read.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::errors::store_error;
use super::process;
use super::queries;
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

/// Begins a session that reads.
pub(super) async fn connect(connector: &Connector) -> Result<Session, StoreError> {
    connector.connect(queries::FIRST, None).await
}

/// A slot, and as many references to its use as there are reads that use it, and one.
#[derive(Default)]
struct Reader {
    slot: tokio::sync::Mutex<Slot>,
    in_use: Arc<()>,
}

/// The sessions of a process that read. The first is there, and each other is connected when it is
/// needed.
pub(super) struct Readers {
    connector: Arc<Connector>,
    epoch: Epoch,
    readers: Vec<Reader>,
}

impl Readers {
    pub(super) fn new(connector: Arc<Connector>, epoch: Epoch, first: Session, sessions: usize) -> Self {
        let mut readers: Vec<Reader> = (0..sessions.max(1)).map(|_| Reader::default()).collect();
        if let Some(reader) = readers.first_mut() {
            reader.slot.get_mut().session = Some(Arc::new(first));
        }
        Self { connector, epoch, readers }
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

    /// Reads with the session that the fewest reads use; with a new one if it is lost meanwhile.
    pub(super) async fn read<T>(
        &self,
        read: impl for<'a> Fn(&'a Session) -> Reading<'a, T>,
    ) -> Result<T, StoreError> {
        let reader = self.readers.iter().min_by_key(|reader| Arc::strong_count(&reader.in_use));
        let Some(Reader { slot, in_use }) = reader else { return Err(StoreError::Closed) };
        let _in_use = in_use.clone();
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
        let session = connect(&self.connector).await?;
        process::share_life(&session, self.epoch).await.map_err(|error| store_error(&error))?;
        Ok(session)
    }
}
