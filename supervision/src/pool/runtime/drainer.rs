//! The child of a pool that finishes the pool's jobs before the tree stops the pool.
//!
//! It starts last, so it stops first: while it stops, the workers and the manager still run.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason};

use super::shared::Shared;
use crate::policy::Shutdown;
use crate::pool::worker::Work;
use crate::spec::Child;

/// Finishes the jobs of a pool. See the [module](self).
pub(crate) struct Drainer<W: Work + 'static>(Arc<Shared<W>>);

/// Makes the drainer finish the jobs of its pool.
pub(crate) struct Drain;

impl<W: Work + 'static> Actor for Drainer<W> {
    type Msg = Drain;
    type Args = Arc<Shared<W>>;

    async fn init(pool: &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(pool.clone()))
    }

    async fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.begin_drain();
        self.0.emptied().await;
        Ok(())
    }
}

impl<W: Work + 'static> Drainer<W> {
    /// Returns the child spec of the drainer, with this shutdown time.
    pub(crate) fn child(pool: Arc<Shared<W>>, time: Duration) -> Child<Drain> {
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
