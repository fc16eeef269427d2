//! The pools that were given to a console.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::known::KnownPool;

/// The pools of a console.
#[derive(Clone, Default)]
pub(crate) struct Pools(Vec<Arc<KnownPool>>);

impl Pools {
    pub(crate) fn add(&mut self, pool: KnownPool) {
        self.0.push(Arc::new(pool));
    }

    /// Returns the pool whose supervisor has this identity.
    pub(crate) fn find(&self, identity: u64) -> Option<Arc<KnownPool>> {
        self.0.iter().find(|pool| pool.identity() == Some(identity)).cloned()
    }

    /// Records what happens to the jobs, until the returned future is dropped.
    pub(crate) fn record(&self) -> impl Future<Output = ()> + Send + use<> {
        let pools = self.0.clone();
        async move {
            let mut recordings = JoinSet::new();
            for pool in pools {
                recordings.spawn(async move { pool.log().record().await });
            }
            while recordings.join_next().await.is_some() {}
        }
    }
}
