//! The store that `--durable` names: a file or a server.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::durable::sqlite::SqliteStore;
use perennial::durable::{OpenError, Store};

use super::super::options::is_server;

/// Opens the store of a path or an address.
pub async fn open(target: &str) -> Result<Arc<dyn Store>, String> {
    // An address may have a password.
    let shown = if is_server(target) { "postgres://.." } else { target };
    opened(target).await.map_err(|error| format!("--durable {shown}: {error}"))
}

async fn opened(target: &str) -> Result<Arc<dyn Store>, OpenError> {
    #[cfg(feature = "durable-postgres")]
    if is_server(target) {
        return Ok(Arc::new(perennial::durable::postgres::PostgresStore::connect(target).await?));
    }
    Ok(Arc::new(SqliteStore::open(target)?))
}

/// Returns the path of the file, which is not indexed.
pub fn path(target: &str) -> Option<PathBuf> {
    (!is_server(target)).then(|| PathBuf::from(target))
}
