//! Connections to a database in which each commit is synced: a file of SQLite or a server of
//! PostgreSQL.

use std::time::Duration;

use anyhow::Result;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

/// How long one of many submitters waits for the others.
const PATIENCE: Duration = Duration::from_secs(600);

pub enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Opens the database at an address: the URL of a server, or the path of a file.
    pub async fn open(address: &str) -> Result<Self> {
        if address.starts_with("postgres://") {
            // The commits of 64 submitters share syncs of the server.
            let options = PgPoolOptions::new().max_connections(72).acquire_timeout(PATIENCE);
            return Ok(Self::Postgres(options.connect(address).await?));
        }
        let options = SqliteConnectOptions::new()
            .filename(address)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // The writers of 64 submitters wait for each other.
            .busy_timeout(Duration::from_secs(60));
        let pool = SqlitePoolOptions::new().max_connections(5).acquire_timeout(PATIENCE);
        Ok(Self::Sqlite(pool.connect_with(options).await?))
    }

    /// Returns `true` if this query of a number finds more than zero.
    pub async fn is_any(&self, count: &'static str) -> Result<bool> {
        let left: i64 = match self {
            Self::Sqlite(pool) => sqlx::query_scalar(count).fetch_one(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(count).fetch_one(pool).await?,
        };
        Ok(left > 0)
    }
}
