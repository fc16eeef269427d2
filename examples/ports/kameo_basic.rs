//! kameo's `basic`: a counter that is asked, told and crashed.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;

enum Msg {
    /// Adds, and answers with the new count if that is asked for.
    Inc(i64, Option<Reply<i64>>),
    ForceErr,
}

struct Counter(i64);

impl Actor for Counter {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Inc(amount, reply) => {
                self.0 += amount;
                if let Some(reply) = reply {
                    reply.send(self.0);
                }
            }
            Msg::ForceErr => return Err("error 3".into()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let counter = System::new().spawn::<Counter>(()).await?;
    assert_eq!(counter.call(|reply| Msg::Inc(3, Some(reply))).await?, 3);
    counter.send(Msg::Inc(50, None)).await?;
    let count = counter.call(|reply| Msg::Inc(2, Some(reply))).await?;
    print_line!("the count is {count}");
    assert_eq!(count, 55);

    counter.cast(Msg::ForceErr)?;
    let error = counter.call(|reply| Msg::Inc(2, Some(reply))).await.expect_err("it has ended");
    print_line!("after the error: {error}");
    Ok(())
}
