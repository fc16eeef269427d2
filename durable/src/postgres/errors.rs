//! The errors of PostgreSQL, as those of a store.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::error::{OpenError, StoreError};

/// Returns the error of a store that an error of PostgreSQL is.
pub(super) fn store_error(error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(found) => of_server(found),
        None if error.is_closed() || is_io(error) => StoreError::Disconnected(text(error)),
        None => StoreError::Failed(text(error)),
    }
}

/// Returns the error of a process that cannot open a store.
pub(super) fn failed(error: &Error) -> OpenError {
    OpenError::Store(store_error(error))
}

/// Returns `true` if the session cannot be used any more.
pub(super) fn is_lost(error: &Error) -> bool {
    error.as_db_error().map_or_else(
        || error.is_closed() || is_io(error),
        |found| matches!(found.parsed_severity(), Some(Severity::Fatal | Severity::Panic)),
    )
}

/// Returns `true` if the same transaction may succeed at once.
pub(super) fn is_retried(error: &Error) -> bool {
    let codes = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|code| codes.contains(code))
}

fn is_io(error: &Error) -> bool {
    error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn text(error: &Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn of_server(error: &DbError) -> StoreError {
    let detail = error.detail().map_or_else(String::new, |detail| format!(" ({detail})"));
    let text = format!("{}{detail}", error.message());
    let code = error.code();
    // The classes of SQLSTATE are its first two characters.
    match (code.code(), code.code().get(..2).unwrap_or_default()) {
        ("53100", _) => StoreError::Full(text),
        // Shutdowns and crashes of the server, and connections that it ended or refuses for now.
        ("57P01" | "57P02" | "57P03" | "57P05" | "25P03", _) | (_, "08") => StoreError::Disconnected(text),
        // Locks, statements that were cancelled, a standby or a server that is read only.
        ("55P03" | "57014" | "25006", _) | (_, "40" | "53") => StoreError::Busy(text),
        (_, "XX") if code.code() != "XX000" => StoreError::Corrupt(text),
        _ => StoreError::Failed(text),
    }
}
