//! The life of one incarnation, from its init to its end.

use std::pin::pin;
use std::sync::Arc;

use crate::actor::{Actor, Context, Todo};
use crate::exit::ExitReason;
use crate::guard::{Guard, Outcome, contain};
use crate::order::{Effect, Look, Order};
use crate::process::Attachment;
use crate::signal::Signal;

/// How an incarnation came to its end.
enum Ending {
    /// In a way that lets it say good-bye.
    Orderly(ExitReason),
    /// At once.
    Killed,
}

/// Lives through one incarnation. Whatever happens, the attachment ends and says so, also if this is dropped.
pub(crate) async fn live<A: Actor>(attachment: Attachment<A::Msg>, args: Arc<A::Args>) {
    let guard = Guard::new(attachment.process().clone(), attachment.incarnation());
    let mut ctx = Context::<A>::new(attachment);
    let reason = match start::<A>(&guard, &args, &mut ctx).await {
        Ok(actor) => {
            ctx.attachment_mut().started();
            serve_and_terminate(&guard, actor, &mut ctx).await
        }
        Err(reason) => reason,
    };
    ctx.into_attachment().end(reason);
}

async fn start<A: Actor>(
    guard: &Guard<A::Msg>,
    args: &A::Args,
    ctx: &mut Context<A>,
) -> Result<A, ExitReason> {
    let system = ctx.system().clone();
    let init = pin!(contain(&system, || A::init(args, ctx))?);
    match guard.start(&system, init).await {
        Outcome::Returned(result) => result,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => Err(reason),
        Outcome::Killed => Err(ExitReason::Killed),
    }
}

/// An actor that is dropped only after it was said that its incarnation is on its way out. Replies that it kept are dropped
/// with it, and their callers are to be told why it ended, not that it dropped them.
struct Living<'a, A: Actor> {
    actor: A,
    guard: &'a Guard<A::Msg>,
}

impl<A: Actor> Drop for Living<'_, A> {
    fn drop(&mut self) {
        self.guard.begin_end();
    }
}

async fn serve_and_terminate<A: Actor>(guard: &Guard<A::Msg>, actor: A, ctx: &mut Context<A>) -> ExitReason {
    let system = ctx.system().clone();
    let mut living = Living { actor, guard };
    let ending = {
        let serving = pin!(serve(&mut living.actor, ctx));
        match guard.run(&system, serving).await {
            Outcome::Returned(ending) => ending,
            Outcome::Panicked(reason) | Outcome::Stopped(reason) => Ending::Orderly(reason),
            Outcome::Killed => Ending::Killed,
        }
    };
    let reason = match ending {
        Ending::Orderly(reason) if ctx.attachment().is_attached() => {
            terminate(guard, &mut living.actor, reason, ctx).await
        }
        // It was killed, perhaps so long ago that its mailbox was taken away.
        Ending::Orderly(_) | Ending::Killed => ExitReason::Killed,
    };
    contain(&system, || drop(living)).err().unwrap_or(reason)
}

async fn terminate<A: Actor>(
    guard: &Guard<A::Msg>,
    actor: &mut A,
    reason: ExitReason,
    ctx: &mut Context<A>,
) -> ExitReason {
    let system = ctx.system().clone();
    // Another thing that it does: what the handler before took does not count.
    ctx.attachment().process().condition.step();
    let outcome = match contain(&system, || actor.terminate(&reason, ctx)) {
        Ok(terminating) => guard.run(&system, pin!(terminating)).await,
        Err(panicked) => Outcome::Panicked(panicked),
    };
    match outcome {
        Outcome::Returned(()) => {
            if let Some(say) = ctx.take_last_words() {
                say();
            }
            reason
        }
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => reason,
        Outcome::Killed => ExitReason::Killed,
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
        let done = match std::future::poll_fn(|cx| ctx.poll_todo(cx)).await {
            Todo::Message(message) => {
                ctx.interrupt_idle();
                actor.handle(message, ctx).await
            }
            Todo::Order(Order::Stop(reason)) | Todo::End(reason) => Err(reason),
            Todo::Order(Order::Exit(exit)) => {
                match exit.effect(ctx.attachment().process().condition.is_trapping()) {
                    Effect::Nothing => Ok(()),
                    Effect::End(reason) => Err(reason),
                    Effect::Tell(signal) => tell(actor, signal, ctx).await,
                }
            }
            Todo::Order(Order::Down { monitor, down }) => {
                tell(actor, Signal::Down { monitor, down }, ctx).await
            }
            Todo::Order(Order::Suspend) => suspend(ctx, true),
            Todo::Order(Order::Resume) => suspend(ctx, false),
            Todo::Order(Order::Look(Look(look))) => {
                look(actor.debug_state());
                Ok(())
            }
            Todo::Die => return Ending::Killed,
        };
        if let Err(reason) = done {
            return Ending::Orderly(reason);
        }
    }
}

async fn tell<A: Actor>(actor: &mut A, signal: Signal, ctx: &mut Context<A>) -> Result<(), ExitReason> {
    ctx.interrupt_idle();
    actor.signal(signal, ctx).await
}

fn suspend<A: Actor>(ctx: &Context<A>, suspended: bool) -> Result<(), ExitReason> {
    ctx.attachment().process().condition.suspend(suspended);
    Ok(())
}
