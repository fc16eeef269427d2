//! Tasks as children: a supervised async function.
//!
//! Code that copies, polls or listens has to run and to be restarted, but handles no messages. A
//! task has an identity like any child: it can be stopped, killed, monitored and inspected. It
//! cannot receive messages: its message type is [`Infallible`].
//!
//! # Guarantees
//!
//! - The function is called for every incarnation. The incarnation has started once its future was
//!   polled for the first time.
//! - The exit reason is [`Normal`](ExitReason::Normal) if the future returns `Ok`, the returned
//!   reason if it returns `Err`, and [`Panicked`](ExitReason::Panicked) if it panics.
//! - **A stop drops the future** at its next await, as an OTP process that does not trap exits ends
//!   at once. A task that has to clean up calls [`TaskContext::stopped`] instead. A kill drops the
//!   future in any case.
//! - The future is dropped before the supervisor is notified of the exit.
//! - A task with a [watchdog](Child::watchdog) that does not [ping](TaskContext::ping_watchdog) it
//!   in time is unresponsive, and is replaced.
//! - While the task is [suspended](perennial_actors::ActorHandle::suspend), its future is not
//!   polled, and its watchdog is not checked. It keeps its resources.
//!
//! # What it is not for
//!
//! - Receiving messages: use an [actor](perennial_actors::Actor).
//! - Code that never awaits. It cannot be stopped and is
//!   [abandoned](crate::Supervisor::abandon_after).
//! - Links. An exit signal of another process does not end a task.
//! - Handler deadlines. A task has no handlers, so a spec that sets one
//!   [fails its check](crate::SpecError::HandlerDeadlineOfTask). A
//!   [watchdog](Child::watchdog), or a [probe](crate::Probe::from_fn), detects a task that hangs.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use perennial_actors::host::sync::{AtomicBool, Ordering};
use perennial_actors::host::{
    Foreign, Guarded, MailboxConsumer, MailboxEvent, Parent, catch_panic, ignore_panic, wake_safely,
};
use perennial_actors::{ActorHandle, ExitReason, Pid, System};
use perennial_registry::{Registry, Whereis};
use tokio::sync::watch;

use crate::spec::Child;

impl Child<Infallible> {
    /// Creates a child that is a task: `f` is called for every incarnation, and its future runs to
    /// its end. The exit reason is [`Normal`](ExitReason::Normal) if the future returns `Ok`, and
    /// the returned reason otherwise. If `f` panics, the start fails.
    ///
    /// On a stop the future is dropped at its next await, unless the task has called
    /// [`stopped`](TaskContext::stopped).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::time::Duration;
    /// use perennial_actors::{ExitReason, System};
    /// use perennial_supervision::{Child, Supervisor};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sweeper = Child::task("sweeper", |ctx| async move {
    ///     let mut ticks = tokio::time::interval(Duration::from_millis(1));
    ///     let mut stopped = pin!(ctx.stopped());
    ///     loop {
    ///         tokio::select! {
    ///             _ = ticks.tick() => { /* Sweep. */ }
    ///             _reason = &mut stopped => break,
    ///         }
    ///     }
    ///     // Clean up.
    ///     Ok(())
    /// });
    /// let address = sweeper.address();
    /// let app = Supervisor::new("app").child(sweeper).start(&System::new()).await?;
    /// let down = address.monitor();
    /// assert!(app.shutdown().await.is_clean());
    /// assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn task<F, Fut>(id: impl Into<Arc<str>>, f: F) -> Self
    where
        F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ExitReason>> + Send + 'static,
    {
        let f = Arc::new(Foreign::new(f));
        Self::started_by(id, move |identity, params| {
            let (f, handle) = (f.clone(), identity.address().handle());
            params.begin(identity, |attachment| run(attachment, handle, f))
        })
        .without_handlers()
    }
}

/// The context of one incarnation of a task. Clones belong to the same incarnation.
#[derive(Clone)]
pub struct TaskContext {
    system: System,
    pid: Pid,
    handle: ActorHandle,
    parent: Option<Arc<dyn Parent>>,
    stop_channel: Arc<StopChannel>,
}

impl TaskContext {
    /// Returns the system in which the task runs.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// Returns the pid of this incarnation.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the handle of the task.
    pub(crate) const fn handle(&self) -> &ActorHandle {
        &self.handle
    }

    /// Pings the [watchdog](Child::watchdog): the task makes progress. systemd's `sd_notify` with
    /// `WATCHDOG=1`. It is cheap: it reads the clock and writes one number.
    ///
    /// A clone of the context pings for the same incarnation. It has no effect once that has ended,
    /// or if the child has no watchdog.
    pub fn ping_watchdog(&self) {
        self.handle.ping_watchdog(self.pid);
    }

    /// Returns the parent that started the task and is notified of its exit.
    pub(crate) fn parent(&self) -> Option<&dyn Parent> {
        self.parent.as_deref()
    }

