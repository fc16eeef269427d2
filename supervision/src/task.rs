//! Tasks as children: a plain async function, supervised.
//!
//! Not everything that has to run, and to run again, has messages to handle: something that copies, polls, or listens. A
//! task has an identity like any child, which tells of its ends and can be stopped, killed and watched, but nothing can be
//! sent to it: its messages are [`Infallible`].
//!
//! # Guarantees
//!
//! - The function is called anew for every incarnation, which has started when its future has run for the first time, up to
//!   where it awaits something.
//! - It ends as [`Normal`](ExitReason::Normal) when it returns, with the reason that it returns as an error, or as
//!   [`Panicked`](ExitReason::Panicked).
//! - **A stop drops it** at its next await, as a process that does not trap exits ends at once when it is told to. A task that
//!   has something to put in order [asks to be told](TaskContext::stopped) instead. A kill drops it in any case.
//! - Whatever it does, it is gone before its supervisor is told.
//! - While it is [suspended](perennial_actors::ActorHandle::suspend), its future is not polled. What it holds it keeps.
//!
//! # What it is not for
//!
//! Anything that others talk to: that is an [actor](perennial_actors::Actor). Nor code that never awaits, which nobody can
//! stop: it is [abandoned](crate::Supervisor::abandon_after). Links do not reach it: the exit of another does
//! not end it. A handler deadline has nothing to watch, for there are no handlers.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use perennial_actors::host::{
    Foreign, Guarded, MailboxConsumer, MailboxEvent, Parent, catch_panic, ignore_panic, wake_safely,
};
use perennial_actors::{ExitReason, Pid, System};
use perennial_registry::{Registry, Whereis};
use tokio::sync::watch;

use crate::spec::Child;

impl Child<Infallible> {
    /// A child that is a task: `f` is called for every incarnation, and its future is run to its end. It ends as
    /// [`Normal`](ExitReason::Normal) when that returns `Ok`, and else with the reason that it returns. A call of `f` that panics is
    /// a start that fails.
    ///
    /// When it is told to stop, it is dropped at its next await, unless it has asked to be [told](TaskContext::stopped).
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
    ///     // Put the broom away.
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
        Self::started_by(id, move |identity, birth| {
            let f = f.clone();
            birth.begin(identity, |attachment| live(attachment, f))
        })
    }
}

/// What a task knows of itself. Clones are of the same incarnation.
#[derive(Clone)]
pub struct TaskContext {
    system: System,
    pid: Pid,
    parent: Option<Arc<dyn Parent>>,
    line: Arc<StopChannel>,
}

impl TaskContext {
    /// The system that it lives in.
    #[must_use]
    pub const fn system(&self) -> &System {
        &self.system
    }

    /// This incarnation.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns what started it and is told of its end.
    pub(crate) fn parent(&self) -> Option<&dyn Parent> {
        self.parent.as_deref()
    }

    /// Ready when the task is told to stop; the reason. From this call on, whether or not the future is ever polled, the task is
    /// trusted to end by itself then, within the time that its spec gives it to stop. If it returns `Ok`, it ends for that
    /// reason.
    ///
    /// For those to whom it has handed a clone, it is ready too when the task has ended for any other reason.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost: another one tells the same.
    pub fn stopped(&self) -> impl Future<Output = ExitReason> + Send + use<> {
        self.line.graceful.store(true, Ordering::Release);
        let mut told = self.line.told.subscribe();
        let line = self.line.clone();
        async move {
            let told = wake_safely(told.wait_for(Option::is_some)).await.map(|reason| reason.clone());
            drop(line);
            // The sender is kept up to here, so it has told.
            told.ok().flatten().unwrap_or_default()
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

/// Between a task and the host that it runs in.
struct StopChannel {
    /// Whether it wants to be told to stop, and not to be dropped.
    graceful: AtomicBool,
    /// What it was told.
    told: watch::Sender<Option<ExitReason>>,
}

impl StopChannel {
    fn new() -> Arc<Self> {
        Arc::new(Self { graceful: AtomicBool::new(false), told: watch::Sender::new(None) })
    }

    /// Tells it to stop; not twice.
    fn tell(&self, reason: &ExitReason) {
        let tell = |told: &mut Option<ExitReason>| {
            let first = told.is_none();
            told.get_or_insert_with(|| reason.clone());
            first
        };
        // It wakes whoever has a clone of the context.
        ignore_panic(|| {
            self.told.send_if_modified(tell);
        });
    }
}

/// Lives through one incarnation.
async fn live<F, Fut>(attachment: MailboxConsumer<Infallible>, f: Arc<Foreign<F>>)
where
    F: Fn(TaskContext) -> Fut + Send,
    Fut: Future<Output = Result<(), ExitReason>>,
{
    let (system, line) = (attachment.system().clone(), StopChannel::new());
    let (pid, parent) = (attachment.pid(), attachment.parent().cloned());
    let ctx = TaskContext { system: system.clone(), pid, parent, line: line.clone() };
    let mut host = TaskRunner { attachment, line, started: false };
    let code = match catch_panic(Some(&system), || Box::pin(f(ctx))) {
        Ok(code) => code,
        Err(reason) => return host.attachment.end(reason),
    };
    // Also if this is dropped with its runtime, it goes under a guard of its own.
    let mut code = Guarded::new(code);
    let reason = poll_fn(|cx| host.poll(code.as_mut(), cx)).await;
    // What it held may panic as it goes, which is then the reason.
    let reason = catch_panic(Some(&system), || drop(code.into_inner())).err().unwrap_or(reason);
    host.line.tell(&reason);
    host.attachment.end(reason);
}

/// Whoever runs a task.
struct TaskRunner {
    attachment: MailboxConsumer<Infallible>,
    line: Arc<StopChannel>,
    started: bool,
}

impl TaskRunner {
    /// Runs the task until it ends, or is made to.
    fn poll<Fut>(&mut self, code: Pin<&mut Fut>, cx: &mut Context<'_>) -> Poll<ExitReason>
    where
        Fut: Future<Output = Result<(), ExitReason>>,
    {
        while let Poll::Ready(step) = self.attachment.poll_next(cx) {
            match step {
                MailboxEvent::Stop(reason) if self.line.graceful.load(Ordering::Acquire) => {
                    self.line.tell(&reason)
                }
                MailboxEvent::Stop(reason) => return Poll::Ready(reason),
                MailboxEvent::Message(never) => match never {},
                // Killed, or its mailbox was taken away, and then nobody listens.
                _ => return Poll::Ready(ExitReason::Killed),
            }
        }
        if self.started && self.attachment.is_suspended() {
            return Poll::Pending;
        }
        let ran = catch_panic(Some(self.attachment.system()), || code.poll(cx));
        if !self.started {
            // Not before it ran: a supervisor that is woken here runs next on this thread and on no other, so code that blocks it
            // would block its supervisor.
            self.started = true;
            self.attachment.started();
        }
        match ran {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(()))) => Poll::Ready(self.line.told.borrow().clone().unwrap_or_default()),
            Ok(Poll::Ready(Err(reason))) | Err(reason) => Poll::Ready(reason),
        }
    }
}
