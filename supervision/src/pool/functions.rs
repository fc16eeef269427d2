//! Pools whose workers call a function.

use std::future::Future;
use std::sync::Arc;

use perennial_actors::host::Foreign;

use super::builder::Pool;
use super::job_context::JobContext;
use super::runtime::{BlockingFnWorker, FnWorker};
use super::scheduler::PoolSize;

impl<J, T, E> Pool<fn(J) -> Result<T, E>>
where
    J: Send + Sync + 'static,
    T: Send + 'static,
    E: Send + Sync + 'static,
{
    /// Makes a pool whose workers call an async function for each job.
    ///
    #[doc = setting_example!(
        r#"let square = |n: &u64| ready(Ok::<u64, Infallible>(n * n));
let pool = Pool::from_fn("squares", 4, square);"#
    )]
    pub fn from_fn<F, Fut>(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, function: F) -> Self
    where
        F: Fn(&J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let function = move |job: &J, _: &JobContext<'_>| function(job);
        Self::of_fn(id.into(), size.into(), function)
    }

    /// Makes a pool whose workers call an async function for each job, with the context of the job.
    ///
    #[doc = setting_example!(
        r#"let square = |n: &u64, ctx: JobContext<'static>| {
    let n = *n;
    async move {
        assert_eq!(ctx.attempt(), 1);
        Ok::<u64, Infallible>(n * n)
    }
};
let pool = Pool::from_fn_with_context("squares", 4, square);"#
    )]
    pub fn from_fn_with_context<F, Fut>(
        id: impl Into<Arc<str>>,
        size: impl Into<PoolSize>,
        function: F,
    ) -> Self
    where
        F: Fn(&J, JobContext<'static>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let function = move |job: &J, ctx: &JobContext<'_>| function(job, ctx.to_owned());
        Self::of_fn(id.into(), size.into(), function)
    }

    fn of_fn<F, Fut>(id: Arc<str>, size: PoolSize, function: F) -> Self
    where
        F: Fn(&J, &JobContext<'_>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let function = Arc::new(Foreign::new(function));
        Self::of::<FnWorker<fn(J) -> Result<T, E>, F, Fut>>(id, size, function)
    }

    /// Makes a pool whose workers call a blocking function for each job, on a thread that may
    /// block.
    ///
    /// A running call cannot be stopped, so it may outlive its attempt: the job is cancelled or
    /// exceeds its time limit, or its worker is killed. Then
    ///
    /// - the function can [read that](JobContext::is_cancelled) from its
    ///   [context](Self::from_blocking_fn_with_context), and should return;
    /// - a job without attempts left has its result at once, and the next attempt at any other
    ///   starts after the call has returned: no two calls of one job run at once;
    /// - the call counts as [running](super::PoolStats::running) until it has returned, and
    ///   [`drain`](super::PoolHandle::drain) waits for it;
    /// - the worker takes no other job until then: at most as many calls run at once as there are
    ///   workers, and a call that never returns occupies its thread and its worker forever.
    ///
    /// A stop waits for calls as long as workers have to stop. It logs the jobs of the calls that
    /// still run: see [`PoolStopReport::unstopped`](super::PoolStopReport::unstopped) and
    /// [`ShutdownReport`](crate::ShutdownReport).
    ///
    #[doc = setting_example!(
        r#"let square = |n: u64| Ok::<u64, Infallible>(n * n);
let pool = Pool::from_blocking_fn("squares", 2, square);"#
    )]
    pub fn from_blocking_fn<F>(id: impl Into<Arc<str>>, size: impl Into<PoolSize>, function: F) -> Self
    where
        J: Clone,
        F: Fn(J) -> Result<T, E> + Send + Sync + 'static,
    {
        Self::from_blocking_fn_with_context(id, size, move |job, _| function(job))
    }

    /// Makes a [pool of a blocking function](Self::from_blocking_fn) that gets the context of its
    /// job. A function that takes long asks it regularly whether to
    /// [stop](JobContext::should_stop).
    ///
    #[doc = setting_example!(
        r#"let square = |n: u64, ctx: JobContext<'static>| {
    let steps = (0..n).take_while(|_| !ctx.should_stop());
    Ok::<u64, Infallible>(steps.map(|step| 2 * step + 1).sum())
};
let pool = Pool::from_blocking_fn_with_context("squares", 2, square);"#
    )]
    pub fn from_blocking_fn_with_context<F>(
        id: impl Into<Arc<str>>,
        size: impl Into<PoolSize>,
        function: F,
    ) -> Self
    where
        J: Clone,
        F: Fn(J, JobContext<'static>) -> Result<T, E> + Send + Sync + 'static,
    {
        let function = Arc::new(Foreign::new(function));
        let mut pool =
            Self::of::<BlockingFnWorker<fn(J) -> Result<T, E>, F>>(id.into(), size.into(), function);
        pool.is_blocking = true;
        pool
    }
}
