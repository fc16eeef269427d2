//! The worker trait, and the types of the jobs of a pool.

use std::future::Future;

use perennial_actors::{ActorHandle, ExitReason, Pid, System};

use super::job_context::JobContext;
use super::runtime::{ReadinessGate, Thread};

/// The types of the jobs of a pool, as one type parameter: `PoolHandle<Hasher>` is the handle of a
/// pool of `Hasher` workers.
///
/// Every [`Worker`] has an implementation, with its own types. A pool whose workers call a function
/// has the signature of that function as its parameter:
/// `Pool<fn(Job) -> Result<Output, Error>>`.
pub trait Work {
    /// The type of jobs.
    type Job: Send + Sync;
    /// The type of the output of a job.
    type Output: Send;
    /// The type of the error of a job.
    type Error: Send + Sync;
}

impl<W: Worker> Work for W {
    type Job = W::Job;
    type Output = W::Output;
    type Error = W::Error;
}

// The compiler could not show that a future that holds the handle of such a pool is `Send` if this
// demanded `'static`: it does not know that a `&str` in a future is a `&'static str`.
impl<J: Send + Sync, T: Send, E: Send + Sync> Work for fn(J) -> Result<T, E> {
    type Job = J;
    type Output = T;
    type Error = E;
}

/// A worker of a pool: runs jobs, one after the other.
///
/// An error fails the job, and the worker continues. The job is retried only if its pool or its
/// submission [retries errors](super::Pool::retry_errors). A panic also ends the worker, and its
/// supervisor starts the next incarnation. The job is then retried if it has attempts left, as is
/// the job of a worker that was killed, or hung and was abandoned. So a job may run more than once,
/// unless it is submitted [at most once](super::Submission::at_most_once).
///
/// A worker may stop itself normally, for example to be renewed after a number of jobs: its current
/// job is finished, and the next incarnation starts at once. A worker that is itself broken stops
/// itself with an error. No exit of a worker that has started counts for the intensity of its pool.
///
/// # Examples
///
/// ```
/// use perennial_actors::{ExitReason, System};
/// use perennial_supervision::pool::{JobContext, Pool, Worker, WorkerContext};
///
/// /// Sends requests over a connection that may break.
/// struct Client { at: WorkerContext }
///
/// impl Worker for Client {
///     type Job = ();
///     type Output = u32;
///     type Error = std::io::Error;
///     type Args = ();
///     async fn init(_: &(), at: &WorkerContext) -> Result<Self, ExitReason> {
///         Ok(Client { at: at.clone() })
///     }
///     async fn work(&mut self, _: &(), _: &JobContext<'_>) -> Result<u32, std::io::Error> {
///         match self.at.pid.incarnation() {
///             1 => {
///                 let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
///                 self.at.handle.stop(broken().into()).ok();
///                 Err(broken())
///             }
///             next => Ok(next),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::<Client>::new("clients", 1, ()).attempts(2).retry_errors(true);
/// let clients = pool.handle();
/// let app = pool.start(&System::new()).await?;
/// assert_eq!(clients.submit(()).await?.await?, 2);
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
pub trait Worker: Sized + Send + 'static {
    /// The type of jobs.
    type Job: Send + Sync + 'static;
    /// The type of the output of a job.
    type Output: Send + 'static;
    /// The type of the error of a job.
    type Error: Send + Sync + 'static;
    /// The arguments from which each worker starts.
    type Args: Send + Sync + 'static;

    /// Makes a worker. It runs no job before this returns.
    ///
    /// # Errors
    ///
    /// The worker has not started, and its start is repeated: after an incarnation that ended by
    /// itself, as often as the [intensity](super::Pool::intensity) of the pool allows, and
    /// otherwise with growing delays. The same holds for [`ExitReason::Ignore`] and for a start
    /// that exceeds the [start timeout](super::Pool::start_timeout).
    fn init(args: &Self::Args, at: &WorkerContext) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Runs a job. The future is dropped at an await when the job is cancelled or exceeds its time
    /// limit.
    ///
    /// # Errors
    ///
    /// An error fails the attempt.
    fn work(
        &mut self,
        job: &Self::Job,
        ctx: &JobContext<'_>,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// Runs last on every end of a worker, except after a kill or a failed `init`: a stop, a
    /// renewal, a resize, a crash. The default does nothing. See
    /// [`Actor::terminate`](perennial_actors::Actor::terminate).
    ///
    /// It has as long as the worker has to [stop](super::Pool::shutdown). After a crash, the job of
    /// the worker is retried when this returns.
    fn terminate(&mut self, reason: &ExitReason) -> impl Future<Output = ()> + Send {
        let _ = reason;
        async {}
    }
}

/// The identity of a worker incarnation, and its environment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerContext {
    /// The slot number of the worker, the same through all its restarts.
    pub slot: usize,
    /// The revision of the arguments from which this incarnation starts: 1 at first, and one more
    /// for each [rollout](super::PoolHandle::rollout) of new arguments.
    pub revision: u64,
    /// The pid of this incarnation.
    pub pid: Pid,
    /// A handle of the worker in this slot, whichever incarnation runs. A stop lets the current job
    /// finish, and the next incarnation follows.
    pub handle: ActorHandle,
    /// The system that the worker runs in.
    pub system: System,
    /// The thread of its slot, for blocking jobs.
    pub(super) thread: Thread,
    /// Sets the readiness of this incarnation.
    pub(super) readiness: ReadinessGate,
}
