//! An actor that runs functions it is sent.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use perennial::prelude::*;

/// A function that an actor runs with its context.
pub(crate) type Action = Box<dyn FnOnce(&mut Context<Worker>) + Send>;

pub(crate) enum Msg {
    Do(Action, Reply<()>),
    Ping(Reply<()>),
    /// Keeps the reply until the next one comes.
    Keep(Reply<()>),
    /// Drops the reply and never returns.
    Hang(Reply<()>),
    Crash,
    /// The message of a timer, a pipe or a topic.
    Nothing,
}

impl From<()> for Msg {
    fn from((): ()) -> Self {
        Self::Nothing
    }
}

#[derive(Default)]
pub(crate) struct Worker {
    kept: Option<Reply<()>>,
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(action, reply) => {
                action(ctx);
                reply.send(());
            }
            Msg::Ping(reply) => reply.send(()),
            Msg::Keep(reply) => self.kept = Some(reply),
            Msg::Hang(reply) => {
                drop(reply);
                std::future::pending::<()>().await;
            }
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Nothing => {}
        }
        Ok(())
    }
}

pub(crate) async fn spawn(system: &System) -> Address<Msg> {
    system.spawn::<Worker>(()).await.expect("it starts")
}

/// Stops an actor, and waits for its end.
pub(crate) async fn end(worker: Address<Msg>) {
    let down = worker.monitor();
    worker.stop(ExitReason::Normal).expect("it lives");
    drop(worker);
    down.await;
}

/// Has an actor run a function with its context.
pub(crate) async fn have(worker: &Address<Msg>, action: impl FnOnce(&mut Context<Worker>) + Send + 'static) {
    worker.call(|reply| Msg::Do(Box::new(action), reply)).no_timeout().await.expect("it answers");
}

pub(crate) async fn ping(worker: &Address<Msg>) {
    worker.call(Msg::Ping).no_timeout().await.expect("it answers");
}

/// Polls a future once. Returns `true` if it is pending.
pub(crate) async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
