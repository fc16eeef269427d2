//! A group of tasks with individual results: a failed task does not affect the others.
//!
//! It corresponds to Kotlin's supervisor scope, and is the smallest form of the Supervisor-Worker
//! pattern: no queue, no workers, no retries.
//!
//! # Guarantees
//!
//! - The result of a task that fails, panics or is killed is its exit reason. The other tasks
//!   continue.
//! - No task outlives its scope: when the scope is dropped, each remaining task ends at its next
//!   await.
//!
//! # What it is not for
//!
//! Work that is retried or queued: use a [pool](crate::pool). Code that runs for as long as the
//! program: use a [child task](Child::task).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use perennial_actors::host::sync::Mutex;
use perennial_actors::host::{Each, Guarded, catch_panics, ignore_panic};
use perennial_actors::{ExitReason, Monitor, System};
use tokio::sync::oneshot;

use crate::error::{StartChildError, StartError};
use crate::policy::Restart;
use crate::spec::Child;
use crate::supervisor::{App, DynamicHandle, DynamicSupervisor};

/// A group of tasks, each with its own result. See [`TaskScope::join_all`].
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
    /// Starts a scope without tasks.
    ///
    /// # Errors
    ///
    /// There is no tokio runtime with timers.
    ///
    #[doc = supervision_example!(
        r#"let mut scope = TaskScope::start("scope", &System::new()).await?;
scope.spawn("seven", async { 7 }).await?;
assert!(matches!(scope.join_all().await[..], [Ok(7)]));"#
    )]
    pub async fn start(id: impl Into<Arc<str>>, system: &System) -> Result<Self, StartError> {
        let app = DynamicSupervisor::new(id).start(system).await?;
        Ok(Self { app, tasks: Vec::new() })
    }

    /// Starts a task. Resolves once the task has run to its first await. The id is informative and
    /// need not be unique.
    ///
    /// # Errors
    ///
    /// The scope was stopped from outside.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task may have started. Its result is not returned by
    /// [`join_all`](Self::join_all).
    ///
    #[doc = supervision_example!(
        r#"let mut scope = TaskScope::start("scope", &System::new()).await?;
scope.spawn("seven", async { 7 }).await?;
assert!(matches!(scope.join_all().await[..], [Ok(7)]));"#
    )]
    pub async fn spawn<F>(&mut self, id: impl Into<Arc<str>>, task: F) -> Result<(), StartChildError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (sender, result) = oneshot::channel();
        let child = once(id.into(), task, sender);
        let address = child.address();
        self.app.supervisor().start_child(child).await?;
        self.tasks.push(Task { result, end: address.monitor() });
        Ok(())
    }

    /// Waits for all tasks. Returns the result of each, or its exit reason if it has none, in start
    /// order.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the scope is dropped: the remaining tasks end at their next await.
    ///
    /// # Examples
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
        // If this future is dropped, the results are dropped one by one, each under a guard.
        let mut results = Each::new(Vec::with_capacity(self.tasks.len()));
        for task in std::mem::take(&mut self.tasks) {
            let result = task.result.await.ok().and_then(Guarded::into_inner);
            results.push(match result {
                Some(result) => result,
                // The task was ended from outside, before it sent a result.
                None => Err(task.end.await.reason),
            });
        }
        results.into_vec()
    }

    /// Returns the handle that inspects the tasks and can terminate one of them.
    ///
    #[doc = supervision_example!(
        r#"let mut scope = TaskScope::start("scope", &System::new()).await?;
scope.spawn("waiting", std::future::pending::<()>()).await?;
let task = scope.supervisor().which_children().await?[0].pid.ok_or("it runs")?;
scope.supervisor().terminate_child(task).await?;
assert!(scope.join_all().await[0].is_err());"#
    )]
    #[must_use]
    pub const fn supervisor(&self) -> &DynamicHandle {
        self.app.supervisor()
    }
}

/// Returns a child that runs this future in its only incarnation.
fn once<T, F>(
    id: Arc<str>,
    task: F,
    sender: oneshot::Sender<Guarded<Result<T, ExitReason>>>,
) -> Child<Infallible>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let task_and_sender = Mutex::new(Some((task, sender)));
    let child = Child::task(id, move |ctx| {
        let task_and_sender = task_and_sender.lock().take();
        async move {
            let Some((task, sender)) = task_and_sender else { return Ok(()) };
            let result = Guarded::new(catch_panics(Some(ctx.system().clone()), task).await);
            let end = result.as_ref().map(drop).map_err(Clone::clone);
            // An error means that the scope was dropped. The receiver's waker is foreign code.
            ignore_panic(|| drop(sender.send(result)));
            end
        }
    });
    child.restart(Restart::Temporary)
}

impl<T> Drop for TaskScope<T> {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.app.handle().stop(ExitReason::shutdown());
    }
}

impl<T> fmt::Debug for TaskScope<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}
