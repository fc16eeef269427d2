//! The settings of a store in a server, and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::open::{Settings, run};
use super::session::Connector;
use super::store::PostgresStore;
use super::tls::Tls;
use super::url::parse;
use crate::error::{OpenError, StoreError};

/// The longest name that PostgreSQL keeps.
const MAX_NAME: usize = 63;

/// The settings of a [`PostgresStore`], and the method that opens it.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use perennial_durable::postgres::PostgresStore;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::builder("postgres://app:secret@db.internal/app?sslmode=verify-full")
///     .schema("jobs")
///     .lease(Duration::from_secs(20))
///     .root_certificate("/etc/ssl/db-ca.pem")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct PostgresBuilder {
    url: String,
    schema: String,
    lease: Duration,
    poll_interval: Duration,
    readers: usize,
    root: Option<PathBuf>,
}

impl PostgresStore {
    /// Connects to the server with the default [settings](Self::builder).
    ///
    /// # Errors
    ///
    /// As of [`PostgresBuilder::connect`].
    ///
    /// # Cancel safety
    ///
    /// As of [`PostgresBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::builder(url).connect().await
    }

    /// Returns the settings of a store at a URL as `libpq` has it:
    /// `postgres://user:password@host:port/database`, or `host=.. user=..`.
    ///
    /// With `sslmode=verify-full`, `verify-ca` or `require`, the connections are encrypted, and the
    /// certificate and the name of the server are verified. `sslrootcert` is as
    /// [`root_certificate`](PostgresBuilder::root_certificate). Without, they are not encrypted.
    pub fn builder(url: impl Into<String>) -> PostgresBuilder {
        PostgresBuilder::new(url)
    }
}

impl PostgresBuilder {
    fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            schema: "perennial".to_owned(),
            lease: Duration::from_secs(30),
            poll_interval: Duration::from_millis(500),
            readers: 2,
            root: None,
        }
    }

    /// Sets the schema of the tables; `perennial` by default. It is made if it does not exist.
    /// Stores of different schemas share nothing. Oban calls this `prefix`.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets how long this process may be silent before another ends its epoch; 30 seconds by
    /// default, and at least 100 milliseconds. A heartbeat is sent four times as often. A process
    /// that was killed is noticed by the end of its sessions; a lease is for one that is frozen or
    /// cut off.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Sets how often the store looks for what no notification has told: jobs of other processes,
    /// and processes that have ended; half a second by default, and at least 10 milliseconds.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Sets the number of sessions that read; 2 by default, and at least 1. A store has two others:
    /// one writes, and one listens.
    pub fn readers(mut self, sessions: usize) -> Self {
        self.readers = sessions.max(1);
        self
    }

    /// Sets the file of the certificates in PEM that sign that of the server; those that the system
    /// trusts by default. As `sslrootcert` in the URL.
    pub fn root_certificate(mut self, path: impl AsRef<Path>) -> Self {
        self.root = Some(path.as_ref().to_owned());
        self
    }

    /// Connects, brings the schema up to date, and begins the next epoch.
    ///
    /// # Errors
    ///
    /// - [`OpenError::NewerSchema`] if a newer version of this library has written the tables;
    /// - [`OpenError::NotAStore`] if the schema has tables of another program;
    /// - [`OpenError::Store`] with the reason if the URL or a setting is wrong, the server cannot
    ///   be reached, its certificate is not trusted, or it refuses the user.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has begun is closed again.
    pub async fn connect(self) -> Result<PostgresStore, OpenError> {
        self.open(false).await
    }

    /// Connects beside the processes that work, to look at jobs and to change what waits or is
    /// over: to retry, remove, cancel and submit jobs, and to pause queues. `perennial-jobs` does.
    ///
    /// It makes no tables, begins no epoch and ends none. It leases no jobs: a
    /// [`Lease`](crate::Op::Lease) is refused. The processes that work notice a change at once.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect), and [`OpenError::NotAStore`] if the schema has no tables,
    /// or those of an older version, which [`connect`](Self::connect) brings up to date.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has begun is closed again.
    pub async fn attach(self) -> Result<PostgresStore, OpenError> {
        self.open(true).await
    }

    async fn open(self, is_attached: bool) -> Result<PostgresStore, OpenError> {
        let settings = self.settings(is_attached);
        let settings = settings.map_err(|reason| OpenError::Store(StoreError::Failed(reason)))?;
        let (opened, opening) = oneshot::channel();
        let spawned =
            thread::Builder::new().name("postgres store".to_owned()).spawn(|| run(settings, opened));
        let thread = spawned.map_err(|error| OpenError::Store(StoreError::Failed(error.to_string())))?;
        let opened = opening.await.unwrap_or(Err(OpenError::Store(StoreError::Closed)))?;
        Ok(PostgresStore::new(opened, thread, is_attached))
    }

    fn settings(&self, is_attached: bool) -> Result<Settings, String> {
        if self.schema.is_empty() || self.schema.len() > MAX_NAME || self.schema.contains('\0') {
            return Err(format!("{:?} is no name of a schema", self.schema));
        }
        let mut address = parse(&self.url)?;
        let root = self.root.clone().or(address.root.take());
        let tls = address.is_encrypted.then(|| Tls::new(root.as_deref())).transpose()?;
        let mut config = address.config;
        if config.get_application_name().is_none() {
            config.application_name("perennial");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(self.lease);
        }
        // In whole seconds, and not 0.
        config.keepalives_idle((self.lease / 2).max(Duration::from_secs(1)));
        let (schema, lease) = (self.schema.clone(), self.lease);
        let connector = Connector { config, tls, schema, lease, is_attached };
        Ok(Settings {
            connector: Arc::new(connector),
            poll_interval: self.poll_interval.min(self.lease / 4),
            readers: self.readers,
        })
    }
}

/// The URL has a password.
impl fmt::Debug for PostgresBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, schema, lease, poll_interval, readers, root } = self;
        f.debug_struct("PostgresBuilder")
            .field("schema", schema)
            .field("lease", lease)
            .field("poll_interval", poll_interval)
            .field("readers", readers)
            .field("root_certificate", root)
            .finish_non_exhaustive()
    }
}
