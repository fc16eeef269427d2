//! Starting actors: on their own, or as an incarnation of an identity that somebody else owns.

use std::any::type_name;
use std::borrow::Borrow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::actor::{Actor, Context};
use crate::address::{Address, Monitor};
use crate::any_process::AnyProcess;
use crate::control::{ControlSignal, Exit, ExitSource};
use crate::exit::ExitReason;
use crate::incarnation;
use crate::label::Label;
use crate::mailbox::MailboxConfig;
use crate::pid::Pid;
use crate::process::{AttachError, ExitNotifier, Identity, Parent, Process};
use crate::signal::MonitorId;
use crate::system::System;

/// Why an actor did not start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no tokio runtime here to run it.
    #[error("there is no tokio runtime here")]
    NoRuntime,
    /// The identity cannot begin another incarnation now.
    #[error(transparent)]
    NotOpen(#[from] AttachError),
    /// Its init failed, panicked, or was stopped; or it ended before it was [ready](Context::ready).
    #[error("the actor did not start: {0}")]
    Failed(ExitReason),
}

impl System {
    /// Starts an actor outside any tree. Nobody restarts it: when it ends, its address is closed.
    ///
    /// Await the builder to wait for its start, or [`detach`](Spawn::detach) to go on at once. The actor lives until it
    /// ends, whether or not anybody holds its address.
    pub fn spawn<A: Actor>(&self, args: A::Args) -> Spawn<A> {
        Spawn { system: self.clone(), args, mailbox: MailboxConfig::default(), label: None, parent: None }
    }
}

/// An actor that is about to start.
#[must_use = "an actor starts when this is awaited or detached"]
pub struct Spawn<A: Actor> {
    system: System,
    args: A::Args,
    mailbox: MailboxConfig,
    label: Option<Arc<str>>,
    parent: Option<LinkToParent>,
}

/// Links the parent to the child that it is given, before that runs; false if the parent has ended.
type LinkToParent = Box<dyn FnOnce(&Arc<dyn AnyProcess>) -> bool + Send>;

impl<A: Actor> Spawn<A> {
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
    /// [`SpawnError::NoRuntime`] outside a tokio runtime.
    pub fn detach(self) -> Result<Address<A::Msg>, SpawnError> {
        self.begin(ExitNotifier::None, |_| ()).map(|(address, ())| address)
    }

    /// Starts it, watched from before it runs: however soon it ends, the monitor tells its reason.
    ///
    /// # Errors
    ///
    /// As of [`detach`](Self::detach).
    pub fn detach_monitored(self) -> Result<(Address<A::Msg>, Monitor), SpawnError> {
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
    ) -> Result<(Address<A::Msg>, MonitorId), SpawnError> {
        self.begin(ExitNotifier::None, |address| observer.monitor(&address.handle()))
    }

    /// Starts it; `before` is run when there is an incarnation and nothing of it has run.
    fn begin<T>(
        self,
        reporter: ExitNotifier,
        before: impl FnOnce(&Address<A::Msg>) -> T,
    ) -> Result<(Address<A::Msg>, T), SpawnError> {
        let runtime = runtime::Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
        let process = Process::new(self.mailbox);
        let label = self.label;
        process.open(&self.system, || label.map_or(Label::of_type(type_name::<A>), Label::from));
        let attachment = process.attach(reporter)?;
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

    async fn begin_and_wait(self) -> Result<Address<A::Msg>, SpawnError> {
        let (starter, started) = oneshot::channel();
        let (address, ()) = self.begin(ExitNotifier::Starter(starter), |_| ())?;
        match started.await {
            Ok(Ok(())) => Ok(address),
            Ok(Err(reason)) => Err(SpawnError::Failed(reason)),
            // Its task was dropped, with the runtime, before it began.
            Err(_) => Err(SpawnError::Failed(ExitReason::Killed)),
        }
    }
}

impl<A: Actor> IntoFuture for Spawn<A> {
    type Output = Result<Address<A::Msg>, SpawnError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin_and_wait())
    }
}

impl<A: Actor> fmt::Debug for Spawn<A> {
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
