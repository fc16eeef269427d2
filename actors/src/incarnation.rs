//! The life cycle of one incarnation, from its init to its end.

use std::borrow::Borrow;
use std::future::{Future, poll_fn};
use std::pin::pin;

use crate::actor::{Actor, Context};
use crate::control::{ControlSignal, ExitEffect, InspectState};
use crate::exit::ExitReason;
use crate::foreign::Guarded;
use crate::guard::{Guard, Outcome};
use crate::mailbox::{Event, Taken};
use crate::process::MailboxConsumer;
use crate::signal::Signal;
use crate::spans::Callback;

/// How an incarnation ends.
enum Ending {
    /// The actor may terminate in an orderly way.
    Orderly(ExitReason),
    /// At once.
    Killed,
}

impl From<Outcome<Self>> for Ending {
    fn from(served: Outcome<Self>) -> Self {
        match served {
            Outcome::Returned(ending) => ending,
            Outcome::Panicked(reason) | Outcome::Stopped(reason) => Self::Orderly(reason),
            Outcome::Killed => Self::Killed,
        }
    }
}

/// Runs one incarnation. The consumer ends and notifies in every case, even if this future is
/// dropped.
///
/// The task of every idle actor is as large as this future. So it consists of consecutive phases,
/// which share their memory. A value that is needed in all phases is captured and not passed,
/// because an argument of an async function is stored twice.
pub(crate) fn run<A: Actor>(
    attachment: MailboxConsumer<A::Msg>,
    args: impl Borrow<A::Args> + Send + Sync + 'static,
) -> impl Future<Output = ()> + Send {
    let args = Guarded::new(args);
    let guard = Guard::new(&attachment);
    let mut ctx = Context::<A>::new(attachment);
    async move {
        guard.enter_task();
        let mut ending = match start::<A>(&guard, &*args, &mut ctx).await {
            Ok(actor) => EndingGuard { actor: Some(actor), guard: &guard },
            Err(reason) => return ctx.into_attachment().end(reason),
        };
        ctx.attachment_mut().init_returned();
        let served = {
            let Some(actor) = &mut ending.actor else { return };
            let serving = pin!(Some(serve(actor, &mut ctx, guard.taken())));
            guard.serve(serving).await
        };
        let reason = match Ending::from(served) {
            Ending::Orderly(reason) if ctx.attachment().is_attached() => {
                terminate(&mut ending, reason, &mut ctx).await
            }
            // It was killed. Its mailbox may have been taken away since.
            Ending::Orderly(_) | Ending::Killed => ExitReason::Killed,
        };
        let reason = ending.end().unwrap_or(reason);
        ctx.into_attachment().end(reason);
    }
}

async fn start<A: Actor>(
    guard: &Guard<A::Msg>,
    args: &impl Borrow<A::Args>,
    ctx: &mut Context<A>,
) -> Result<A, ExitReason> {
    ctx.attachment().begin_callback(Callback::Init, None);
    let init = pin!(Some(guard.catch_panic(|| A::init(args.borrow(), ctx))?));
    match guard.start(init).await {
        Outcome::Returned(result) => result,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => Err(reason),
        Outcome::Killed => Err(ExitReason::Killed),
    }
}

/// An actor that is dropped only after its incarnation was marked as ending. Replies that it kept
/// are dropped with it. Their callers must learn why the incarnation ended, not that it dropped the
/// replies.
struct EndingGuard<'a, A: Actor> {
    /// `None` only at the end.
    actor: Option<A>,
    guard: &'a Guard<A::Msg>,
}

impl<A: Actor> EndingGuard<'_, A> {
    /// Drops the actor. Returns the exit reason if that panics.
    fn end(&mut self) -> Option<ExitReason> {
        let actor = self.actor.take()?;
        self.guard.mark_ending();
        self.guard.catch_panic(|| drop(actor)).err()
    }
}

impl<A: Actor> Drop for EndingGuard<'_, A> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

async fn terminate<A: Actor>(
    ending: &mut EndingGuard<'_, A>,
    reason: ExitReason,
    ctx: &mut Context<A>,
) -> ExitReason {
    let EndingGuard { actor: Some(actor), guard } = ending else { return reason };
    ctx.attachment_mut().mark_ending();
    // A new step: the time of the last handler does not count.
    ctx.attachment().process().activity.begin_step();
    ctx.attachment().begin_callback(Callback::Terminate, None);
    let outcome = match guard.catch_panic(|| actor.terminate(&reason, ctx)) {
        Ok(terminating) => guard.run(pin!(Some(terminating))).await,
        Err(panicked) => Outcome::Panicked(panicked),
    };
    match outcome {
        Outcome::Returned(()) => {
            ctx.send_deferred_replies();
            reason
        }
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => reason,
        Outcome::Killed => ExitReason::Killed,
    }
}

