//! Opens the store that is checked, as one process after the other.

use std::fmt;
use std::sync::Arc;

use crate::error::OpenError;
use crate::store::{Store, StoreFuture};

/// Why a check failed.
pub(super) type Failure = String;

/// Opens one store again and again.
pub struct Opener(Box<dyn Fn() -> Opening + Send + Sync>);

/// The future of an opened store.
type Opening = StoreFuture<Result<Arc<dyn Store>, OpenError>>;

impl Opener {
    /// Makes an opener from a function. Its first call opens an empty store. Each later one opens
    /// the same store in the place of a process that starts when all earlier ones have ended; the
    /// suite has dropped their handles then.
    pub fn new(
        open: impl Fn() -> StoreFuture<Result<Arc<dyn Store>, OpenError>> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(open))
    }

    pub(super) async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        (self.0)().await.map_err(|error| format!("the store does not open: {error}"))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(..)")
    }
}
