//! The store in memory: for tests, and the model that other stores are compared with.

mod jobs;
mod state;
mod store;

pub(crate) use state::MemoryState;
pub use store::MemoryStore;
