//! The stores of a console.

use std::sync::Arc;

use futures_util::future::join_all;

use super::known::KnownStore;
use crate::api::StoreRow;

/// The stores, in the order in which they were given.
#[derive(Default)]
pub(crate) struct Stores(Vec<Arc<KnownStore>>);

impl Stores {
    /// Adds a store. It replaces an earlier one of the same name.
    #[cfg(feature = "durable")]
    pub(crate) fn add(&mut self, store: KnownStore) {
        self.0.retain(|known| known.name() != store.name());
        self.0.push(Arc::new(store));
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<KnownStore>> {
        self.0.iter().find(|store| store.name() == name).cloned()
    }

    /// Returns the stores with their queues. One that fails keeps no other from answering.
    pub(crate) async fn rows(&self) -> Vec<StoreRow> {
        join_all(self.0.iter().map(|store| store.row())).await
    }
}
