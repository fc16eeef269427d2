//! Workers that are a function.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use perennial_actors::ExitReason;

use super::worker::{Worker, Workplace};

type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A function of a job.
pub(super) type Function<J, T, E> = dyn Fn(&J) -> Boxed<T, E> + Send + Sync;

/// A worker that is a function, and keeps nothing.
pub(super) struct Calls<J, T, E> {
    function: Arc<Function<J, T, E>>,
    jobs: PhantomData<fn(J)>,
}

impl<J, T, E> Worker for Calls<J, T, E>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    type Job = J;
    type Output = T;
    type Error = E;
    type Args = Arc<Function<J, T, E>>;

    async fn init(function: &Self::Args, _: &Workplace) -> Result<Self, ExitReason> {
        Ok(Self { function: function.clone(), jobs: PhantomData })
    }

    fn work(&mut self, job: &J) -> impl Future<Output = Result<T, E>> + Send {
        (self.function)(job)
    }
}
