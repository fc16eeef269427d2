//! The life of one incarnation, from its init to its end.

use std::borrow::Borrow;
use std::future::{Future, poll_fn};
use std::pin::pin;

use crate::actor::{Actor, Context};
use crate::exit::ExitReason;
use crate::foreign::Guarded;
use crate::guard::{Guard, Outcome};
use crate::mailbox::NextEvent;
use crate::control::{ExitEffect, InspectState, ControlSignal};
use crate::process::MailboxConsumer;
use crate::signal::Signal;

/// How an incarnation came to its end.
enum Ending {
    /// In a way that lets it say good-bye.
    Orderly(ExitReason),
    /// At once.
    Killed,
}

/// Lives through one incarnation. Whatever happens, the attachment ends and says so, also if this is dropped.
///
/// The task of every idle actor is as large as this future. So it is made of phases one after the other, which share their
/// room; what it keeps through all of them is captured, not passed on, because an argument of an async function is kept twice.
pub(crate) fn run<A: Actor>(
    attachment: MailboxConsumer<A::Msg>,
    args: impl Borrow<A::Args> + Send + Sync + 'static,
) -> impl Future<Output = ()> + Send {
    let args = Guarded::new(args);
    let guard = Guard::new(&attachment);
    let mut ctx = Context::<A>::new(attachment);
    async move {
        guard.enter_task();
        let mut living = match start::<A>(&guard, (*args).borrow(), &mut ctx).await {
            Ok(actor) => EndingGuard { actor: Some(actor), guard: &guard },
            Err(reason) => return ctx.into_attachment().end(reason),
        };
        let Some(actor) = &mut living.actor else { return };
        ctx.attachment_mut().init_returned();
        let reason = match serve_guarded(&guard, actor, &mut ctx).await {
            Ending::Orderly(reason) if ctx.attachment().is_attached() => {
                terminate(&guard, actor, reason, &mut ctx).await
            }
            // It was killed, perhaps so long ago that its mailbox was taken away.
            Ending::Orderly(_) | Ending::Killed => ExitReason::Killed,
        };
        let reason = living.end().unwrap_or(reason);
        ctx.into_attachment().end(reason);
    }
}

async fn start<A: Actor>(
    guard: &Guard<A::Msg>,
    args: &A::Args,
    ctx: &mut Context<A>,
) -> Result<A, ExitReason> {
    let init = pin!(Some(guard.catch_panic(|| A::init(args, ctx))?));
    match guard.start(init).await {
        Outcome::Returned(result) => result,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => Err(reason),
        Outcome::Killed => Err(ExitReason::Killed),
    }
}

/// An actor that is dropped only after it was said that its incarnation is on its way out. Replies that it kept are dropped
/// with it, and their callers are to be told why it ended, not that it dropped them.
struct EndingGuard<'a, A: Actor> {
    /// Taken at the end only.
    actor: Option<A>,
    guard: &'a Guard<A::Msg>,
}

impl<A: Actor> EndingGuard<'_, A> {
    /// Drops the actor. Returns the reason if that panics.
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
    guard: &Guard<A::Msg>,
    actor: &mut A,
    reason: ExitReason,
    ctx: &mut Context<A>,
) -> ExitReason {
    ctx.attachment_mut().mark_ending();
    // Another thing that it does: what the handler before took does not count.
    ctx.attachment().process().activity.begin_step();
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

async fn serve_guarded<A: Actor>(guard: &Guard<A::Msg>, actor: &mut A, ctx: &mut Context<A>) -> Ending {
    match guard.serve(pin!(Some(serve(actor, ctx)))).await {
        Outcome::Returned(ending) => ending,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => Ending::Orderly(reason),
        Outcome::Killed => Ending::Killed,
    }
}

/// Acts on one thing after the other until one of them is the last.
async fn serve<A: Actor>(actor: &mut A, ctx: &mut Context<A>) -> Ending {
    loop {
        if ctx.stopping().is_some() {
            // The message in hand was handled, whatever the reason.
            ctx.attachment_mut().handled();
            return Ending::Orderly(ctx.stopping().cloned().unwrap_or_default());
        }
        let next = match ctx.try_next_message() {
            Some(message) => NextEvent::Message(message),
            None => poll_fn(|cx| ctx.poll_next(cx)).await,
        };
        let message = match next {
            NextEvent::Message(message) => message,
            NextEvent::Signal(order) => {
                // Seldom, and boxed, so that it takes no room in every task.
                if let Err(reason) = Box::pin(handle_control(actor, order, ctx)).await {
                    return Ending::Orderly(reason);
                }
                continue;
            }
            NextEvent::Killed | NextEvent::Detached => return Ending::Killed,
        };
        ctx.interrupt_idle();
        if let Err(reason) = actor.handle(message, ctx).await {
            return Ending::Orderly(reason);
        }
    }
}

/// Acts on a signal; an error is the reason for which the incarnation ends.
async fn handle_control<A: Actor>(actor: &mut A, order: ControlSignal, ctx: &mut Context<A>) -> Result<(), ExitReason> {
    let condition = &ctx.attachment().process().activity;
    let told = match order {
        ControlSignal::Stop(reason) => return Err(reason),
        ControlSignal::Exit(exit) => match exit.effect(condition.is_trapping()) {
            ExitEffect::Ignore => return Ok(()),
            ExitEffect::Terminate(reason) => return Err(reason),
            ExitEffect::Deliver(signal) => signal,
        },
        ControlSignal::Down { monitor, down } => Signal::Down { monitor, down: *down },
        ControlSignal::Suspend => {
            condition.suspend();
            return Ok(());
        }
        ControlSignal::Resume => {
            ctx.attachment().process().resume();
            return Ok(());
        }
        ControlSignal::Inspect(InspectState(look)) => {
            look(actor.debug_state());
            return Ok(());
        }
    };
    ctx.interrupt_idle();
    actor.signal(told, ctx).await
}
