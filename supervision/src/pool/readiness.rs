//! The readiness of workers: which running workers get jobs.

use super::handle::{PoolError, PoolHandle};
use super::scheduler::ReadinessSource;
use super::worker::{Work, WorkerContext};

impl WorkerContext {
    /// Sets whether this worker is ready for jobs, like a readiness gate of Kubernetes. A worker is
    /// ready from its start on, unless its `init` says otherwise or the pool has a readiness probe.
    ///
    /// An unready worker keeps running and finishes its job, but gets no further one. Jobs that
    /// were assigned to it by the [routing](super::Routing) go to all workers. Jobs of its
    /// [keys](super::Submission::key) and its [broadcast](super::Submission::broadcast) copies wait
    /// for it, as they do while it is restarted. While no worker is ready, jobs wait.
    ///
    /// The worker is woken when it is ready again. It must be made ready from outside its jobs: by
    /// a task that it has started, which owns a clone of this context. A call for an incarnation
    /// that has ended has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
    ///
    /// struct Greeter;
    ///
    /// impl Worker for Greeter {
    ///     type Job = String;
    ///     type Output = String;
    ///     type Error = std::convert::Infallible;
    ///     type Args = ();
    ///     async fn init(_: &(), at: &WorkerContext) -> Result<Self, ExitReason> {
    ///         at.set_ready(false);
    ///         let at = at.clone();
    ///         tokio::spawn(async move {
    ///             tokio::time::sleep(Duration::from_millis(5)).await; // Warm up.
    ///             at.set_ready(true);
    ///         });
    ///         Ok(Greeter)
    ///     }
    ///     async fn work(
    ///         &mut self,
    ///         name: &String,
    ///         _: &JobContext<'_>,
    ///     ) -> Result<String, Self::Error> {
    ///         Ok(format!("Hello, {name}"))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::<Greeter>::new("greeters", 2, ());
    /// let greeters = pool.handle();
    /// let app = pool.start(&System::new()).await?;
    /// assert_eq!(greeters.stats().workers.ready, 0);
    /// greeters.wait_ready(2).await?;
    /// assert_eq!(greeters.submit("Joe".to_owned()).await?.await?, "Hello, Joe");
    /// # assert!(app.shutdown().await.is_clean());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_ready(&self, ready: bool) {
        self.readiness.set(ReadinessSource::Worker, ready);
    }
}

impl<W: Work + 'static> PoolHandle<W> {
    /// Waits until at least this many workers are [ready](WorkerContext::set_ready), like
    /// `kubectl wait --for=condition=Ready`. They may have changed again when this returns.
    ///
    #[doc = pool_example!("squares.wait_ready(2).await?;")]
    ///
    /// # Errors
    ///
    /// [`PoolError::Stopped`] if the tree of the pool has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect on the pool.
    pub async fn wait_ready(&self, workers: usize) -> Result<(), PoolError> {
        let is_reached = self.shared.until_ready(|scheduler| scheduler.ready_workers() >= workers).await;
        if is_reached { Ok(()) } else { Err(PoolError::Stopped) }
    }
}
