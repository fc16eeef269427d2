//! The child of a pool that lets the pool finish its jobs before the tree stops it.
//!
//! It starts last and so stops first. While it stops, the workers and the foreman still run.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason};

use super::shared::Shared;
use crate::policy::Shutdown;
use crate::spec::Child;

/// Finishes what a pool has. See the [module](self).
pub(super) struct Drainer<J, T, E>(Arc<Shared<J, T, E>>);

/// Tells the drainer to finish what its pool has.
pub(super) struct Drain;

impl<J, T, E> Actor for Drainer<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Msg = Drain;
    type Args = Arc<Shared<J, T, E>>;

    async fn init(pool: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(pool.clone()))
    }

    async fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.begin_drain();
        self.0.emptied().await;
        Ok(())
    }
}

impl<J, T, E> Drainer<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Returns the spec of the drainer of a pool, which has this much time.
    pub(super) fn child(pool: Arc<Shared<J, T, E>>, time: Duration) -> Child<Drain> {
        let child = Child::new::<Self>("drain", pool).internal().shutdown(Shutdown::Drain(time));
        let drainer = child.address();
        child.stop_hook(move |_, drains| {
            if drains {
                // If it has ended, its jobs are dropped with the pool.
                let _ = drainer.cast(Drain);
            }
        })
    }
}
