//! ractor's `counter`: a named actor that adds, subtracts and answers.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::Registry;
use perennial::prelude::*;

const COUNTER: Name<Msg> = Name::new("counter");

enum Msg {
    Increment(i64),
    Decrement(i64),
    Retrieve(Reply<i64>),
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
            Msg::Increment(amount) => self.0 += amount,
            Msg::Decrement(amount) => self.0 -= amount,
            Msg::Retrieve(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let counter = system.spawn::<Counter>(()).await?;
    Registry::of(&system).bind(COUNTER, &counter)?;
    for round in 1..=4 {
        counter.cast(Msg::Increment(5))?;
        counter.cast(Msg::Increment(10))?;
        counter.cast(Msg::Decrement(5))?;
        let count = system.call_to(COUNTER, Msg::Retrieve).timeout(Duration::from_secs(1)).await?;
        print_line!("the count is {count}");
        assert_eq!(count, round * 10);
    }
    let end = counter.monitor();
    counter.stop(ExitReason::Normal)?;
    assert_eq!(end.await.reason, ExitReason::Normal);
    Ok(())
}
