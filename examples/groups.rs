//! Groups: workers that join in their init, ways to choose a member, and a monitor of the group.
//!
//! ```text
//! cargo run --release --example groups
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::collections::HashSet;
use std::error::Error;

use perennial::prelude::*;
use perennial::{Group, Registry};

const RESIZERS: Group<Msg> = Group::new("resizers");

enum Msg {
    Crash,
    Number(Reply<u64>),
}

struct Resizer;

impl Actor for Resizer {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // Each incarnation joins. The membership of the previous one ended with it.
        Registry::of(ctx.system()).group(RESIZERS).join(&ctx.address())?;
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("too large")),
            Msg::Number(reply) => reply.send(ctx.pid().identity()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let resizers = Registry::of(&system).group(RESIZERS);
    let children = ["a", "b", "c"].map(|id| Child::new::<Resizer>(id, ()));
    let app = Supervisor::new("app").children(children).start(&system).await?;
    assert_eq!(resizers.members().len(), 3);

    // Round robin takes one member after the other. A key always leads to the same member.
    let mut met = HashSet::new();
    for _ in 0..3 {
        let next = resizers.round_robin().ok_or("there are members")?;
        met.insert(next.call(Msg::Number).await?);
    }
    print_line!("round robin met {} of {}", met.len(), resizers.members().len());
    assert_eq!(met.len(), 3);
    assert_eq!(resizers.by_key(&"holiday.jpg"), resizers.by_key(&"holiday.jpg"));
    assert!(resizers.least_queued().is_some());

    // A member that crashes leaves the group, and its next incarnation joins.
    let mut changes = resizers.monitor();
    assert_eq!(changes.members().len(), 3);
    let unlucky = resizers.any().ok_or("there are members")?;
    unlucky.cast(Msg::Crash)?;
    let left = changes.next().await.ok_or("the system is there")?;
    let joined = changes.next().await.ok_or("the system is there")?;
    print_line!("the member has left, and its next incarnation has joined");
    assert!(!left.joined && joined.joined);
    assert!(left.actor == unlucky.handle() && joined.actor == unlucky.handle());

    assert!(app.shutdown().await.is_clean());
    assert!(resizers.members().is_empty());
    Ok(())
}
