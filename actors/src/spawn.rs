//! Starting actors: independent ones, and incarnations of an identity that a host owns.

use std::any::type_name;
use std::borrow::Borrow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::actor::{Actor, ActorOnce, Context, OwnedArgs, owned_args};
use crate::address::{Address, Monitor};
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::error::{SpawnError, SpawnOnceError};
use crate::exit::ExitReason;
use crate::incarnation;
use crate::label::Label;
use crate::mailbox::{Capacity, MailboxConfig};
use crate::pid::Pid;
use crate::process::{ExitNotifier, Identity, Parent, Process};
use crate::signal::MonitorId;
use crate::system::AnyProcess;
use crate::system::System;

impl System {
    /// Starts an actor outside any tree. It is never restarted: when it ends, its address is
    /// closed.
    ///
    /// Await the builder to wait for the start, or call [`detach`](Spawn::detach) to continue at
    /// once. The actor runs until it ends, even if every address is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, System};
    /// # struct Sink;
    /// # impl Actor for Sink {
    /// #     type Msg = u64;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// # async fn handle(&mut self, _: u64, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// let sink = system.spawn::<Sink>(()).mailbox(MailboxConfig::bounded(8)).label("sink").await?;
    /// assert_eq!(sink.handle().label().as_deref(), Some("sink"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<A: Actor>(&self, args: A::Args) -> Spawn<A> {
        Spawn::new(self, args, |error, _| error)
    }

    /// Starts an actor outside any tree from arguments that it owns. The error returns the
    /// arguments if `init` has not taken them.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::{ActorOnce, Context, ExitReason, Reply, System};
    /// use tokio::sync::mpsc::{Receiver, channel};
    ///
    /// struct Source(Receiver<u32>);
    ///
    /// impl ActorOnce for Source {
    ///     type Msg = Reply<u32>;
    ///     type Args = Receiver<u32>;
    ///     async fn init(items: Receiver<u32>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         Ok(Self(items))
    ///     }
    ///     # async fn handle(&mut self, next: Reply<u32>, _: &mut Context<Self>)
    ///     # -> Result<(), ExitReason> {
    ///     #     Ok(next.send(self.0.recv().await.unwrap_or(0)))
    ///     # }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, items) = channel(1);
    /// let source = System::new().spawn_once::<Source>(items).await?;
    /// sender.send(7).await?;
    /// assert_eq!(source.call(|reply| reply).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_once<A: ActorOnce>(
        &self,
        args: <A as ActorOnce>::Args,
    ) -> Spawn<A, SpawnOnceError<<A as ActorOnce>::Args>> {
        Spawn::new(self, owned_args(args), |kind, args| SpawnOnceError {
            kind,
            args: args.as_ref().and_then(OwnedArgs::take),
        })
    }
}

/// The builder of an actor that is about to start. `E` is the error type of the start.
#[must_use = "an actor starts when this is awaited or detached"]
pub struct Spawn<A: Actor, E = SpawnError> {
    system: System,
    args: A::Args,
    mailbox: MailboxConfig,
    label: Option<Arc<str>>,
    parent: Option<LinkToParent>,
    fail: Fail<A, E>,
}

/// Makes the error of a start. It gets the arguments if the task of the actor was not spawned.
type Fail<A, E> = fn(SpawnError, Option<<A as Actor>::Args>) -> E;

/// Links the parent to the given child before the child runs. Returns `false` if the parent has
/// ended.
type LinkToParent = Box<dyn FnOnce(&Arc<dyn AnyProcess>) -> bool + Send>;

impl<A: Actor, E> Spawn<A, E> {
    fn new(system: &System, args: A::Args, fail: Fail<A, E>) -> Self {
        Self {
            system: system.clone(),
            args,
            mailbox: MailboxConfig::default(),
            label: None,
            parent: None,
            fail,
        }
    }

    /// Sets the mailbox configuration.
    pub const fn mailbox(mut self, mailbox: MailboxConfig) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// Sets the label for logs and events. The default is the name of the actor's type.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Links the actor to its parent before it runs. The parent receives the exit reason, however
    /// soon the actor ends and also if its `init` fails.
    ///
    /// An exit signal of the parent cannot be trapped: it ends the child, as in OTP's behaviours.
    /// If the parent has ended before the child starts, the child first receives an exit signal
    /// with [`ExitReason::NoProcess`].
    pub fn linked_to<P: Actor>(mut self, parent: &Context<P>) -> Self {
        let (process, incarnation) =
            (parent.attachment().process().clone(), parent.attachment().incarnation());
        self.parent = Some(Box::new(move |child| process.link(incarnation, child, true)));
        self
    }

    /// Starts the actor without waiting for `init`. Messages queue meanwhile. If `init` fails, the
    /// address is closed.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NoRuntime`] outside a tokio runtime, and [`SpawnError::ZeroCapacity`].
    pub fn detach(self) -> Result<Address<A::Msg>, E> {
        self.begin(ExitNotifier::None, |_| ()).map(|(address, ())| address)
    }

    /// Starts the actor and returns a monitor that was set before the actor runs, so it reports the
    /// exit reason however soon the actor ends.
    ///
    /// # Errors
    ///
    /// The errors of [`detach`](Self::detach).
    pub fn detach_monitored(self) -> Result<(Address<A::Msg>, Monitor), E> {
        self.begin(ExitNotifier::None, |address| address.monitor())
    }