    /// Returns a future that resolves to the reason of the stop once the task is asked to stop.
    ///
    /// From this call on, a stop does not drop the task's future, whether or not the returned
    /// future is polled. The task has to end by itself then, within its shutdown timeout. If it
    /// returns `Ok`, its exit reason is the reason of the stop.
    ///
    /// In a clone that another task holds, the future also resolves when the task has ended for any
    /// other reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a later call returns the same reason.
    pub fn stopped(&self) -> impl Future<Output = ExitReason> + Send + use<> {
        self.stop_channel.graceful.store(true, Ordering::Release);
        let mut reason = self.stop_channel.reason.subscribe();
        let stop_channel = self.stop_channel.clone();
        async move {
            let reason = wake_safely(reason.wait_for(Option::is_some)).await.map(|reason| reason.clone());
            drop(stop_channel);
            // The sender was kept until here, so the wait ended with a reason.
            reason.ok().flatten().unwrap_or_default()
        }
    }
}

impl Whereis for TaskContext {
    fn registry(&self) -> &Registry {
        Registry::of(&self.system)
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// The channel by which the runner of a task tells it to stop.
struct StopChannel {
    /// `true` if the task waits for the reason of the stop and must not be dropped on a stop.
    graceful: AtomicBool,
    /// The reason of the stop, once there is one.
    reason: watch::Sender<Option<ExitReason>>,
}

impl StopChannel {
    fn new() -> Arc<Self> {
        Arc::new(Self { graceful: AtomicBool::new(false), reason: watch::Sender::new(None) })
    }

    /// Sends the reason of the stop to the task. Only the first call has an effect.
    fn request_stop(&self, reason: &ExitReason) {
        let set = |slot: &mut Option<ExitReason>| {
            let first = slot.is_none();
            slot.get_or_insert_with(|| reason.clone());
            first
        };
        // It runs the wakers of all clones of the context, which are foreign code.
        ignore_panic(|| {
            self.reason.send_if_modified(set);
        });
    }
}

/// Runs one incarnation.
async fn run<F, Fut>(attachment: MailboxConsumer<Infallible>, handle: ActorHandle, f: Arc<Foreign<F>>)
where
    F: Fn(TaskContext) -> Fut + Send,
    Fut: Future<Output = Result<(), ExitReason>>,
{
    let (system, stop_channel) = (attachment.system().clone(), StopChannel::new());
    let (pid, parent) = (attachment.pid(), attachment.parent().cloned());
    let (own_system, own_channel) = (system.clone(), stop_channel.clone());
    let ctx = TaskContext { system: own_system, pid, handle, parent, stop_channel: own_channel };
    let mut host = TaskRunner { attachment, stop_channel, started: false };
    let code = match catch_panic(Some(&system), || Box::pin(f(ctx))) {
        Ok(code) => code,
        Err(reason) => return host.attachment.end(reason),
    };
    // The guard catches a panic of the drop, also when this is dropped with its runtime.
    let mut code = Guarded::new(code);
    let reason = poll_fn(|cx| host.poll(code.as_mut(), cx)).await;
    // If the drop of the future panics, the panic is the exit reason.
    let reason = catch_panic(Some(&system), || drop(code.into_inner())).err().unwrap_or(reason);
    host.stop_channel.request_stop(&reason);
    host.attachment.end(reason);
}

/// The runner of one incarnation of a task.
struct TaskRunner {
    attachment: MailboxConsumer<Infallible>,
    stop_channel: Arc<StopChannel>,
    started: bool,
}

impl TaskRunner {
    /// Polls the task until it ends or is ended.
    fn poll<Fut>(&mut self, code: Pin<&mut Fut>, cx: &mut Context<'_>) -> Poll<ExitReason>
    where
        Fut: Future<Output = Result<(), ExitReason>>,
    {
        while let Poll::Ready(step) = self.attachment.poll_next(cx) {
            match step {
                MailboxEvent::Stop(reason) if self.stop_channel.graceful.load(Ordering::Acquire) => {
                    self.stop_channel.request_stop(&reason)
                }
                MailboxEvent::Stop(reason) => return Poll::Ready(reason),
                MailboxEvent::Message(never) => match never {},
                // It was killed, or the mailbox was taken away and the reason is not used.
                _ => return Poll::Ready(ExitReason::Killed),
            }
        }
        if self.started && self.attachment.is_suspended() {
            return Poll::Pending;
        }
        let ran = catch_panic(Some(self.attachment.system()), || code.poll(cx));
        if !self.started {
            // Only after the first poll: the supervisor that this wakes runs next on this
            // thread and on no other, so task code that blocks would block it.
            self.started = true;
            self.attachment.started();
        }
        match ran {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => {
                Poll::Ready(self.stop_channel.reason.borrow().clone().unwrap_or_default())
            }
            Ok(Poll::Ready(Err(reason))) | Err(reason) => Poll::Ready(reason),
        }
    }
}
