//! Strategies: of three children the middle one crashes. The strategy of the supervisor decides
//! which others are restarted with it.
//!
//! ```text
//! cargo run --release --example strategies
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;

struct Worker;

enum Msg {
    Crash,
    /// Returns the number of the incarnation that answers. The first is 1.
    Incarnation(Reply<u32>),
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => Err(ExitReason::failed("on purpose")),
            Msg::Incarnation(reply) => {
                reply.send(ctx.pid().incarnation());
                Ok(())
            }
        }
    }
}

/// Crashes the middle one of three children. Returns the number of the incarnation of each.
async fn crash_the_middle(strategy: Strategy) -> Result<[u32; 3], Box<dyn Error>> {
    let system = System::new();
    let [first, middle, last] = ["first", "middle", "last"].map(|id| Child::new::<Worker>(id, ()));
    let (before, crashing, after) = (first.address(), middle.address(), last.address());
    let app =
        Supervisor::new("app").strategy(strategy).children([first, middle, last]).start(&system).await?;

    crashing.cast(Msg::Crash)?;
    // The middle child answers when it is restarted. By then every child that stops with it has
    // stopped, and the first has been restarted. The last answers when it is restarted.
    let middle = crashing.call(Msg::Incarnation).await?;
    let incarnations = [before.call(Msg::Incarnation).await?, middle, after.call(Msg::Incarnation).await?];
    assert!(app.shutdown().await.is_clean());
    Ok(incarnations)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    print_line!(
        "{:<12} {:>6} {:>6} {:>6}   incarnations after the middle one crashed",
        "",
        "first",
        "middle",
        "last"
    );
    for (name, strategy, expected) in [
        // The children are independent.
        ("one_for_one", Strategy::OneForOne, [1, 2, 1]),
        // Each child needs all others.
        ("one_for_all", Strategy::OneForAll, [2, 2, 2]),
        // Each child needs those before it.
        ("rest_for_one", Strategy::RestForOne, [1, 2, 2]),
    ] {
        let incarnations = crash_the_middle(strategy).await?;
        let [first, middle, last] = incarnations;
        print_line!("{name:<12} {first:>6} {middle:>6} {last:>6}");
        assert_eq!(incarnations, expected);
    }
    Ok(())
}
