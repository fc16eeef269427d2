//! Running user code so that whatever it does ends as a reason: it may panic, and it may be killed where it awaits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task;

use crate::caught::catch_panic;
use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::foreign::InPlace;
use crate::mailbox::{Interest, ParkResult};
use crate::process::{MailboxConsumer, Process};

/// How user code ended.
pub(crate) enum Outcome<T> {
    /// It returned.
    Returned(T),
    /// It panicked: the reason.
    Panicked(ExitReason),
    /// It was told to stop while it was starting, or an exit signal ended it inside a handler.
    Stopped(ExitReason),
    /// It was killed, or its mailbox was taken away.
    Killed,
}

/// Whose code runs.
pub(crate) struct Guard<M: Send + 'static> {
    process: Arc<Process<M>>,
    incarnation: u32,
}

impl<M: Send + 'static> Guard<M> {
    pub(crate) fn new(attachment: &MailboxConsumer<M>) -> Self {
        Self { process: attachment.process().clone(), incarnation: attachment.incarnation() }
    }

    /// Says that the incarnation runs in this task, so that what it sends to itself is known as such.
    pub(crate) fn enter_task(&self) {
        self.process.queue.run_by(self.incarnation, task::try_id());
    }

    /// Says that the incarnation is on its way out, before it drops what it kept.
    pub(crate) fn mark_ending(&self) {
        self.process.queue.mark_ending(self.incarnation);
    }

    /// Runs code that does not await; the reason if it panics.
    pub(crate) fn catch_panic<T>(&self, code: impl FnOnce() -> T) -> Result<T, ExitReason> {
        catch_panic(self.process.home().map(|home| &home.system), code)
    }

    /// Runs a start, which a stop or a kill ends at its next await. What is left of it is dropped with this future.
    pub(crate) fn start<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        let mut code = InPlace::new(code);
        poll_fn(move |cx| {
            if let Some(reason) = self.take_reason(Interest::Signals) {
                return Poll::Ready(Outcome::Stopped(reason));
            }
            self.poll(Interest::Signals, &mut code, cx)
        })
    }

    /// Runs the loop that handles messages. A kill ends it, and so does an exit signal that arrives while a handler runs
    /// and that the incarnation does not trap. Between two messages the loop itself acts on signals, in their order.
    ///
    /// Costs one load for each poll of the task, and nothing for each message.
    pub(crate) fn serve<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        let mut code = InPlace::new(code);
        poll_fn(move |cx| {
            if self.process.queue.has_signal() && !self.process.activity.is_idle() {
                if let Some(reason) = self.take_reason(Interest::Exits) {
                    return Poll::Ready(Outcome::Stopped(reason));
                }
            }
            self.poll(Interest::Exits, &mut code, cx)
        })
    }

    /// Runs any other code, which only a kill ends before its time. What is left of it is dropped with this future.
    pub(crate) fn run<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        let mut code = InPlace::new(code);
        poll_fn(move |cx| self.poll(Interest::Kill, &mut code, cx))
    }

    /// Returns `true` if an order ends user code that waits with this interest.
    fn ends(&self, interest: Interest, order: &ControlSignal) -> bool {
        let trapping = self.process.activity.is_trapping();
        if interest == Interest::Exits { order.interrupts(trapping) } else { order.ends(trapping) }
    }

    /// Takes the first order that ends user code, and returns its reason.
    #[cold]
    fn take_reason(&self, interest: Interest) -> Option<ExitReason> {
        let order = self.process.queue.take_signal(self.incarnation, |order| self.ends(interest, order));
        order.and_then(ControlSignal::into_reason)
    }

    fn poll<F: Future>(
        &self,
        interest: Interest,
        code: &mut InPlace<'_, F>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        let queue = &self.process.queue;
        if queue.is_killed() {
            return Poll::Ready(Outcome::Killed);
        }
        let Some(code) = code.get() else { return Poll::Ready(Outcome::Killed) };
        match self.catch_panic(|| code.poll(cx)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Outcome::Returned(output)),
            Err(reason) => Poll::Ready(Outcome::Panicked(reason)),
            Ok(Poll::Pending) => {
                let to_act_on = |order: &ControlSignal| self.ends(interest, order);
                match queue.park_in_handler(self.incarnation, interest, to_act_on, cx.waker()) {
                    // A handler that awaits, if it is one: from now on it counts for how long.
                    ParkResult::Asleep => self.process.observe(self.incarnation),
                    ParkResult::Signalled => cx.waker().wake_by_ref(),
                    ParkResult::Over => return Poll::Ready(Outcome::Killed),
                }
                Poll::Pending
            }
        }
    }
}
