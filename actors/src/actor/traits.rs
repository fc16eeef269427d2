//! What an actor is: a value with a mailbox that handles one message after the other.

use std::any::Any;
use std::fmt;
use std::future::Future;
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

/// A value that handles messages one after the other, and can be begun anew from the same arguments.
///
/// ```text
///            ┌── Err, panic, stop, kill ─────────────────────────────┐
///            │                                                       ▼
///   start ─ init ── Ok ─▶ serving ── stop, Err, panic ─▶ terminate ─▶ ended ─▶ (perhaps the poll incarnation)
///                            │                              │          ▲
///                            └───────────── kill ───────────┴──────────┘
/// ```
///
/// Any error can end an actor through `?`. A panic ends it too, and nothing else. What follows is for whoever started
/// it to decide: a supervisor starts the next incarnation on the same mailbox.
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
    /// What it is sent.
    type Msg: Send + 'static;

    /// What every incarnation starts from. It stays the same; what is to survive a crash has to be put elsewhere.
    type Args: Send + Sync + 'static;

    /// Makes the state of an incarnation. No message is handled before it returns, and a start is complete when it does,
    /// unless it was to be [ready later](Context::defer_ready).
    ///
    /// A stop or a kill ends it at its next await.
    ///
    /// # Errors
    ///
    /// The start has failed for the reason given. `terminate` is not run. An actor for which there is nothing to do
    /// declines to start with [`ExitReason::Ignore`], which is no failure.
    fn init(
        args: &Self::Args,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<Self, ExitReason>> + Send;

    /// Handles one message.
    ///
    /// A kill ends it at its next await. So does an exit signal that the actor does not [trap](Context::trap_exits): the
    /// message is lost with the reason of the signal, and [`terminate`](Self::terminate) runs. A stop lets it return.
    ///
    /// # Errors
    ///
    /// The actor ends for the reason given. An abnormal one loses the message: it goes to the dead letters, and a
    /// caller that waits for its reply is told the reason.
    fn handle(
        &mut self,
        msg: Self::Msg,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send;

    /// Acts on a signal: a [`Down`](Signal::Down) of a monitor, or an exit signal if the actor
    /// [traps](Context::trap_exits) them. Does nothing unless it is written.
    ///
    /// Signals come between two messages, and ahead of all that wait. An exit signal that is not trapped comes at the next
    /// await.
    ///
    /// # Errors
    ///
    /// As of `handle`.
    fn signal(
        &mut self,
        signal: Signal,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), ExitReason>> + Send {
        let _ = (signal, ctx);
        async { Ok(()) }
    }

    /// What of its state an actor lets be seen and replaced while it runs, for debugging: `Some(self)`, or a part of it.
    /// Nothing unless it is written. See [`ActorHandle::get_state`](crate::ActorHandle::get_state); OTP calls it `sys`.
    fn debug_state(&mut self) -> Option<&mut (dyn Any + Send)> {
        None
    }

    /// Runs last, on every end but a kill and a failed init. If it panics, that becomes the reason.
    ///
    /// After a panic of a handler, or an exit signal that ended one, the state is as the handler left it.
    fn terminate(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, ctx);
        async {}
    }
}

/// What an incarnation knows of itself and may do to itself.
pub struct Context<A: Actor> {
    /// Dropped before the attachment, which tells others of the end.
    agenda: SyncWrapper<Option<Box<SelfMessages<A::Msg>>>>,
    stopping: Option<ExitReason>,
    attachment: MailboxConsumer<A::Msg>,
}

impl<A: Actor> Context<A> {
    pub(crate) const fn new(attachment: MailboxConsumer<A::Msg>) -> Self {
        Self { agenda: SyncWrapper::new(None), stopping: None, attachment }
    }

    /// Ends the actor after the message in hand, or after its init. The first reason counts.
    ///
    /// The message was handled; `terminate` runs.
    pub fn stop(&mut self, reason: ExitReason) {
        self.stopping.get_or_insert(reason);
    }

    /// Ends the actor after the message in hand, and answers a call once `terminate` has run: OTP's `{stop, Reason, Reply}`.
    pub fn stop_and_reply<T: Send + 'static>(&mut self, reason: ExitReason, reply: Reply<T>, answer: T) {
        self.agenda_mut().defer_reply(Box::new(move || reply.send(answer)));
        self.stop(reason);
    }

    /// The address of this actor, good for all its incarnations.
    #[must_use]
    pub fn address(&self) -> Address<A::Msg> {
        Address::new(self.attachment.process().clone())
    }

    /// This incarnation.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.attachment.pid()
    }

    /// The system that it lives in.
    #[must_use]
    pub fn system(&self) -> &System {
        self.attachment.system()
    }

    pub(crate) const fn stopping(&self) -> Option<&ExitReason> {
        self.stopping.as_ref()
    }

    pub(crate) const fn attachment(&self) -> &MailboxConsumer<A::Msg> {
        &self.attachment
    }

    pub(crate) const fn attachment_mut(&mut self) -> &mut MailboxConsumer<A::Msg> {
        &mut self.attachment
    }

    pub(crate) fn agenda_if_any(&mut self) -> Option<&mut SelfMessages<A::Msg>> {
        self.agenda.get().as_deref_mut()
    }

    pub(crate) fn agenda_mut(&mut self) -> &mut SelfMessages<A::Msg> {
        self.agenda.get().get_or_insert_with(|| Box::new(SelfMessages::new()))
    }

    /// Gives the answers that were kept until `terminate` has run. An answer that no caller waits for is dropped here.
    pub(crate) fn send_deferred_replies(&mut self) {
        let words = self.agenda_if_any().map(SelfMessages::take_deferred_replies).unwrap_or_default();
        words.into_iter().for_each(ignore_panic);
    }

    /// Drops what the incarnation has set itself to do, and returns what ends it.
    pub(crate) fn into_attachment(self) -> MailboxConsumer<A::Msg> {
        let Self { agenda, attachment, .. } = self;
        drop(agenda);
        attachment
    }
}

/// Returns the parent of an incarnation: what started it and is told of its end. `None` outside a tree.
#[must_use]
pub fn parent_of<A: Actor>(ctx: &Context<A>) -> Option<&Arc<dyn Parent>> {
    ctx.attachment().parent()
}

impl<A: Actor> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("pid", &self.pid()).field("stopping", &self.stopping).finish()
    }
}