/// Acts on one event after the other, until one of them ends the incarnation.
///
/// The arguments are captured, as in [`run`]: an async function would store them twice.
#[allow(clippy::manual_async_fn)]
fn serve<'a, A: Actor>(
    actor: &'a mut A,
    ctx: &'a mut Context<A>,
    mut taken: Taken<'a, A::Msg>,
) -> impl Future<Output = Ending> + Send + 'a {
    async move {
        'events: loop {
            if ctx.stopping().is_some() {
                // The message in flight was handled, whatever the reason.
                drop(taken);
                ctx.attachment_mut().handled();
                return Ending::Orderly(ctx.stopping().cloned().unwrap_or_default());
            }
            // Neither a message nor an event lives across an await: it would take memory in every
            // task, beside that of the handler.
            let message = 'message: {
                if let Some(message) = ctx.next_taken(&mut taken) {
                    break 'message message;
                }
                let signal = match poll_fn(|cx| ctx.poll_next(&mut taken, cx)).await {
                    Event::Message(message) => {
                        ctx.interrupt_idle();
                        ctx.begin_handler(&mut taken);
                        break 'message message;
                    }
                    Event::Signal(ControlSignal::Stop(reason)) => return Ending::Orderly(reason),
                    Event::Signal(signal) => signal,
                    Event::Killed | Event::Detached => return Ending::Killed,
                };
                // Rare, so it is boxed and takes no memory in every task.
                if let Err(reason) = Box::pin(handle_control(actor, signal, ctx)).await {
                    return Ending::Orderly(reason);
                }
                continue 'events;
            };
            let handled = {
                let mut handling = pin!(actor.handle(message, ctx));
                let taken = &mut taken;
                poll_fn(move |cx| {
                    let polled = handling.as_mut().poll(cx);
                    if polled.is_pending() {
                        taken.handler_awaits();
                    }
                    polled
                })
                .await
            };
            if let Err(reason) = handled {
                if !reason.is_abnormal() {
                    // Its message was handled, however `terminate` ends.
                    drop(taken);
                    ctx.attachment_mut().handled();
                }
                return Ending::Orderly(reason);
            }
        }
    }
}

/// Acts on a control signal. Fails with the reason if it ends the incarnation.
async fn handle_control<A: Actor>(
    actor: &mut A,
    signal: ControlSignal,
    ctx: &mut Context<A>,
) -> Result<(), ExitReason> {
    let activity = &ctx.attachment().process().activity;
    let signal = match signal {
        ControlSignal::Stop(reason) => return Err(reason),
        ControlSignal::Exit(exit) => match exit.effect(activity.is_trapping()) {
            ExitEffect::Ignore => return Ok(()),
            ExitEffect::Terminate(reason) => return Err(reason),
            ExitEffect::Deliver(signal) => signal,
        },
        ControlSignal::Down { monitor, down } => Signal::Down { monitor, down: *down },
        ControlSignal::Suspend => {
            ctx.attachment().process().suspend();
            return Ok(());
        }
        ControlSignal::Resume => {
            ctx.attachment().process().resume();
            return Ok(());
        }
        ControlSignal::Inspect(InspectState(inspect)) => {
            inspect(actor.debug_state());
            return Ok(());
        }
    };
    ctx.interrupt_idle();
    ctx.attachment().begin_callback(Callback::Signal, None);
    actor.signal(signal, ctx).await
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;
    use crate::mailbox::MailboxConfig;
    use crate::process::{ExitNotifier, Identity};
    use crate::system::System;

    struct Idle;

    impl Actor for Idle {
        type Msg = u64;
        type Args = ();

        async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }

        async fn handle(&mut self, _: u64, _: &mut Context<Self>) -> Result<(), ExitReason> {
            Ok(())
        }
    }

    /// An actor whose messages are large.
    struct Heavy;

    type Large = [u64; 32];

    impl Actor for Heavy {
        type Msg = Large;
        type Args = ();

        async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }

        async fn handle(&mut self, _: Large, _: &mut Context<Self>) -> Result<(), ExitReason> {
            Ok(())
        }
    }

    /// The largest future whose task takes 384 bytes, of which tokio needs 112.
    const SMALL: usize = 272;

    fn size<A: Actor<Args = ()>>() -> usize {
        let identity = Identity::<A::Msg>::new(MailboxConfig::default());
        identity.open(&System::new(), || "idle".into());
        let attachment = identity.process.attach(ExitNotifier::None).expect("it is open");
        size_of_val(&run::<A>(attachment, ()))
    }

    /// The task of every idle actor is as large as this future, and each start moves it.
    #[test]
    fn future_of_an_incarnation_is_small() {
        let size = size::<Idle>();
        assert!(size <= SMALL, "{size} bytes");
    }

    /// The message that the handler has is the only one.
    #[test]
    fn future_of_an_incarnation_has_room_for_one_message() {
        let size = size::<Heavy>();
        assert!(size <= SMALL + size_of::<Large>(), "{size} bytes");
    }
}
