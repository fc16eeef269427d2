//! The trait [`Actor`] and the [`Context`] of its callbacks.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::mem;
use std::sync::Arc;

use crate::address::{Address, Reply};
use crate::exit::ExitReason;
use crate::foreign::ignore_panic;
use crate::pid::Pid;
use crate::process::{MailboxConsumer, Parent};
use crate::self_messages::SelfMessages;
use crate::signal::Signal;
use crate::sync::SyncWrapper;
use crate::system::System;

/// A value that handles messages one after the other, and can be restarted from the same arguments.
///
/// ```text
///         +--- Err, panic, stop, kill -------------------------------+
///         |                                                          v
///   ---> init -- Ok -> running -- stop, Err, panic -> terminate -> ended -> (next incarnation)
///                         |                               |          ^
///                         +------- kill ------------------+----------+
/// ```
///
/// Any error can end an actor through `?`. A panic ends this actor too, and no other. An exit does
/// not close the address if a supervisor started the actor: it may start the next incarnation on
/// the same mailbox.
///
/// ```
/// use perennial_actors::{Actor, Context, ExitReason, Reply, System};
///
/// enum Msg {
///     Add(u64),
///     Get(Reply<u64>),
/// }
///
/// struct Counter {
///     total: u64,
/// }
///
/// impl Actor for Counter {
///     type Msg = Msg;
///     type Args = u64;
///
///     async fn init(start: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
///         Ok(Self { total: *start })
///     }
///
///     async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
///         match msg {
///             Msg::Add(n) => self.total += n,
///             Msg::Get(reply) => reply.send(self.total),
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let counter = system.spawn::<Counter>(40).await?;
/// counter.cast(Msg::Add(2))?;
/// assert_eq!(counter.call(Msg::Get).await?, 42);
/// # Ok(())
/// # }
/// ```
pub trait Actor: Sized + Send + 'static {
    /// The type of its messages.
    type Msg: Send + 'static;

    /// The arguments of every incarnation. They never change, so state that must survive a crash
    /// has to be stored elsewhere.
    type Args: Send + Sync + 'static;

    /// Makes the state of an incarnation. No message is handled before it returns.
    ///
    /// The start is complete when it returns, unless it was [deferred](Context::defer_ready). A
    /// stop or a kill ends it at its next await.
    ///
    /// # Errors
    ///
    /// The start fails with the returned reason. `terminate` does not run. An actor that has
    /// nothing to do declines to start with [`ExitReason::Ignore`], which is not a failure.
    fn init(
        args: &Self::Args,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Handles one message.
    ///
    /// A kill ends it at its next await. So does an exit signal that the actor does not
    /// [trap](Context::trap_exits): the message is lost with the reason of the signal, and
    /// [`terminate`](Self::terminate) runs. A stop takes effect after it returns.
    ///
    /// # Errors
    ///
    /// The actor ends with the returned reason. If the reason is abnormal, the message is lost: it
    /// becomes a dead letter, and a caller that waits for its reply gets the reason.
    fn handle(
        &mut self,
        msg: Self::Msg,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: a [`Down`](Signal::Down) of a monitor, or an exit signal if the actor
    /// [traps](Context::trap_exits) exits. The default does nothing.
    ///
    /// Signals are handled between two messages, ahead of all queued messages. An exit signal that
    /// is not trapped takes effect at the next await.
    ///
    /// # Errors
    ///
    /// The same as of [`handle`](Self::handle).
    fn signal(
        &mut self,
        signal: Signal,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, ctx);
        async { Ok(()) }
    }

    /// Returns the part of the state that may be inspected and replaced at run time: `Some(self)`,
    /// or a field.
    ///
    /// The default is `None`. See [`ActorHandle::get_state`](crate::ActorHandle::get_state). OTP
    /// calls this `sys`.
    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        None
    }

    /// Runs last on every exit, except after a kill or a failed `init`. If it panics, that is the
    /// exit reason.
    ///
    /// After a panic in a handler, or an exit signal that ended a handler, the state is as the
    /// handler left it.
    fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        async {}
    }
}

/// The context of one incarnation: its address and identity, and what it may do to itself.
pub struct Context<A: Actor> {
    /// Dropped before the attachment, whose drop notifies others of the exit.
    self_messages: Option<Box<SyncWrapper<SelfMessages<A::Msg>>>>,
    // Rare, so it takes no memory in every task.
    stopping: Option<Box<ExitReason>>,
    attachment: MailboxConsumer<A::Msg>,
}

impl<A: Actor> Context<A> {
    pub(crate) const fn new(attachment: MailboxConsumer<A::Msg>) -> Self {
        Self { self_messages: None, stopping: None, attachment }
    }

