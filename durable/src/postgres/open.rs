//! The thread of a store: it opens the store, runs its tasks, and closes it.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::AtomicBool;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout};

use super::errors::failed;
use super::monitor::{Listener, Monitor, listen};
use super::process::{self, Notice};
use super::reader::{self, Read, Readers};
use super::schema::{check_schema, migrate};
use super::session::{Connector, Session};
use super::writer::{self, ConnectBackoff, Writer};
use crate::error::{OpenError, StoreError};
use crate::record::Epoch;
use crate::request::Request;

/// How long the end of the epoch may take when a store is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the thread of a store needs.
pub(super) struct Settings {
    pub(super) connector: Arc<Connector>,
    pub(super) poll_interval: Duration,
    pub(super) readers: usize,
}

/// What the handle of an open store needs.
pub(super) struct Opened {
    pub(super) epoch: Epoch,
    pub(super) schema: String,
    pub(super) requests: UnboundedSender<Request>,
    pub(super) reads: UnboundedSender<Read>,
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) changes: watch::Sender<u64>,
    pub(super) ended_epochs: watch::Sender<u64>,
}

/// The sessions of a process that has begun.
struct Begun {
    epoch: Epoch,
    listener: Listener,
    writer: Session,
    reader: Session,
}

/// Runs a store until its handle is dropped. It has a runtime of its own: a program that blocks its
/// runtime sends heartbeats all the same.
pub(super) fn run(settings: Settings, opened: oneshot::Sender<Result<Opened, OpenError>>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = opened.send(Err(OpenError::Store(StoreError::Failed(error.to_string()))));
            return;
        }
    };
    runtime.block_on(async {
        match begin(&settings.connector).await {
            Ok(begun) => serve(settings, begun, opened).await,
            // A caller that does not wait any more wants no answer.
            Err(error) => drop(opened.send(Err(error))),
        }
    });
}

/// Begins the sessions at the same time: each starts a process of the server.
async fn begin(connector: &Connector) -> Result<Begun, OpenError> {
    let (listener, writer, reader) =
        tokio::try_join!(listen(connector), writer::connect(connector), reader::connect(connector))?;
    let session = listener.session();
    let epoch = match process::next_epoch(session).await {
        Ok(Some(epoch)) => epoch,
        _ => after_migration(session, connector).await?,
    };
    let begun = async {
        if connector.is_attached { Ok(()) } else { process::begin(session, epoch, connector.lease).await }
    };
    let joined =
        tokio::try_join!(begun, process::become_writer(&writer, epoch), process::share_life(&reader, epoch));
    joined.map_err(|error| failed(&error))?;
    Ok(Begun { epoch, listener, writer, reader })
}

/// Brings the tables up to date, unless the store is attached, and returns the next number.
async fn after_migration(session: &Session, connector: &Connector) -> Result<Epoch, OpenError> {
    let Connector { schema, is_attached, .. } = connector;
    if *is_attached {
        check_schema(&session.client, schema).await?;
    } else {
        migrate(&session.client, schema).await?;
    }
    let next = process::next_epoch(session).await.map_err(|error| failed(&error))?;
    next.ok_or_else(|| OpenError::Store(StoreError::Busy("another program changes its version".to_owned())))
}

async fn serve(settings: Settings, begun: Begun, opened: oneshot::Sender<Result<Opened, OpenError>>) {
    let Settings { connector, poll_interval, readers } = settings;
    let Begun { epoch, listener, writer, reader } = begun;
    let (requests, to_commit): (_, UnboundedReceiver<Request>) = unbounded_channel();
    let (reads, to_read) = unbounded_channel();
    let is_broken = Arc::new(AtomicBool::new(false));
    let (changes, ended_epochs) = (watch::Sender::new(0), watch::Sender::new(0));
    let added = Arc::new(Notify::new());
    let writer = Writer {
        connector: connector.clone(),
        epoch,
        session: Some(writer),
        is_broken: is_broken.clone(),
        changes: changes.clone(),
        added: added.clone(),
        backoff: ConnectBackoff::default(),
    };
    let readers = Arc::new(Readers::new(connector.clone(), epoch, reader, readers));
    let monitor = Monitor {
        connector: connector.clone(),
        epoch,
        poll_interval,
        changes: changes.clone(),
        ended_epochs: ended_epochs.clone(),
        added,
        backoff: ConnectBackoff::default(),
        lived: (!connector.is_attached).then_some(epoch).into_iter().collect(),
        without_session: None,
        next_beat: Instant::now(),
    };
    let schema = connector.schema.clone();
    let handle = Opened { epoch, schema, requests, reads, is_broken, changes, ended_epochs };
    // If the caller has gone, the senders are dropped here and all of it ends.
    drop(opened.send(Ok(handle)));
    let (stop, stopped) = oneshot::channel();
    let work = async {
        let (session, ()) = tokio::join!(writer.run(to_commit), readers.run(to_read));
        drop(stop);
        session
    };
    let (session, ()) = tokio::join!(work, monitor.run(listener, stopped));
    if let Some(session) = session {
        // If this fails, the others find it by looking.
        let end = async {
            if !connector.is_attached {
                process::end(&session, &[epoch]).await?;
            }
            // The monitor may have been silent about the last changes.
            process::notify(&session, Notice::Changed, Some(epoch)).await
        };
        let _ = timeout(CLOSE_TIMEOUT, end).await;
    }
}