    /// Starts the actor with a monitor of the actor `observer`, set before the actor runs. The
    /// observer's [`signal`](Actor::signal) receives the exit.
    ///
    /// # Errors
    ///
    /// The errors of [`detach`](Self::detach).
    pub fn detach_monitored_by<O: Actor>(
        self,
        observer: &mut Context<O>,
    ) -> Result<(Address<A::Msg>, MonitorId), E> {
        self.begin(ExitNotifier::None, |address| observer.monitor(&address.handle()))
    }

    /// Starts the actor. Calls `before` when the incarnation exists and none of its code has run.
    fn begin<T>(
        self,
        reporter: ExitNotifier,
        before: impl FnOnce(&Address<A::Msg>) -> T,
    ) -> Result<(Address<A::Msg>, T), E> {
        if self.mailbox.capacity().is_some_and(Capacity::is_zero) {
            return Err((self.fail)(SpawnError::ZeroCapacity, Some(self.args)));
        }
        let Ok(runtime) = runtime::Handle::try_current() else {
            return Err((self.fail)(SpawnError::NoRuntime, Some(self.args)));
        };
        let process = Process::new(self.mailbox);
        let label = self.label;
        process.open(&self.system, || label.map_or(Label::of_type(type_name::<A>), Label::from));
        let attachment = match process.attach(reporter) {
            Ok(attachment) => attachment,
            Err(error) => return Err((self.fail)(error.into(), Some(self.args))),
        };
        process.mark_unowned();
        let address = Address::new(process);
        if let Some(link) = self.parent {
            if !link(address.handle().process()) {
                let exit = Exit { from: None, reason: ExitReason::NoProcess, source: ExitSource::Other };
                address.handle().process().send_control(None, ControlSignal::Exit(Box::new(exit)));
            }
        }
        let known = before(&address);
        runtime.spawn(incarnation::run::<A>(attachment, self.args));
        Ok((address, known))
    }
}

impl<A: Actor, E> IntoFuture for Spawn<A, E> {
    type Output = Result<Address<A::Msg>, E>;
    type IntoFuture = Starting<A, E>;

    fn into_future(self) -> Starting<A, E> {
        Starting { fail: self.fail, step: StartStep::Before(self) }
    }
}

/// The start of an actor. Resolves to its address when its `init` has returned, or when the actor
/// has reported that it is [ready](Context::ready) if its `init` deferred that.
///
/// The actor starts when this is first polled. If this is dropped after that, the actor runs on.
///
/// # Errors
///
/// The errors of [`detach`](Spawn::detach), and [`SpawnError::Failed`] if the start failed. The
/// address is closed then.
#[must_use = "an actor starts when this is awaited"]
pub struct Starting<A: Actor, E = SpawnError> {
    step: StartStep<A, E>,
    fail: Fail<A, E>,
}

/// The progress of a start.
enum StartStep<A: Actor, E> {
    /// Nothing has started.
    Before(Spawn<A, E>),
    /// The task of the actor exists.
    Waiting(Address<A::Msg>, oneshot::Receiver<Result<(), ExitReason>>),
    /// The outcome was returned.
    Over,
}

/// Nothing in it is pinned.
impl<A: Actor, E> Unpin for Starting<A, E> {}

impl<A: Actor, E> Future for Starting<A, E> {
    type Output = Result<Address<A::Msg>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let Self { step, fail } = self.get_mut();
        if let StartStep::Before(_) = step {
            let StartStep::Before(spawn) = mem::replace(step, StartStep::Over) else { return Poll::Pending };
            let (starter, started) = oneshot::channel();
            match spawn.begin(ExitNotifier::Starter(starter), |_| ()) {
                Ok((address, ())) => *step = StartStep::Waiting(address, started),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let StartStep::Waiting(_, started) = step else { return Poll::Pending };
        // If it was dropped, the runtime dropped the task before its first poll.
        let outcome = ready!(Pin::new(started).poll(cx)).unwrap_or(Err(ExitReason::Killed));
        let StartStep::Waiting(address, _) = mem::replace(step, StartStep::Over) else {
            return Poll::Pending;
        };
        Poll::Ready(outcome.map(|()| address).map_err(|reason| fail(SpawnError::Failed(reason), None)))
    }
}

impl<A: Actor, E> fmt::Debug for Starting<A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting").finish_non_exhaustive()
    }
}

impl<A: Actor, E> fmt::Debug for Spawn<A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn")
            .field("mailbox", &self.mailbox)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Identity<M> {
    /// Starts the next incarnation in a task of its own. `parent` is notified of its start and of
    /// its end, with the number `run`.
    ///
    /// # Errors
    ///
    /// The identity is not open, the previous incarnation is still running, or there is no runtime.
    /// Then `parent` is not notified.
    pub fn start<A: Actor<Msg = M>>(
        &self,
        args: impl Borrow<A::Args> + Send + Sync + 'static,
        parent: Arc<dyn Parent>,
        run: u64,
    ) -> Result<Pid, SpawnError> {
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let attachment = self.attach(parent, run)?;
        let pid = attachment.pid();
        runtime.spawn(incarnation::run::<A>(attachment, args));
        Ok(pid)
    }
}