    /// Stops this actor after the current message, or after its `init`. The first reason wins.
    ///
    /// The message counts as handled, and `terminate` runs.
    #[doc = context_example!(r"ctx.stop(ExitReason::Normal);")]
    pub fn stop(&mut self, reason: ExitReason) {
        self.stopping.get_or_insert_with(|| Box::new(reason));
    }

    /// Stops this actor after the current message and answers a call after `terminate` has run:
    /// OTP's `{stop, Reason, Reply}`.
    #[doc = context_example!(r"let own = ctx.address();
ctx.pipe_to_self(async move { own.call(Msg::Get).await }, |_| Msg::Tick);")]
    pub fn stop_and_reply<T: Send + 'static>(&mut self, reason: ExitReason, reply: Reply<T>, answer: T) {
        self.self_messages_mut().deferred_replies.push(Box::new(move || reply.send(answer)));
        self.stop(reason);
    }

    /// Returns the address of this actor, valid for all its incarnations.
    #[doc = context_example!(r"ctx.address().cast(Msg::Tick)?;")]
    #[must_use]
    pub fn address(&self) -> Address<A::Msg> {
        Address::new(self.attachment.process().clone())
    }

    /// Returns the pid of this incarnation.
    #[doc = context_example!(r"assert_eq!(Some(ctx.pid()), ctx.address().pid());
ctx.stop(ExitReason::Normal);")]
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.attachment.pid()
    }

    /// Returns the system of this actor.
    #[doc = context_example!(r"assert!(ctx.system().actor(ctx.pid()).is_some());
ctx.stop(ExitReason::Normal);")]
    #[must_use]
    pub fn system(&self) -> &System {
        self.attachment.system()
    }

    /// Pings the watchdog: the handler makes progress. systemd's `sd_notify` with `WATCHDOG=1`.
    ///
    /// A supervisor may set a watchdog for its child: a time after which it takes the actor for
    /// unresponsive if it is still in one handler and has not pinged. A handler that takes long
    /// pings more often than that; short handlers need no ping. Without a watchdog this has no
    /// effect. It is cheap: it reads the clock and writes one number.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{Actor, Context, ExitReason, System};
    ///
    /// struct Importer;
    ///
    /// impl Actor for Importer {
    ///     type Msg = Vec<u32>;
    ///     type Args = ();
    /// #   async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    ///
    ///     async fn handle(
    ///         &mut self,
    ///         rows: Vec<u32>,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
    ///         for row in rows {
    ///             import(row).await;
    ///             ctx.ping_watchdog();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # async fn import(_: u32) { tokio::task::yield_now().await }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let importer = System::new().spawn::<Importer>(()).await?;
    /// importer.cast(vec![1, 2, 3])?;
    /// tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    /// assert!(importer.handle().last_ping().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn ping_watchdog(&self) {
        self.attachment.process().ping(self.attachment.incarnation());
    }

    pub(crate) fn stopping(&self) -> Option<&ExitReason> {
        self.stopping.as_deref()
    }

    pub(crate) const fn attachment(&self) -> &MailboxConsumer<A::Msg> {
        &self.attachment
    }

    pub(crate) const fn attachment_mut(&mut self) -> &mut MailboxConsumer<A::Msg> {
        &mut self.attachment
    }

    pub(crate) fn self_messages_if_any(&mut self) -> Option<&mut SelfMessages<A::Msg>> {
        self.self_messages.as_deref_mut().map(SyncWrapper::get)
    }

    pub(crate) fn self_messages_mut(&mut self) -> &mut SelfMessages<A::Msg> {
        self.self_messages.get_or_insert_with(|| Box::new(SyncWrapper::new(SelfMessages::new()))).get()
    }

    /// Sends the replies that were deferred until `terminate` has run. An answer that no caller
    /// waits for is dropped here.
    pub(crate) fn send_deferred_replies(&mut self) {
        if let Some(own) = self.self_messages_if_any() {
            mem::take(&mut own.deferred_replies).into_iter().for_each(ignore_panic);
        }
    }

    /// Drops the timers, futures and continuations of the incarnation, and returns its attachment.
    pub(crate) fn into_attachment(self) -> MailboxConsumer<A::Msg> {
        let Self { self_messages, attachment, .. } = self;
        drop(self_messages);
        attachment
    }
}

/// Returns the parent of an incarnation, which started it and is notified of its end; `None`
/// outside a tree.
#[must_use]
pub fn parent_of<A: Actor>(ctx: &Context<A>) -> Option<&Arc<dyn Parent>> {
    ctx.attachment().parent()
}

impl<A: Actor> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("pid", &self.pid()).field("stopping", &self.stopping).finish()
    }
}
