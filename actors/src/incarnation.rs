//! The life of one incarnation, from its init to its end.

use std::pin::pin;
use std::sync::Arc;

use crate::actor::{Actor, Context};
use crate::exit::ExitReason;
use crate::guard::{Guard, Outcome};
use crate::process::{Attachment, Step};
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
            ctx.attachment().started();
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
    let init = pin!(A::init(args, ctx));
    match guard.start(&system, init).await {
        Outcome::Returned(result) => result,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => Err(reason),
        Outcome::Killed => Err(ExitReason::Killed),
    }
}

async fn serve_and_terminate<A: Actor>(
    guard: &Guard<A::Msg>,
    mut actor: A,
    ctx: &mut Context<A>,
) -> ExitReason {
    let system = ctx.system().clone();
    let ending = {
        let serving = pin!(serve(&mut actor, ctx));
        match guard.run(&system, serving).await {
            Outcome::Returned(ending) => ending,
            Outcome::Panicked(reason) | Outcome::Stopped(reason) => Ending::Orderly(reason),
            Outcome::Killed => Ending::Killed,
        }
    };
    let reason = match ending {
        Ending::Killed => ExitReason::Killed,
        Ending::Orderly(reason) => terminate(guard, &mut actor, reason, ctx).await,
    };
    // Replies that the actor kept are dropped with it. Their callers are told why it ended, not that it dropped them.
    ctx.attachment().begin_end();
    drop(actor);
    reason
}

async fn terminate<A: Actor>(
    guard: &Guard<A::Msg>,
    actor: &mut A,
    reason: ExitReason,
    ctx: &mut Context<A>,
) -> ExitReason {
    let system = ctx.system().clone();
    let outcome = {
        let terminating = pin!(actor.terminate(&reason, ctx));
        guard.run(&system, terminating).await
    };
    match outcome {
        Outcome::Returned(()) => reason,
        Outcome::Panicked(reason) | Outcome::Stopped(reason) => reason,
        Outcome::Killed => ExitReason::Killed,
    }
}

/// Acts on one thing after the other until one of them is the last.
async fn serve<A: Actor>(actor: &mut A, ctx: &mut Context<A>) -> Ending {
    loop {
        if let Some(reason) = ctx.stopping() {
            return Ending::Orderly(reason.clone());
        }
        match std::future::poll_fn(|cx| ctx.attachment().poll_next(cx)).await {
            Step::Message(message) => {
                if let Err(reason) = actor.handle(message, ctx).await {
                    return Ending::Orderly(reason);
                }
            }
            Step::Signal(Signal::Exit(reason)) => return Ending::Orderly(reason),
            Step::Killed | Step::Detached => return Ending::Killed,
        }
    }
}
