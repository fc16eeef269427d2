//! Workers that are a function.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::ExitReason;

use super::worker::{Worker, Workplace};

/// A worker that calls a function of a job, and keeps nothing.
pub(super) struct Calls<F, J, Fut> {
    function: Arc<F>,
    types: PhantomData<fn(J) -> Fut>,
}

impl<F, J, T, E, Fut> Worker for Calls<F, J, Fut>
where
    F: Fn(&J) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Job = J;
    type Output = T;
    type Error = E;
    type Args = Arc<F>;

    async fn init(function: &Arc<F>, _: &Workplace) -> Result<Self, ExitReason> {
        Ok(Self { function: function.clone(), types: PhantomData })
    }

    fn work(&mut self, job: &J) -> impl Future<Output = Result<T, E>> + Send {
        (self.function)(job)
    }
}
