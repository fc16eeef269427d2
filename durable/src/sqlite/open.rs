//! Opening the file: its lock, its settings, its schema and the next epoch.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, TransactionBehavior};

use super::rows::{store_error, uint};
use super::schema::{APPLICATION, STEPS};
use crate::error::{OpenError, StoreError};
use crate::record::Epoch;

/// How long a connection waits for another program that reads or writes the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The statements that a connection keeps prepared.
const CACHED_STATEMENTS: usize = 128;

fn failed(error: &Error) -> OpenError {
    OpenError::Store(store_error(error))
}

fn not_a_store(path: &Path, reason: &dyn ToString) -> OpenError {
    OpenError::NotAStore { path: path.display().to_string(), reason: reason.to_string() }
}

/// Takes the lock of a file, until the result is dropped. The lock ends with the process, however
/// that ends.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = OsString::from(path);
    name.push("-lock");
    let io = |error: std::io::Error| {
        OpenError::Store(StoreError::Failed(format!("{}: {error}", PathBuf::from(&name).display())))
    };
    let file = File::options().create(true).append(true).open(&name).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// Opens a connection to a file of the latest schema, or of none yet, and brings it up to date.
pub(super) fn open(path: &Path) -> Result<(Connection, Epoch), OpenError> {
    let mut connection = connect(path)?;
    migrate(&mut connection, path)?;
    make_durable(&connection).map_err(OpenError::Store)?;
    let sql = "UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value";
    let epoch: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(|error| failed(&error))?;
    Ok((connection, Epoch(uint(epoch))))
}

/// Opens a connection to a file that another process may have open, and changes nothing. Returns
/// the latest epoch.
pub(super) fn attach(path: &Path) -> Result<(Connection, Epoch), OpenError> {
    if !path.is_file() {
        return Err(not_a_store(path, &"there is no such file"));
    }
    let connection = connect(path)?;
    let (found, known) = check_schema(&connection, path)?;
    if found < known {
        let reason = format!("its schema is version {found}, and becomes {known} when a program opens it");
        return Err(not_a_store(path, &reason));
    }
    let sql = "SELECT value FROM meta WHERE name = 'epoch'";
    let epoch: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(|error| failed(&error))?;
    Ok((connection, Epoch(uint(epoch))))
}

/// Opens a connection with the settings of every connection.
pub(super) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let opened = Connection::open(path).map_err(|error| failed(&error))?;
    set_up(&opened).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => not_a_store(path, &error),
        _ => failed(&error),
    })?;
    Ok(opened)
}

fn set_up(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Otherwise a statement that may use an index of a part of the table is prepared again for each
    // value, which takes longer than to run it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // The first access: a file that is no database is refused here.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Writes the log into the file and syncs both. What can be read afterwards is on the disk, also if
/// the sync of an earlier process or connection had failed.
pub(super) fn make_durable(connection: &Connection) -> Result<(), StoreError> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: bool = connection.query_row(sql, [], |row| row.get(0)).map_err(|error| store_error(&error))?;
    if busy { Err(StoreError::Busy("another program reads an old state".to_owned())) } else { Ok(()) }
}

/// Returns the version of the schema, which is 0 in an empty file, and the latest that is known.
fn check_schema(connection: &Connection, path: &Path) -> Result<(i64, i64), OpenError> {
    let number = |connection: &Connection, sql: &str| {
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| failed(&error))
    };
    let application = number(connection, "PRAGMA application_id")?;
    let found = number(connection, "PRAGMA user_version")?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
    if application != APPLICATION && (application, found, tables) != (0, 0, 0) {
        return Err(not_a_store(path, &"it is a database of another program"));
    }
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    Ok((found, known))
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let (found, known) = check_schema(connection, path)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if mode != "wal" {
        return Err(not_a_store(path, &format!("its journal cannot be written ahead, it is: {mode}")));
    }
    let left = STEPS.iter().skip(usize::try_from(found).unwrap_or_default());
    if found < known { steps(connection, left, known).map_err(|error| failed(&error)) } else { Ok(()) }
}

/// Takes the steps that are left, as one transaction.
fn steps<'a>(
    connection: &mut Connection,
    left: impl Iterator<Item = &'a &'a str>,
    known: i64,
) -> Result<(), Error> {
    // A table of the user may refer to one that a step replaces.
    let foreign_keys = connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in left {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, foreign_keys).map(drop)
}
