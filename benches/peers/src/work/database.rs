//! The databases of durable queues: one of its own for each work.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use self::server::Server;

#[path = "../../../../durable/tests/support/server.rs"]
#[allow(dead_code, reason = "tests control their servers")]
mod server;

/// The server syncs, and listens on no socket, whose path has to be short.
const SETTINGS: &[&str] = &["fsync = on", "unix_socket_directories = ''"];

/// A kind of database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Database {
    /// A file of SQLite.
    Sqlite,
    /// A server of PostgreSQL, on this machine.
    Postgres,
}

/// A database, which is removed when this is dropped.
pub struct Place {
    address: String,
    _folder: Option<TempDir>,
    _server: Option<Server>,
}

impl Place {
    /// Returns the path of the file, or the URL of the server.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Database {
    /// Returns why there is no such database on this machine, or `None` if there is.
    pub fn absence(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => server::absence(),
        }
    }

    /// Makes an empty database.
    pub fn create(self) -> Result<Place> {
        match self {
            Self::Sqlite => {
                let folder = folder()?;
                let file = folder.path().join("jobs.db");
                let address = file.to_str().context("the path of the file is no text")?.to_owned();
                Ok(Place { address, _folder: Some(folder), _server: None })
            }
            Self::Postgres => {
                let server = Server::start_in(&beside_program()?, SETTINGS);
                Ok(Place { address: server.url(), _folder: None, _server: Some(server) })
            }
        }
    }
}

/// Returns a new folder beside this program.
pub fn folder() -> Result<TempDir> {
    TempDir::new_in(beside_program()?).context("there is no place for a database")
}

/// Returns the folder of this program: other places for temporary files may be in memory, where
/// nothing is synced.
fn beside_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("this program does not find itself")?;
    Ok(program.parent().context("this program is in no folder")?.to_owned())
}
