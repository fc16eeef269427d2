//! The actor of these tests.

use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, Reply};

/// What an actor does.
pub(crate) enum Msg {
    Fail,
    Panic,
    Stop,
    Sleep(Duration),
    Ping(Reply<()>),
}

/// An actor whose init may fail.
pub(crate) struct Unit;

impl Actor for Unit {
    type Msg = Msg;
    /// Whether it starts.
    type Args = bool;

    async fn init(starts: &bool, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        if *starts { Ok(Self) } else { Err("on purpose".into()) }
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => return Err("on purpose".into()),
            Msg::Panic => std::panic::resume_unwind(Box::new("on purpose")),
            Msg::Stop => ctx.stop(ExitReason::Normal),
            Msg::Sleep(time) => tokio::time::sleep(time).await,
            Msg::Ping(reply) => reply.send(()),
        }
        Ok(())
    }
}
