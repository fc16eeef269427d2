//! The store that `--durable` names.

use std::path::PathBuf;
use std::sync::Arc;

use perennial::durable::Store;
use perennial::durable::sqlite::SqliteStore;

/// Opens the store of a path.
pub fn open(target: &str) -> Result<Arc<dyn Store>, String> {
    let store = SqliteStore::open(target);
    Ok(Arc::new(store.map_err(|error| format!("--durable {target}: {error}"))?))
}

/// Returns the path of the file, which is not indexed.
pub fn path(target: &str) -> Option<PathBuf> {
    Some(PathBuf::from(target))
}
