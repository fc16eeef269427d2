//! Runs user code so that a panic, or a kill at an await, becomes an exit reason.

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
    /// It panicked, with this exit reason.
    Panicked(ExitReason),
    /// It was stopped while it was starting, or an exit signal ended it inside a handler.
    Stopped(ExitReason),
    /// It was killed, or its mailbox was taken away.
    Killed,
}

/// A guard around the user code of one incarnation.
pub(crate) struct Guard<M: Send + 'static> {
    process: Arc<Process<M>>,
    incarnation: u32,
}

impl<M: Send + 'static> Guard<M> {
    pub(crate) fn new(attachment: &MailboxConsumer<M>) -> Self {
        Self { process: attachment.process().clone(), incarnation: attachment.incarnation() }
    }

    /// Records that the incarnation runs in this task, so that messages to itself are recognised.
    pub(crate) fn enter_task(&self) {
        self.process.queue.set_task(self.incarnation, task::try_id());
    }

    /// Marks the incarnation as ending, before it drops the replies that it kept.
    pub(crate) fn mark_ending(&self) {
        self.process.queue.mark_ending(self.incarnation);
    }

    /// Runs code that does not await. Returns the exit reason if it panics.
    pub(crate) fn catch_panic<T>(&self, code: impl FnOnce() -> T) -> Result<T, ExitReason> {
        catch_panic(self.process.registration().map(|registration| &registration.system), code)
    }

    /// Runs a start. A stop or a kill ends it at its next await. The rest of it is dropped with
    /// this future.
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

    /// Runs the loop that handles messages. A kill ends it. So does an exit signal that is not
    /// trapped and that arrives while a handler runs. Between two messages the loop itself acts on
    /// signals, in their order.
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

    /// Runs any other code. Only a kill ends it early. The rest of it is dropped with this future.
    pub(crate) fn run<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        let mut code = InPlace::new(code);
        poll_fn(move |cx| self.poll(Interest::Kill, &mut code, cx))
    }

    /// Returns `true` if a signal ends user code that waits with this interest.
    fn terminates(&self, interest: Interest, signal: &ControlSignal) -> bool {
        let trapping = self.process.activity.is_trapping();
        if interest == Interest::Exits { signal.interrupts(trapping) } else { signal.terminates(trapping) }
    }

    /// Takes the first signal that ends user code, and returns its reason.
    #[cold]
    fn take_reason(&self, interest: Interest) -> Option<ExitReason> {
        let signal =
            self.process.queue.take_signal(self.incarnation, |signal| self.terminates(interest, signal));
        signal.and_then(ControlSignal::into_reason)
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
                let to_act_on = |signal: &ControlSignal| self.terminates(interest, signal);
                match queue.park_in_handler(self.incarnation, interest, to_act_on, cx.waker()) {
                    // A handler that awaits is observed from now on.
                    ParkResult::Parked => self.process.observe(self.incarnation),
                    ParkResult::Signalled => cx.waker().wake_by_ref(),
                    ParkResult::Ended => return Poll::Ready(Outcome::Killed),
                }
                Poll::Pending
            }
        }
    }
}
