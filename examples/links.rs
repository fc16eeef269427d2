//! Links: two linked actors end together. An actor that traps exits gets a signal instead.
//!
//! ```text
//! cargo run --release --example links
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;

use perennial::{Actor, ActorHandle, Address, Context, ExitReason, Reply, Signal, System};

/// One half of a connection. It lives as long as the other half does.
struct Half;

enum Msg {
    /// Link to the other half.
    Pair(ActorHandle, Reply<()>),
    Fail,
}

impl Actor for Half {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Pair(other, done) => {
                ctx.link(&other)?;
                done.send(());
                Ok(())
            }
            Msg::Fail => Err(ExitReason::failed("the line is dead")),
        }
    }
}

/// Starts halves that are linked to it, and outlives them because it traps exits.
struct Switchboard {
    lost: Vec<ExitReason>,
}

enum Ask {
    Open(Reply<Address<Msg>>),
    Lost(Reply<Vec<ExitReason>>),
}

impl Actor for Switchboard {
    type Msg = Ask;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(true);
        Ok(Self { lost: Vec::new() })
    }

    async fn handle(&mut self, msg: Ask, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            // The link exists before the half runs, so the switchboard gets a signal however soon
            // it ends.
            Ask::Open(reply) => reply.send(ctx.system().spawn::<Half>(()).linked_to(ctx).await?),
            Ask::Lost(reply) => reply.send(self.lost.clone()),
        }
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Exit { reason, .. } = signal {
            self.lost.push(reason);
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();

    // Linked actors end together, with the same reason.
    let left = system.spawn::<Half>(()).await?;
    let right = system.spawn::<Half>(()).await?;
    left.call(|done| Msg::Pair(right.handle(), done)).await?;
    assert_eq!(left.handle().info().links, [right.pid().ok_or("it lives")?]);
    let (left_down, right_down) = (left.monitor(), right.monitor());
    right.cast(Msg::Fail)?;
    let (left_down, right_down) = (left_down.await, right_down.await);
    print_line!("left ended: {}; right ended: {}", left_down.reason, right_down.reason);
    assert_eq!(left_down.reason.to_string(), right_down.reason.to_string());

    // An actor that traps exits gets a signal, and continues.
    let switchboard = system.spawn::<Switchboard>(()).await?;
    let half = switchboard.call(Ask::Open).await?;
    let down = half.monitor();
    half.cast(Msg::Fail)?;
    down.await;
    let lost = switchboard.call(Ask::Lost).await?;
    print_line!("the switchboard lost {} line: {}", lost.len(), lost[0]);
    assert_eq!(lost.len(), 1);

    // When the switchboard ends, its children end with it.
    let half = switchboard.call(Ask::Open).await?;
    let down = half.monitor();
    switchboard.stop(ExitReason::shutdown())?;
    assert!(matches!(down.await.reason, ExitReason::Shutdown(None)));
    Ok(())
}
