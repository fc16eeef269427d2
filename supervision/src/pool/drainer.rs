//! The child of a pool that finishes the pool's jobs before the tree stops the pool.
//!
//! It starts last, so it stops first: while it stops, the workers and the manager still run.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason};

use super::shared::Shared;
use crate::policy::Shutdown;
use crate::spec::Child;

/// Finishes the jobs of a pool. See the [module](self).
pub(super) struct Drainer<J, T, E>(Arc<Shared<J, T, E>>);

/// Makes the drainer finish the jobs of its pool.
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
    /// Returns the child spec of the drainer, with this shutdown time.
    pub(super) fn child(pool: Arc<Shared<J, T, E>>, time: Duration) -> Child<Drain> {
        let child = Child::new::<Self>("drain", pool).internal().shutdown(Shutdown::Drain(time));
        let drainer = child.address();
        child.stop_hook(move |_, drains| {
            if drains {
                // If it has ended, the jobs are dropped with the pool.
                let _ = drainer.cast(Drain);
            }
        })
    }
}
