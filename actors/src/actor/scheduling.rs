//! What an incarnation sets itself to do: continuations, timers, piped futures.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use futures_core::Stream;

use super::traits::{Actor, Context};
use crate::self_messages::{PipeHandle, SelfMessages, StreamHandle, TimerId};

/// # What an incarnation sets itself to do
///
/// All of it comes back as a message to this very incarnation, and ends with it: nothing reaches the next one. Such messages
/// do not pass through the mailbox. They are not in its accounts, do not count towards its capacity and do not wait behind what
/// others have sent.
impl<A: Actor> Context<A> {
    /// Handles `message` next, before anything that waits in the mailbox: OTP's `handle_continue`.
    ///
    /// In `init` this is how a start is split: the supervisor goes on as soon as `init` returns, and nobody else's message
    /// is handled before this one. Several are handled in the order in which they were given; a reply that was sent before is
    /// on its way before it. Signals still come first.
    pub fn continue_with(&mut self, message: A::Msg) {
        self.agenda_mut().continue_with(message);
    }

    /// For a handler that does several things, one after the other, to ask between two: whether it may go on with the next.
    ///
    /// Not if the actor is to stop, a signal waits, or it has had its turn, which is 128 messages and things: then it leaves the rest to a
    /// [continuation](Self::continue_with) and returns. If it may, what it does from now on is another thing: for a deadline of its
    /// handlers, the time begins anew.
    ///
    /// ```
    /// use perennial_actors::{Actor, Context, ExitReason, System};
    ///
    /// struct Squares(Vec<u64>);
    ///
    /// impl Actor for Squares {
    ///     type Msg = u64;
    ///     type Args = u64;
    ///     async fn init(last: &u64, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         ctx.continue_with(*last);
    ///         Ok(Self(Vec::new()))
    ///     }
    ///     async fn handle(&mut self, last: u64, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         for n in self.0.len() as u64..last {
    ///             self.0.push(n * n);
    ///             if !ctx.consume_budget() {
    ///                 ctx.continue_with(last);
    ///                 return Ok(());
    ///             }
    ///         }
    ///         ctx.stop(ExitReason::Normal);
    ///         Ok(())
    ///     }
    ///     async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
    ///         assert_eq!(self.0.len(), 1000);
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (_, squares) = System::new().spawn::<Squares>(1000).detach_monitored()?;
    /// assert!(matches!(squares.await.reason, ExitReason::Normal));
    /// # Ok(())
    /// # }
    /// ```
    pub fn consume_budget(&mut self) -> bool {
        self.stopping().is_none() && self.attachment_mut().consume_budget()
    }

    /// Handles `message` after a time; never early.
    ///
    /// Timers that are due together are handled in the order in which they were set.
    pub fn send_after(&mut self, after: Duration, message: A::Msg) -> TimerId {
        self.agenda_mut().set_timer(after, message)
    }

    /// Handles a message after every `period`, made anew each time, until the timer is cancelled.
    ///
    /// An actor that is busy for longer than a period misses ticks, and stays in step with those that follow.
    pub fn send_interval(
        &mut self,
        period: Duration,
        message: impl FnMut() -> A::Msg + Send + 'static,
    ) -> TimerId {
        self.agenda_mut().set_interval(period, message)
    }

    /// Handles `message` after a time, in place of what was set with the same key before: that one is never handled.
    pub fn start_timer(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        after: Duration,
        message: A::Msg,
    ) -> TimerId {
        self.agenda_mut().set_keyed(key.into(), after, message)
    }

    /// The timer that was started with this key, if it is not due yet.
    #[must_use]
    pub fn timer(&mut self, key: &str) -> Option<TimerId> {
        self.agenda_if_any().and_then(|agenda| agenda.keyed(key))
    }

    /// Handles `message` if nothing else comes for so long. Any message or signal that is handled takes it back; to wait for
    /// the next pause, set it again. There is one at a time: OTP's timeout of a `gen_server`.
    ///
    /// What has come by the time that it is due comes first, also if the actor was too busy to handle it before.
    pub fn idle_timeout(&mut self, after: Duration, message: A::Msg) {
        self.agenda_mut().set_idle(after, message);
    }

    /// Takes a timer back: the time that was left; none if it was due before, or was taken back before.
    ///
    /// After this nothing comes of it any more.
    pub fn cancel_timer(&mut self, timer: TimerId) -> Option<Duration> {
        self.agenda_if_any().and_then(|agenda| agenda.cancel(timer))
    }

    /// The time that is left; none if the timer was due before, or was taken back.
    #[must_use]
    pub fn read_timer(&mut self, timer: TimerId) -> Option<Duration> {
        self.agenda_if_any().and_then(|agenda| agenda.read(timer))
    }

