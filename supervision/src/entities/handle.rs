//! The handle of entities.

use std::fmt;
use std::fmt::Display;
use std::sync::Arc;

use perennial_actors::{Actor, Address};

use super::error::EntityError;
use super::shared::Shared;
use super::stats::EntitiesStats;

/// The handle of [`Entities`](super::Entities). A clone is a handle of the same entities.
pub struct EntitiesHandle<K: Send + Sync + 'static, A: Actor> {
    pub(super) shared: Arc<Shared<K, A>>,
}

impl<K: Clone + Display + Send + Sync + 'static, A: Actor> EntitiesHandle<K, A> {
    /// Returns the address of the entity with this key. The entity is started when the address gets
    /// a message.
    ///
    /// The address stays valid while it is held, however often the entity is passivated. Once it is
    /// not held, a passivated entity is freed, and the next call returns the address of a new
    /// identity.
    ///
    /// # Errors
    ///
    /// See [`EntityError`].
    pub fn address(&self, key: &K) -> Result<Address<A::Msg>, EntityError> {
        self.shared.address(key)
    }

    /// Returns the numbers of entities.
    #[must_use]
    pub fn stats(&self) -> EntitiesStats {
        self.shared.stats()
    }
}

impl<K: Send + Sync + 'static, A: Actor> Clone for EntitiesHandle<K, A> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<K: Send + Sync + 'static, A: Actor> fmt::Debug for EntitiesHandle<K, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntitiesHandle").finish_non_exhaustive()
    }
}
