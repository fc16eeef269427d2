//! Workers that call a function.

use std::future::{Future, pending};
use std::marker::PhantomData;
use std::sync::Arc;

use perennial_actors::host::{Foreign, Guarded, catch_panic, resume_panic};
use perennial_actors::{ExitReason, System};
use tokio::task::JoinHandle;

use super::threads::Thread;
use crate::log;
use crate::pool::job_context::JobContext;
use crate::pool::worker::{Work, Worker, WorkerContext};

/// A worker that calls an async function for each job.
pub(crate) struct FnWorker<W, F: Send + 'static, Fut> {
    function: Arc<Foreign<F>>,
    types: PhantomData<fn(W) -> Fut>,
}

impl<W: Work + 'static, F, Fut> Worker for FnWorker<W, F, Fut>
where
    F: Fn(&W::Job, &JobContext<'_>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<W::Output, W::Error>> + Send + 'static,
{
    type Job = W::Job;
    type Output = W::Output;
    type Error = W::Error;
    type Args = Arc<Foreign<F>>;

    async fn init(function: &Self::Args, _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self { function: function.clone(), types: PhantomData })
    }

    fn work(
        &mut self,
        job: &W::Job,
        ctx: &JobContext<'_>,
    ) -> impl Future<Output = Result<W::Output, W::Error>> + Send {
        (self.function)(job, ctx)
    }
}

/// A worker that calls a blocking function for each job, on a thread that may block.
pub(crate) struct BlockingFnWorker<W, F: Send + 'static> {
    function: Arc<Foreign<F>>,
    system: System,
    thread: Thread,
    incarnation: u32,
    types: PhantomData<fn(W)>,
}

impl<W, F> Worker for BlockingFnWorker<W, F>
where
    W: Work<Job: Clone> + 'static,
    F: Fn(W::Job, JobContext<'static>) -> Result<W::Output, W::Error> + Send + Sync + 'static,
{
    type Job = W::Job;
    type Output = W::Output;
    type Error = W::Error;
    type Args = Arc<Foreign<F>>;

    async fn init(function: &Self::Args, at: &WorkerContext) -> Result<Self, ExitReason> {
        let (function, system, thread) = (function.clone(), at.system.clone(), at.thread.clone());
        let incarnation = at.pid.incarnation();
        Ok(Self { function, system, thread, incarnation, types: PhantomData })
    }

    fn work(
        &mut self,
        job: &W::Job,
        ctx: &JobContext<'_>,
    ) -> impl Future<Output = Result<W::Output, W::Error>> + Send {
        // Guarded, because the job may be dropped before the call, and the result before it is
        // received.
        let (function, system, job) = (self.function.clone(), self.system.clone(), Guarded::new(job.clone()));
        let (thread, incarnation, ctx) = (self.thread.clone(), self.incarnation, ctx.to_owned());
        async move {
            let Some(occupied) = thread.occupy(incarnation, system.clone()).await else {
                // The job is leased again, or will be: its call is not this worker's.
                return pending().await;
            };
            let span = log::current_span();
            let call = move || {
                job.into_inner().map(|job| Guarded::new(log::in_span(span.as_ref(), || function(job, ctx))))
            };
            // The panic is caught on that thread, because only there is its location known.
            let mut task = AbortOnDrop(tokio::task::spawn_blocking(move || {
                let called = catch_panic(Some(&system), call);
                drop(occupied);
                called
            }));
            let called = (&mut task.0).await;
            match called.unwrap_or(Ok(None)) {
                Ok(result) => match result.and_then(Guarded::into_inner) {
                    Some(result) => result,
                    // The runtime is shutting down.
                    None => pending().await,
                },
                // Has the effect of a panic of the worker itself.
                Err(reason) => resume_panic(reason),
            }
        }
    }
}

/// A blocking call. If it is dropped before the call has a thread, the call does not happen.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