    /// Runs a future beside the actor and handles what `map` makes of its result. The actor stays responsive meanwhile.
    ///
    /// The future runs in a task of its own and is dropped, at its next await, when the incarnation ends. It is given up before
    /// anybody is told of the end, but the runtime drops it in its own time: what it holds may be let go a moment later. If it
    /// panics, the incarnation ends as if a handler had.
    ///
    /// A [`Call`](crate::Call) is such a future: its outcome comes back as a message.
    ///
    /// # Examples
    ///
    /// ```
    /// use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
    ///
    /// # struct Source;
    /// # impl Actor for Source {
    /// #     type Msg = Reply<u64>;
    /// #     type Args = ();
    /// #     async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Self) }
    /// #     async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>) -> Result<(), ExitReason> {
    /// #         reply.send(42);
    /// #         Ok(())
    /// #     }
    /// # }
    /// enum Msg {
    ///     Ask(Reply<Option<u64>>),
    ///     Answered(Option<u64>, Reply<Option<u64>>),
    /// }
    ///
    /// struct Proxy(Address<Reply<u64>>);
    ///
    /// impl Actor for Proxy {
    ///     type Msg = Msg;
    ///     type Args = Address<Reply<u64>>;
    ///     async fn init(source: &Address<Reply<u64>>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         Ok(Self(source.clone()))
    ///     }
    ///     async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         match msg {
    ///             Msg::Ask(reply) => {
    ///                 let call = self.0.call(|reply| reply);
    ///                 ctx.pipe_to_self(call, move |outcome| Msg::Answered(outcome.ok(), reply));
    ///             }
    ///             Msg::Answered(answer, reply) => reply.send(answer),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::new();
    /// # let source = system.spawn::<Source>(()).await?;
    /// let proxy = system.spawn::<Proxy>(source).await?;
    /// assert_eq!(proxy.call(Msg::Ask).await?, Some(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn pipe_to_self<F>(
        &mut self,
        future: F,
        map: impl FnOnce(F::Output) -> A::Msg + Send + 'static,
    ) -> PipeHandle
    where
        F: Future + Send + 'static,
    {
        let system = self.system().clone();
        self.agenda_mut().pipe(system, async move { map(future.await) })
    }

    /// Makes a message of every item of a stream and handles it. The actor stays responsive meanwhile.
    ///
    /// The actor polls the stream itself, between two messages: the next item is polled for only when the one before was
    /// handled, so a stream is never faster than its actor. The mailbox, timers, futures and streams take turns. The stream is
    /// dropped when it ends, when it is [aborted](StreamHandle::abort), and with the incarnation, before any other is told of
    /// the end. If it panics, the incarnation ends as if a handler had.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::stream;
    /// use perennial_actors::{Actor, Context, ExitReason, System};
    ///
    /// enum Msg {
    ///     Number(u64),
    ///     End,
    /// }
    ///
    /// struct Sum(u64);
    ///
    /// impl Actor for Sum {
    ///     type Msg = Msg;
    ///     type Args = u64;
    ///     async fn init(last: &u64, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
    ///         ctx.attach_with_end(stream::iter(1..=*last), Msg::Number, Msg::End);
    ///         Ok(Self(0))
    ///     }
    ///     async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
    ///         match msg {
    ///             Msg::Number(n) => self.0 += n,
    ///             Msg::End => ctx.stop(ExitReason::Normal),
    ///         }
    ///         Ok(())
    ///     }
    ///     async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
    ///         assert_eq!(self.0, 5050);
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (_, sum) = System::new().spawn::<Sum>(100).detach_monitored()?;
    /// assert!(matches!(sum.await.reason, ExitReason::Normal));
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach<S>(
        &mut self,
        stream: S,
        map: impl FnMut(S::Item) -> A::Msg + Send + 'static,
    ) -> StreamHandle
    where
        S: Stream + Send + 'static,
    {
        let system = self.system().clone();
        self.agenda_mut().attach(system, stream, map, None)
    }

    /// Attaches a stream as [`attach`](Self::attach) does, and handles `last` when the stream has ended by itself.
    pub fn attach_with_end<S>(
        &mut self,
        stream: S,
        map: impl FnMut(S::Item) -> A::Msg + Send + 'static,
        last: A::Msg,
    ) -> StreamHandle
    where
        S: Stream + Send + 'static,
    {
        let system = self.system().clone();
        self.agenda_mut().attach(system, stream, map, Some(last))
    }

    /// Runs work that blocks or computes on a thread for such work, and handles what `map` makes of its result.
    ///
    /// It cannot be dropped while it runs: if the incarnation ends before it, its result is thrown away.
    pub fn pipe_blocking<T>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        map: impl FnOnce(T) -> A::Msg + Send + 'static,
    ) -> PipeHandle {
        let system = self.system().clone();
        self.agenda_mut().pipe_blocking(system, move || map(work()))
    }
}

impl<A: Actor> Context<A> {
    /// A message came, or a signal.
    pub(crate) fn interrupt_idle(&mut self) {
        if let Some(agenda) = self.agenda_if_any() {
            SelfMessages::interrupt_idle(agenda);
        }
    }
}
