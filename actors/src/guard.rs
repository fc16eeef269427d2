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
use crate::mailbox::{Event, Interest, Taken};
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

    /// Returns the place for the messages that the incarnation takes.
    pub(crate) fn taken(&self) -> Taken<'_, M> {
        Taken::new(&self.process.queue, self.incarnation)
    }

    /// Runs a start. A stop or a kill ends it at its next await. The rest of it is dropped with
    /// this future.
    pub(crate) fn start<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        self.run_until(|| Interest::Signals, code)
    }

    /// Runs the loop that handles messages. A kill ends it. So does an exit signal that is not
    /// trapped and that arrives while a handler runs. Between two messages the loop itself acts on
    /// signals, in their order.
    ///
    /// Costs three loads for each poll of the task, and nothing for each message.
    pub(crate) fn serve<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        self.run_until(|| Interest::Exits, code)
    }

    /// Runs any other code. Only a kill ends it early. The rest of it is dropped with this future.
    pub(crate) fn run<F: Future>(
        &self,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        self.run_until(|| Interest::Kill, code)
    }

    /// The interest is a closure, which takes no memory in every task.
    fn run_until<F: Future>(
        &self,
        interest: impl Fn() -> Interest,
        code: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Outcome<F::Output>> {
        let mut code = InPlace::new(code);
        poll_fn(move |cx| {
            if self.process.queue.is_observed() {
                self.process.enter_callback(self.incarnation);
            }
            let polled = self.poll_code(&interest, &mut code, cx);
            if self.process.queue.may_be_observed(self.incarnation) {
                self.callback_polled(polled.is_ready());
            }
            polled
        })
    }

    #[inline]
    fn poll_code<F: Future>(
        &self,
        interest: impl Fn() -> Interest,
        code: &mut InPlace<'_, F>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        // An event that came since it was last polled.
        if self.process.queue.has_signal() {
            if let Poll::Ready(outcome) = self.poll_event(interest(), cx) {
                return Poll::Ready(outcome);
            }
        }
        let Some(running) = code.get() else { return Poll::Ready(Outcome::Killed) };
        match self.catch_panic(|| running.poll(cx)) {
            Ok(Poll::Ready(output)) => Poll::Ready(Outcome::Returned(output)),
            Err(reason) => Poll::Ready(Outcome::Panicked(reason)),
            Ok(Poll::Pending) => self.poll_event(interest(), cx),
        }
    }

    /// Leaves the span of the callback, or ends its observation if it is over.
    #[cold]
    fn callback_polled(&self, is_over: bool) {
        if is_over {
            self.process.end_callback(self.incarnation);
        } else {
            self.process.leave_callback(self.incarnation);
        }
    }

    /// Returns how an event ends user code that waits with this interest.
    #[inline]
    fn poll_event<T>(&self, interest: Interest, cx: &Context<'_>) -> Poll<Outcome<T>> {
        let ends = |signal: &ControlSignal| {
            let trapping = self.process.activity.is_trapping();
            if interest == Interest::Exits {
                signal.interrupts(trapping)
            } else {
                signal.terminates(trapping)
            }
        };
        // Between two messages, the loop that handles them acts on signals.
        let is_between = interest == Interest::Exits && self.process.activity.is_idle();
        let interest = if is_between { Interest::Kill } else { interest };
        match self.process.queue.poll_inside(self.incarnation, interest, ends, cx.waker()) {
            Poll::Ready(Event::Signal(signal)) => {
                Poll::Ready(signal.into_reason().map_or(Outcome::Killed, Outcome::Stopped))
            }
            Poll::Ready(_) => Poll::Ready(Outcome::Killed),
            Poll::Pending => {
                // A handler that awaits is observed from now on.
                self.process.observe(self.incarnation);
                Poll::Pending
            }
        }
    }
}
