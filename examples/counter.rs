//! A counter: messages, answers, and a restart in between that leaves the address valid.
//!
//! ```text
//! cargo run --release --example counter
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;

enum Msg {
    Add(u64),
    Get(Reply<u64>),
    /// Divides. A division by zero crashes the counter.
    Divide(u64),
}

struct Counter {
    total: u64,
}

impl Actor for Counter {
    type Msg = Msg;
    type Args = u64;

    /// Every incarnation starts from the same arguments. A crash loses the later counts.
    async fn init(start: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { total: *start })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(n) => self.total += n,
            Msg::Get(reply) => reply.send(self.total),
            Msg::Divide(by) => {
                self.total =
                    self.total.checked_div(by).ok_or_else(|| ExitReason::failed("a division by zero"))?;
            }
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let counter = Child::new::<Counter>("counter", 10);
    // The address is available before the start, and is valid for every incarnation.
    let address = counter.address();
    let app = Supervisor::new("app").child(counter).start(&system).await?;

    address.cast(Msg::Add(32))?;
    let total = address.call(Msg::Get).await?;
    print_line!("counted to {total}");
    assert_eq!(total, 42);

    // The message that crashes the counter is lost. Those behind it wait for the next incarnation.
    let before = address.pid();
    address.cast(Msg::Divide(0))?;
    address.cast(Msg::Add(1))?;
    let total = address.call(Msg::Get).await?;
    print_line!("after a crash, counted to {total} from the start");
    assert_eq!(total, 11);
    assert_ne!(address.pid(), before, "another incarnation answers at the same address");

    assert!(app.shutdown().await.is_clean());
    assert!(address.cast(Msg::Add(1)).is_err(), "the counter has ended for good");
    assert!(system.counters().is_balanced(), "every message is accounted for");
    Ok(())
}
