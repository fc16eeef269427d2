//! Starting actors: on their own, or as an incarnation of an identity that somebody else owns.

use std::any::type_name;
use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::actor::{Actor, ActorOnce, Context, OwnedArgs, owned_args};
use crate::address::{Address, Monitor};
use crate::any_process::AnyProcess;
use crate::carried::{Carried, CarriesValue};
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::incarnation;
use crate::label::Label;
use crate::mailbox::{Capacity, MailboxConfig};
use crate::pid::Pid;
use crate::process::{AttachError, ExitNotifier, Identity, Parent, Process};
use crate::signal::MonitorId;
use crate::system::System;

/// Why an actor did not start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no tokio runtime here to run it.
    #[error("not inside a tokio runtime")]
    NoRuntime,
    /// Its mailbox was set to hold no message.
    #[error("the mailbox of the actor has a capacity of zero")]
    ZeroCapacity,
    /// The identity cannot begin another incarnation now.
    #[error(transparent)]
    NotOpen(#[from] AttachError),
    /// Its init failed, panicked, or was stopped; or it ended before it was [ready](Context::ready).
    #[error(fmt = not_started)]
    Failed(ExitReason),
}

fn not_started(reason: &ExitReason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the actor did not start: ")?;
    fmt::Display::fmt(reason, f)
}

impl System {
    /// Starts an actor outside any tree. Nobody restarts it: when it ends, its address is closed.
    ///
    /// Await the builder to wait for its start, or [`detach`](Spawn::detach) to go on at once. The actor lives until it
    /// ends, whether or not anybody holds its address.
    pub fn spawn<A: Actor>(&self, args: A::Args) -> Spawn<A> {
        Spawn::new(self, args, |error, _| error)
    }

    /// Starts an actor outside any tree from arguments that it owns: see [`ActorOnce`]. The error
    /// gives the arguments back if the init has not taken them.
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

/// The error of an actor that was to be [started once](System::spawn_once) and did not start.
///
/// An [`ExitReason`] that is made of it keeps the kind, and drops the arguments.
#[non_exhaustive]
pub struct SpawnOnceError<T> {
    /// Why the actor did not start.
    pub kind: SpawnError,
    /// The arguments, unless the init has taken them or the runtime has ended.
    pub args: Option<T>,
}

impl<T> fmt::Debug for SpawnOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnOnceError")
            .field("kind", &self.kind)
            .field("has_args", &self.args.is_some())
            .finish()
    }
}

impl<T> fmt::Display for SpawnOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl<T: 'static> Error for SpawnOnceError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Carried::by::<Self>()
    }
}

impl<T: 'static> CarriesValue for SpawnOnceError<T> {
    type Bare = SpawnError;

    fn into_bare(self) -> SpawnError {
        self.kind
    }
}

/// An actor that is about to start. `E` is the error if it does not.
#[must_use = "an actor starts when this is awaited or detached"]
pub struct Spawn<A: Actor, E = SpawnError> {
    system: System,
    args: A::Args,
    mailbox: MailboxConfig,
    label: Option<Arc<str>>,
    parent: Option<LinkToParent>,
    fail: Fail<A, E>,
}

/// Makes the error of a start. It is given the arguments if the task of the actor was not begun.
type Fail<A, E> = fn(SpawnError, Option<<A as Actor>::Args>) -> E;

/// Links the parent to the child that it is given, before that runs; false if the parent has ended.
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

    /// Sets the mailbox.
    pub const fn mailbox(mut self, mailbox: MailboxConfig) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// Names it in logs and events; the name of its type unless set.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Links it to an actor, who becomes its parent, before it runs: however soon it ends, the parent is sent its reason, also
    /// if its init fails.
    ///
    /// An exit signal of its parent cannot be trapped: it ends the child, as OTP's behaviours have it. If the parent has ended
    /// by the time that the child starts, that is the first thing that the child is told.
    pub fn linked_to<P: Actor>(mut self, parent: &Context<P>) -> Self {
        let (process, incarnation) =
            (parent.attachment().process().clone(), parent.attachment().incarnation());
        self.parent = Some(Box::new(move |child| process.link(incarnation, child, true)));
        self
    }

    /// Starts it and does not wait for its init: messages queue meanwhile. If the init fails, the address is closed.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NoRuntime`] outside a tokio runtime, and [`SpawnError::ZeroCapacity`].
    pub fn detach(self) -> Result<Address<A::Msg>, E> {
        self.begin(ExitNotifier::None, |_| ()).map(|(address, ())| address)
    }

    /// Starts it, watched from before it runs: however soon it ends, the monitor tells its reason.
    ///
    /// # Errors
    ///
    /// As of [`detach`](Self::detach).
    pub fn detach_monitored(self) -> Result<(Address<A::Msg>, Monitor), E> {
        self.begin(ExitNotifier::None, |address| address.monitor())
    }

    /// The same for an actor that watches: it is [told](Actor::signal).
    ///
    /// # Errors
    ///
    /// As of [`detach`](Self::detach).
    pub fn detach_monitored_by<O: Actor>(
        self,
        observer: &mut Context<O>,
    ) -> Result<(Address<A::Msg>, MonitorId), E> {
        self.begin(ExitNotifier::None, |address| observer.monitor(&address.handle()))
    }

    /// Starts it; `before` is run when there is an incarnation and nothing of it has run.
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

    async fn begin_and_wait(self) -> Result<Address<A::Msg>, E> {
        let fail = self.fail;
        let (starter, started) = oneshot::channel();
        let (address, ()) = self.begin(ExitNotifier::Starter(starter), |_| ())?;
        match started.await {
            Ok(Ok(())) => Ok(address),
            Ok(Err(reason)) => Err(fail(SpawnError::Failed(reason), None)),
            // Its task was dropped, with the runtime, before it began.
            Err(_) => Err(fail(SpawnError::Failed(ExitReason::Killed), None)),
        }
    }
}

impl<A: Actor, E: 'static> IntoFuture for Spawn<A, E> {
    type Output = Result<Address<A::Msg>, E>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin_and_wait())
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
    /// Starts the next incarnation in a task of its own. `parent` is told, as number `run`, of its start and of its end.
    ///
    /// # Errors
    ///
    /// When the identity is not open, the incarnation before still lives, or there is no runtime. Then `parent` is told
    /// nothing.
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
