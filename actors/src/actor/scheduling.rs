//! Messages of an incarnation to itself: continuations, timers, piped futures and streams.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use futures_core::Stream;

use super::traits::{Actor, Context};
use crate::clock::{deadline_after, time_until};
use crate::self_messages::{PipeHandle, StreamHandle, TimerId};

/// # Messages to itself
///
/// They come back to this incarnation and end with it: none reaches the next one. Such messages do
/// not pass through the mailbox. They are not in its message counts, do not count towards its
/// capacity and do not wait behind messages of other senders.
impl<A: Actor> Context<A> {
    /// Handles `message` next, before any queued message: OTP's `handle_continue`.
    ///
    /// Called in `init`, it splits the start: the supervisor continues as soon as `init` returns,
    /// and no other message is handled before this one. Several continuations are handled in the
    /// order of the calls. A reply that was sent before is delivered before. Signals still come
    /// first.
    #[doc = context_example!(r"ctx.continue_with(Msg::Done(42));")]
    pub fn continue_with(&mut self, message: A::Msg) {
        self.self_messages_mut().continuations.push_back(message);
    }

    /// Returns `true` if a handler with several steps may continue with its next step.
    ///
    /// Returns `false` if the actor is stopping, a signal waits, or its turn is used up: a turn is
    /// 128 messages and steps. Then the handler leaves the rest to a
    /// [continuation](Self::continue_with) and returns. If this returns `true`, a handler deadline
    /// begins anew for the next step.
    ///
    /// # Examples
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
    ///     async fn handle(
    ///         &mut self,
    ///         last: u64,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
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

    /// Handles `message` after a time, never early.
    ///
    /// Timers that are due together are handled in the order in which they were set.
    #[doc = context_example!(r"ctx.send_after(Duration::from_secs(1), Msg::Tick);")]
    pub fn send_after(&mut self, after: Duration, message: A::Msg) -> TimerId {
        self.self_messages_mut().timers.set(deadline_after(after), message)
    }

    /// Handles a message after every `period` until the timer is cancelled. `message` makes each
    /// one.
    ///
    /// An actor that is busy for longer than a period misses ticks, and later ticks keep the
    /// original schedule.
    #[doc = context_example!(r"ctx.send_interval(Duration::from_secs(1), || Msg::Tick);")]
    pub fn send_interval(
        &mut self,
        period: Duration,
        message: impl FnMut() -> A::Msg + Send + 'static,
    ) -> TimerId {
        self.self_messages_mut().timers.set_interval(deadline_after(period), period, Box::new(message))
    }

    /// Handles `message` after a time, and replaces the timer with the same key: its message is
    /// never handled.
    #[doc = context_example!(r#"ctx.start_timer("retry", Duration::from_secs(1), Msg::Done(0));
ctx.start_timer("retry", Duration::from_secs(1), Msg::Done(42));"#)]
    pub fn start_timer(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        after: Duration,
        message: A::Msg,
    ) -> TimerId {
        self.self_messages_mut().timers.set_keyed(key.into(), deadline_after(after), message)
    }

    /// Returns the timer with this key if it is not due yet.
    #[doc = context_example!(
        r#"let retry = ctx.start_timer("retry", Duration::from_secs(1), Msg::Tick);
assert_eq!(ctx.timer("retry"), Some(retry));"#
    )]
    #[must_use]
    pub fn timer(&mut self, key: &str) -> Option<TimerId> {
        self.self_messages_if_any().and_then(|own| own.timers.keyed(key))
    }

    /// Handles `message` if no message or signal is handled for this time: OTP's timeout of a
    /// `gen_server`.
    ///
    /// Any message or signal that is handled cancels it; set it again to wait for the next pause.
    /// There is one at a time. Messages that have arrived by its deadline come first, also if the
    /// actor was too busy to handle them before.
    #[doc = context_example!(r"ctx.idle_timeout(Duration::from_secs(60), Msg::Tick);")]
    pub fn idle_timeout(&mut self, after: Duration, message: A::Msg) {
        self.self_messages_mut().timers.set_idle(deadline_after(after), message);
    }

    /// Cancels a timer and returns the remaining time, or `None` if it was due or cancelled before.
    ///
    /// After this returns, its message is never handled.
    #[doc = context_example!(r"let timer = ctx.send_after(Duration::from_secs(5), Msg::Done(0));
