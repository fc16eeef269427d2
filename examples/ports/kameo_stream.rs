//! kameo's `stream`: an actor counts the items of two streams. One is slow.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use perennial::prelude::*;

enum Msg {
    Started(&'static str),
    Next(i64),
    Finished(&'static str),
}

struct Counter {
    count: i64,
    open: u32,
}

impl Actor for Counter {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let slow = stream::repeat(1).take(5).then(|item| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            item
        });
        ctx.continue_with(Msg::Started("the slow stream"));
        ctx.attach_with_end(slow, Msg::Next, Msg::Finished("the slow stream"));
        ctx.continue_with(Msg::Started("the fast stream"));
        let fast = stream::repeat(1).take(5);
        ctx.attach_with_end(fast, Msg::Next, Msg::Finished("the fast stream"));
        Ok(Self { count: 0, open: 2 })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Started(name) => print_line!("{name} has started"),
            Msg::Next(amount) => {
                self.count += amount;
                print_line!("the count is {}", self.count);
            }
            Msg::Finished(name) => {
                print_line!("{name} has finished");
                self.open -= 1;
                if self.open == 0 {
                    assert_eq!(self.count, 10);
                    ctx.stop(ExitReason::Normal);
                }
            }
        }
        Ok(())
    }
}

// Paused time jumps to the next timer, so the seconds pass at once.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let counter = System::new().spawn::<Counter>(()).await?;
    assert_eq!(counter.monitor().await.reason, ExitReason::Normal);
    Ok(())
}
