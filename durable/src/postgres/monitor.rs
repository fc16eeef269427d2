//! The task that tells and hears of other processes: notifications, heartbeats and ended epochs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::{Error, Notification};

use super::errors::{is_lost, store_error};
use super::process::{self, Notice};
use super::session::{Connector, Session};
use super::writer::ConnectBackoff;
use crate::error::StoreError;
use crate::record::Epoch;

/// How long after the first look a process without a session is looked at again. One that lives has
/// connected again by then.
const SECOND_LOOK: Duration = Duration::from_millis(150);

/// How long this process is silent after it has told others of changes. Those that follow are told
/// of together.
const SILENCE: Duration = Duration::from_millis(5);

/// The monitor of a process.
pub(super) struct Monitor {
    pub(super) connector: Arc<Connector>,
    pub(super) epoch: Epoch,
    /// How often it looks for what it was not told.
    pub(super) poll_interval: Duration,
    pub(super) changes: watch::Sender<u64>,
    pub(super) ended_epochs: watch::Sender<u64>,
    pub(super) added: Arc<Notify>,
    pub(super) backoff: ConnectBackoff,
    /// The processes that lived at the last look.
    pub(super) lived: BTreeSet<Epoch>,
    /// The processes that had no session at the last look, if there was one.
    pub(super) without_session: Option<BTreeSet<Epoch>>,
    pub(super) next_beat: Instant,
}

/// A session that listens.
pub(super) struct Listener {
    session: Session,
    heard: UnboundedReceiver<Notification>,
}

/// Begins a session that listens, without an epoch yet.
pub(super) async fn listen(connector: &Connector) -> Result<Listener, StoreError> {
    let (sender, heard) = unbounded_channel();
    let session = connector.connect(process::FIRST, Some(sender)).await?;
    Ok(Listener { session, heard })
}

impl Listener {
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }
}

impl Monitor {
    /// Listens, and connects again whenever the session is lost, until it is stopped.
    pub(super) async fn run(mut self, first: Listener, mut stopped: oneshot::Receiver<()>) {
        let mut listener = Some(first);
        loop {
            match listener.take() {
                Some(mut listening) => {
                    let listened = self.listen(&mut listening, &mut stopped).await;
                    if listened.is_ok() {
                        return;
                    }
                }
                None => {
                    tokio::select! {
                        _ = &mut stopped => return,
                        () = sleep_until(self.backoff.next()) => {}
                    }
                    let connected = self.connect().await;
                    listener = self.backoff.note(connected).ok();
                    // Something may have been said meanwhile.
                    tell(&self.changes);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Listener, StoreError> {
        let listener = listen(&self.connector).await?;
        let shared = process::share_life(&listener.session, self.epoch).await;
        shared.map(|()| listener).map_err(|error| store_error(&error))
    }

    /// Listens until it is stopped, or until the session is lost.
    async fn listen(
        &mut self,
        listener: &mut Listener,
        stopped: &mut oneshot::Receiver<()>,
    ) -> Result<(), Error> {
        let Listener { session, heard } = listener;
        let mut next_poll = Instant::now();
        let mut silent_until = next_poll;
        loop {
            let step = tokio::select! {
                biased;
                _ = &mut *stopped => return Ok(()),
                notification = heard.recv() => {
                    match notification {
                        Some(notification) => self.note(&notification),
                        // The session has ended: a statement says how.
                        None => session.client.batch_execute("SELECT 1").await?,
                    }
                    Ok(())
                }
                () = added_after(&self.added, silent_until) => {
                    silent_until = Instant::now() + SILENCE;
                    process::notify(session, Notice::Changed, Some(self.epoch)).await
                }
                () = sleep_until(next_poll) => {
                    let polled = self.poll(session).await;
                    next_poll = Instant::now() + self.pause();
                    polled
                }
            };
            // Another error is that of one statement: the next look finds what this one missed.
            if let Err(error) = step
                && (is_lost(&error) || session.client.is_closed())
            {
                return Err(error);
            }
        }
    }

    /// Returns the time until the next look.
    fn pause(&self) -> Duration {
        let is_suspicious = self.without_session.as_ref().is_some_and(|found| !found.is_empty());
        if is_suspicious { SECOND_LOOK.min(self.poll_interval) } else { self.poll_interval }
    }

    fn note(&self, notification: &Notification) {
        match process::heard(notification.payload(), self.epoch) {
            Some(Notice::Changed) => tell(&self.changes),
            Some(Notice::Ended) => tell(&self.ended_epochs),
            None => {}
        }
    }

    /// Looks for what no notification has told.
    async fn poll(&mut self, session: &Session) -> Result<(), Error> {
        if !self.connector.is_attached {
            self.live(session).await?;
        }
        let lives: BTreeSet<Epoch> = process::all(session).await?.into_iter().collect();
        if !self.lived.is_subset(&lives) {
            tell(&self.ended_epochs);
        }
        self.lived = lives;
        tell(&self.changes);
        Ok(())
    }

    /// Shows that this process lives, and ends those that do not.
    async fn live(&mut self, session: &Session) -> Result<(), Error> {
        let now = Instant::now();
        if now >= self.next_beat {
            process::beat(session, self.epoch).await?;
            self.next_beat = now + self.connector.lease / 4;
        }
        process::end_silent(session, self.epoch).await?;
        let without: BTreeSet<Epoch> =
            process::without_session(session, self.epoch).await?.into_iter().collect();
        // The first look follows that of the start: sessions of a killed process may end later.
        let still: Vec<Epoch> = match &self.without_session {
            Some(before) => without.intersection(before).copied().collect(),
            None => without.iter().copied().collect(),
        };
        self.without_session = Some(without);
        process::end(session, &still).await
    }
}

/// Waits until something was added, and until a time.
async fn added_after(added: &Notify, time: Instant) {
    sleep_until(time).await;
    added.notified().await;
}

fn tell(number: &watch::Sender<u64>) {
    number.send_modify(|number| *number = number.wrapping_add(1));
}