assert!(ctx.cancel_timer(timer).is_some());
assert_eq!(ctx.cancel_timer(timer), None);
ctx.stop(ExitReason::Normal);")]
    pub fn cancel_timer(&mut self, timer: TimerId) -> Option<Duration> {
        self.self_messages_if_any().and_then(|own| own.timers.cancel(timer)).map(time_until)
    }

    /// Returns the remaining time of a timer, or `None` if it was due or cancelled before.
    #[doc = context_example!(r"let timer = ctx.send_after(Duration::from_secs(5), Msg::Tick);
assert_eq!(ctx.read_timer(timer), Some(Duration::from_secs(5)));")]
    #[must_use]
    pub fn read_timer(&mut self, timer: TimerId) -> Option<Duration> {
        self.self_messages_if_any().and_then(|own| own.timers.read(timer)).map(time_until)
    }

    /// Runs a future beside the actor and handles the message that `map` makes of its result. The
    /// actor stays responsive meanwhile.
    ///
    /// The future runs in a task of its own. When the incarnation ends, it is cancelled before any
    /// observer is notified of the end. The runtime drops it at its next await, so the values that
    /// it holds may be dropped a moment later. If it panics, the incarnation ends as if a handler
    /// had panicked.
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
    /// # async fn handle(&mut self, reply: Reply<u64>, _: &mut Context<Self>)
    /// # -> Result<(), ExitReason> {
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
    ///     async fn init(
    ///         source: &Address<Reply<u64>>,
    ///         _: &mut Context<Self>,
    ///     ) -> Result<Self, ExitReason> {
    ///         Ok(Self(source.clone()))
    ///     }
    ///     async fn handle(
    ///         &mut self,
    ///         msg: Msg,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
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
        self.self_messages_mut().pipes.pipe(system, async move { map(future.await) })
    }

    /// Handles a message for every item of a stream. The actor stays responsive meanwhile.
    ///
    /// The actor polls the stream itself, between two messages. It polls for the next item only
    /// after the previous one was handled, so a stream is never faster than its actor. The mailbox,
    /// timers, futures and streams take turns. The stream is dropped when it ends, when it is
    /// [aborted](StreamHandle::abort), and with the incarnation, before any observer is notified of
    /// the end. If it panics, the incarnation ends as if a handler had panicked.
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
    ///     async fn handle(
    ///         &mut self,
    ///         msg: Msg,
    ///         ctx: &mut Context<Self>,
    ///     ) -> Result<(), ExitReason> {
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
        self.self_messages_mut().streams.attach(system, stream, map, None)
    }

    /// Attaches a stream as [`attach`](Self::attach) does, and handles `last` when the stream ends
    /// by itself.
    #[doc = context_example!(
        r"ctx.attach_with_end(futures_util::stream::iter([42]), Msg::Done, Msg::Tick);
"
    )]
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
        self.self_messages_mut().streams.attach(system, stream, map, Some(last))
    }

    /// Runs blocking or computing work on a thread for such work, and handles the message that
    /// `map` makes of its result.
    ///
    /// The work cannot be cancelled while it runs. If the incarnation ends first, the result is
    /// dropped.
    #[doc = context_example!(r"ctx.pipe_blocking(|| 6 * 7, Msg::Done);
")]
    pub fn pipe_blocking<T>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        map: impl FnOnce(T) -> A::Msg + Send + 'static,
    ) -> PipeHandle {
        let system = self.system().clone();
        self.self_messages_mut().pipes.pipe_blocking(system, move || map(work()))
    }
}

impl<A: Actor> Context<A> {
    /// Cancels the idle timeout, because a message or a signal is handled.
    pub(crate) fn interrupt_idle(&mut self) {
        if let Some(own) = self.self_messages_if_any() {
            own.timers.interrupt_idle();
        }
    }
}
