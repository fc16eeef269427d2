//! The conformance suite: each promise of a [`Store`](crate::Store) as a check with a name.
//!
//! It is public for stores that others write. A store that passes may be used by durable pools.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use perennial_durable::conformance::{Opener, run};
//! use perennial_durable::{MemoryStore, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = run(|| {
//!     // The first call opens an empty store, and each later one what the last process has left.
//!     let last: Mutex<Option<MemoryStore>> = Mutex::default();
//!     Opener::new(move || {
//!         let mut last = last.lock().unwrap();
//!         let next = last.as_ref().map_or_else(MemoryStore::new, MemoryStore::restart);
//!         let store: Arc<dyn Store> = Arc::new(next.join());
//!         *last = Some(next);
//!         Box::pin(std::future::ready(Ok(store)))
//!     })
//! })
//! .await;
//! assert!(report.is_passed(), "{report}");
//! # }
//! ```

mod attempts;
mod histories;
mod jobs;
mod journals;
mod leases;
mod opener;
mod processes;
mod run;
mod steps;

pub use opener::Opener;
pub use run::{Report, checks, run, run_check};
