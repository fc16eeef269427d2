//! The store in memory: for tests, and the model that other stores are compared with.

mod jobs;
mod state;
mod store;
#[cfg(feature = "postgres")]
mod workspace;

pub(crate) use state::MemoryState;
pub use store::MemoryStore;
#[cfg(feature = "postgres")]
pub(crate) use workspace::{Changes, Workspace};
