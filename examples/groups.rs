//! Groups: workers that join by themselves, ways to choose one of them, and somebody who watches who comes and goes.
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
    Who(Reply<u64>),
}

struct Resizer;

impl Actor for Resizer {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // Each incarnation joins anew; the membership of the one before has gone with it.
        Registry::of(ctx.system()).group(RESIZERS).join(&ctx.address())?;
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("too large")),
            Msg::Who(reply) => reply.send(ctx.pid().identity()),
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

    // One after the other, and always the same for the same key.
    let mut met = HashSet::new();
    for _ in 0..3 {
        let next = resizers.round_robin().ok_or("there are members")?;
        met.insert(next.call(Msg::Who).await?);
    }
    print_line!("round robin met {} of {}", met.len(), resizers.members().len());
    assert_eq!(met.len(), 3);
    assert_eq!(resizers.by_key(&"holiday.jpg"), resizers.by_key(&"holiday.jpg"));
    assert!(resizers.least_queued().is_some());

    // One crashes: it leaves, and its next incarnation joins.
    let mut changes = resizers.monitor();
    assert_eq!(changes.members().len(), 3);
    let unlucky = resizers.any().ok_or("there are members")?;
    unlucky.cast(Msg::Crash)?;
    let left = changes.next().await.ok_or("the system is there")?;
    let joined = changes.next().await.ok_or("the system is there")?;
    print_line!("it left, and joined again");
    assert!(!left.joined && joined.joined);
    assert!(left.actor == unlucky.handle() && joined.actor == unlucky.handle());

    assert!(app.shutdown().await.is_clean());
    assert!(resizers.members().is_empty());
    Ok(())
}
