//! Tasks that belong together, for as long as somebody waits for them: one of them failing leaves the others running.
//!
//! It is what Kotlin calls a supervisor scope, and the smallest form of the Supervisor-Worker pattern: no queue, no workers, no second try.
//!
//! # Guarantees
//!
//! - One that fails, panics or is killed has that as its result, and nothing happens to the others.
//! - No task outlives its scope: those that are left when it is dropped are ended at their next await.
//!
//! # What it is not for
//!
//! Work that is tried again, or that waits for its turn: that is a [pool](crate::pool). What has to run for as long as the program does
//! is a [child](Child::job_state).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use perennial_actors::host::{Each, Guarded, catch_panics, ignore_panic};
use perennial_actors::{ExitReason, Monitor, System};
use tokio::sync::oneshot;

use crate::error::{StartChildError, StartError};
use crate::policy::Restart;
use crate::spec::Child;
use crate::supervisor::{App, DynamicHandle, DynamicSupervisor};

/// Tasks that belong together, each with a result of its own. See [`TaskScope::join_all`].
#[must_use = "its tasks are ended when it is dropped"]
pub struct TaskScope<T> {
    app: App<DynamicHandle>,
    tasks: Vec<Task<T>>,
}

struct Task<T> {
    result: oneshot::Receiver<Guarded<Result<T, ExitReason>>>,
    end: Monitor,
}

impl<T: Send + 'static> TaskScope<T> {
    /// A scope without tasks.
    ///
    /// # Errors
    ///
    /// If there is no runtime.
    pub async fn start(id: impl Into<Arc<str>>, system: &System) -> Result<Self, StartError> {
        let app = DynamicSupervisor::new(id).start(system).await?;
        Ok(Self { app, tasks: Vec::new() })
    }

    /// Starts a task; ready when it has run up to its first await. Its id is for people.
    ///
    /// # Errors
    ///
    /// If the scope was stopped from outside.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task may have started. It is not among the results.
    pub async fn spawn<F>(&mut self, id: impl Into<Arc<str>>, task: F) -> Result<(), StartChildError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (told, result) = oneshot::channel();
        let child = once(id.into(), task, told);
        let address = child.address();
        self.app.supervisor().start_child(child).await?;
        self.tasks.push(Task { result, end: address.monitor() });
        Ok(())
    }

    /// Waits for all; what each has returned, or why it has returned nothing, in the order in which they were started.
    ///
    /// ```
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::TaskScope;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut scope = TaskScope::start("halves", &System::new()).await?;
    /// for n in [4, 7, 10] {
    ///     scope.spawn(format!("half of {n}"), async move {
    ///         assert_eq!(n % 2, 0, "it has no half");
    ///         n / 2
    ///     }).await?;
    /// }
    /// let results = scope.join_all().await;
    /// assert!(matches!(results[..], [Ok(2), Err(ExitReason::Panicked(_)), Ok(5)]));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn join_all(mut self) -> Vec<Result<T, ExitReason>> {
        // Those that are there are dropped one by one if this is.
        let mut results = Each::new(Vec::with_capacity(self.tasks.len()));
        for task in std::mem::take(&mut self.tasks) {
            let result = task.result.await.ok().and_then(Guarded::into_inner);
            results.push(match result {
                Some(result) => result,
                // It was made to end, and could not say so itself.
                None => Err(task.end.await.reason),
            });
        }
        results.into_vec()
    }

    /// The means to look at its tasks, and to end one of them.
    #[must_use]
    pub const fn supervisor(&self) -> &DynamicHandle {
        self.app.supervisor()
    }
}

/// A child that runs this future, which has one life only.
fn once<T, F>(
    id: Arc<str>,
    task: F,
    told: oneshot::Sender<Guarded<Result<T, ExitReason>>>,
) -> Child<Infallible>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let life = Mutex::new(Some((task, told)));
    let child = Child::task(id, move |ctx| {
        let life = life.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            let Some((task, told)) = life else { return Ok(()) };
            let result = Guarded::new(catch_panics(Some(ctx.system().clone()), task).await);
            let end = result.as_ref().map(drop).map_err(Clone::clone);
            // Whoever wanted it may have gone. A waker of theirs is foreign code.
            ignore_panic(|| drop(told.send(result)));
            end
        }
    });
    child.restart(Restart::Temporary)
}

impl<T> Drop for TaskScope<T> {
    fn drop(&mut self) {
        // If it has ended, there is nobody to tell.
        let _ = self.app.handle().stop(ExitReason::shutdown());
    }
}

impl<T> fmt::Debug for TaskScope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}
