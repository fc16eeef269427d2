//! The PostgreSQL server of the tests of a file, and stores on it.
//!
//! If its programs are not on the machine, the tests say that they were skipped.

use std::env;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use perennial_durable::Store;
use perennial_durable::conformance::Opener;
use perennial_durable::postgres::{PostgresBuilder, PostgresStore};
use tokio_postgres::{Client, NoTls};

mod server;

pub(crate) use server::Server;

/// Returns `true` if no server starts on this machine. Says why, also if the output of the test is
/// captured.
pub(crate) fn is_skipped() -> bool {
    let absence = server::absence();
    if let Some(reason) = absence {
        let _ = writeln!(std::io::stderr(), "skipped: {reason}");
    }
    absence.is_some()
}

/// Returns the server that the tests of one file share.
pub(crate) fn server() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&[])).as_ref()
}

impl Server {
    /// Starts a server with these settings.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        (!is_skipped()).then(|| Self::start_in(&env::temp_dir(), settings))
    }

    /// Returns the builder of a store of its own.
    pub(crate) fn builder(&self) -> PostgresBuilder {
        PostgresStore::builder(self.url()).schema(new_schema())
    }

    /// Connects as a person would.
    pub(crate) async fn admin(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.expect("a server");
        tokio::spawn(connection);
        client
    }

    /// Returns the opener of a store of its own.
    pub(crate) fn opener(&self) -> Opener {
        let builder = self.builder();
        Opener::new(move || {
            let builder = builder.clone();
            Box::pin(async move {
                let store: Arc<dyn Store> = Arc::new(builder.connect().await?);
                Ok(store)
            })
        })
    }
}

/// Returns the name of a schema that does not exist.
pub(crate) fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("store {}", NEXT.fetch_add(1, Ordering::Relaxed))
}
