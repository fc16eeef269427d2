//! One session with the server: its settings, its prepared statements and its pipeline.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, NoTls, Notification, Row, Socket, Statement,
};

use super::errors::store_error;
use super::schema::quoted;
use super::tls::Tls;
use crate::error::StoreError;

/// How long a session may take to begin.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A parameter of a statement.
pub(super) type Param<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement with its parameters.
pub(super) struct Query<'a> {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Param<'a>>,
}

impl<'a> Query<'a> {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql, params: Vec::new() }
    }

    pub(super) fn bind(mut self, param: impl ToSql + Sync + Send + 'a) -> Self {
        self.params.push(Box::new(param));
        self
    }
}

/// The answer to a statement.
pub(super) struct Answer {
    /// How many rows it has changed or returned.
    pub(super) changed: u64,
    pub(super) rows: Vec<Row>,
}

/// How sessions are made.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    pub(super) tls: Option<Tls>,
    pub(super) schema: String,
    /// How long a process may be silent.
    pub(super) lease: Duration,
    /// The store is attached: its sessions are those of no process that works.
    pub(super) is_attached: bool,
}

impl Connector {
    /// Begins a session, and prepares the statements that it needs first. If `heard` is given, the
    /// session listens, and notifications are sent to it.
    pub(super) async fn connect(
        &self,
        first: &[&'static str],
        heard: Option<UnboundedSender<Notification>>,
    ) -> Result<Session, StoreError> {
        let connected = timeout(CONNECT_TIMEOUT, self.connect_and_set_up(first, heard)).await;
        match connected {
            Ok(session) => session.map_err(|error| store_error(&error)),
            Err(_) => Err(StoreError::Disconnected("the server does not answer".to_owned())),
        }
    }

    async fn connect_and_set_up(
        &self,
        first: &[&'static str],
        heard: Option<UnboundedSender<Notification>>,
    ) -> Result<Session, Error> {
        let mut settings = self.settings();
        if heard.is_some() {
            // The heartbeats of a server that crashes need not be on its disk.
            settings.push_str("; SET synchronous_commit = off; LISTEN ");
            settings.push_str(&quoted(&self.schema));
        }
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(drive(connection, heard));
                client
            }
            None => {
                let (client, connection): (_, Connection<Socket, NoTlsStream>) =
                    self.config.connect(NoTls).await?;
                tokio::spawn(drive(connection, heard));
                client
            }
        };
        let session = Session { client, statements: Mutex::default() };
        // One round trip. Statements on tables that are not there yet are prepared when they are.
        let (set, _) = tokio::join!(
            biased;
            session.client.batch_execute(&settings),
            session.prepare(first.iter().copied().collect()),
        );
        set.map(|()| session)
    }

    /// Returns the settings of every session.
    ///
    /// A session that is idle within a transaction belongs to a process that is frozen: its locks
    /// must not outlast its lease. Statements are planned once, for tables of any size, before the
    /// server has counted their rows: by their indexes, and not compiled.
    fn settings(&self) -> String {
        let lease = self.lease.as_millis().max(1);
        format!(
            "SET search_path = {}; SET lock_timeout = '5s'; \
            SET idle_in_transaction_session_timeout = {lease}; SET client_min_messages = warning; \
            SET default_transaction_isolation = 'read committed'; \
            SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET jit = off; \
            SET plan_cache_mode = force_generic_plan; \
            SELECT set_config('synchronous_commit', 'on', false) \
            WHERE current_setting('synchronous_commit') = 'off'",
            quoted(&self.schema)
        )
    }
}

/// Drives a connection until it ends.
async fn drive<T>(mut connection: Connection<Socket, T>, heard: Option<UnboundedSender<Notification>>)
where
    T: tokio_postgres::tls::TlsStream + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
        if let (AsyncMessage::Notification(notification), Some(heard)) = (message, &heard) {
            // The monitor may have ended.
            let _ = heard.send(notification);
        }
    }
}

/// A session.
pub(super) struct Session {
    pub(super) client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Session {
    /// Runs statements in order, all sent before the first answer. Returns the answer of each, or
    /// the first error.
    pub(super) async fn send(&self, queries: &[Query<'_>]) -> Result<Vec<Answer>, Error> {
        let statements = self.prepared(queries).await?;
        let calls = statements.iter().zip(queries).map(|(statement, query)| {
            let params: Vec<&(dyn ToSql + Sync)> = query.params.iter().map(|param| &**param as _).collect();
            async move {
                if statement.columns().is_empty() {
                    let changed = self.client.execute(statement, &params).await?;
                    return Ok(Answer { changed, rows: Vec::new() });
                }
                let rows = self.client.query(statement, &params).await?;
                Ok(Answer { changed: rows.len() as u64, rows })
            }
        });
        join_in_order(calls.collect()).await
    }

    /// Runs one statement. Returns its rows.
    pub(super) async fn query(&self, query: Query<'_>) -> Result<Vec<Row>, Error> {
        Ok(self.send(&[query]).await?.pop().map_or_else(Vec::new, |answer| answer.rows))
    }

    /// Prepares statements in one round trip.
    async fn prepare(&self, new: BTreeSet<&'static str>) -> Result<(), Error> {
        let prepared = join_in_order(new.iter().map(|sql| self.client.prepare(sql)).collect()).await?;
        self.statements.lock().extend(new.into_iter().zip(prepared));
        Ok(())
    }

    /// Returns the prepared statements. Those that are new are prepared before.
    async fn prepared(&self, queries: &[Query<'_>]) -> Result<Vec<Statement>, Error> {
        let new: BTreeSet<&'static str> = {
            let known = self.statements.lock();
            queries.iter().map(|query| query.sql).filter(|sql| !known.contains_key(sql)).collect()
        };
        if !new.is_empty() {
            self.prepare(new).await?;
        }
        let known = self.statements.lock();
        Ok(queries.iter().filter_map(|query| known.get(query.sql).cloned()).collect())
    }
}

/// Waits for all futures, or for the first error. Each is polled for the first time after those
/// before it, and only if none of them has failed.
async fn join_in_order<F, T, E>(futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut futures: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut is_ready = true;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(Ok(value)) => *output = Some(value),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => is_ready = false,
                }
            }
        }
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    Ok(outputs.into_iter().flatten().collect())
}
