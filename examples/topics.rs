//! Topics: a published message reaches all subscribers. A slow subscriber delays no other, and a
//! restart keeps the subscription.
//!
//! ```text
//! cargo run --release --example topics
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;
use perennial::{Registry, SlowSubscriberPolicy, Topic};

#[derive(Clone)]
struct Price(u64);

const PRICES: Topic<Price> = Topic::new("prices");

enum Msg {
    Price(Price),
    Crash,
    Seen(Reply<Vec<u64>>),
}

impl From<Price> for Msg {
    fn from(price: Price) -> Self {
        Self::Price(price)
    }
}

/// Keeps the prices that it has seen since its last crash.
struct Ticker(Vec<u64>);

impl Actor for Ticker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // A subscription belongs to the actor. A later incarnation does not add another one.
        Registry::of(ctx.system()).topic(PRICES).subscribe(&ctx.address(), SlowSubscriberPolicy::Skip);
        Ok(Self(Vec::new()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Price(Price(price)) => self.0.push(price),
            Msg::Crash => return Err(ExitReason::failed("a crash at the exchange")),
            Msg::Seen(reply) => reply.send(self.0.clone()),
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let small = Child::new::<Ticker>("small", ()).mailbox(MailboxConfig::bounded(2));
    let large = Child::new::<Ticker>("large", ());
    let (slow, fast) = (small.address(), large.address());
    let app = Supervisor::new("app").child(small).child(large).start(&system).await?;
    let prices = Registry::of(&system).topic(PRICES);
    assert_eq!(prices.subscribers().len(), 2);

    // No subscriber runs in between, so the small mailbox takes two of three. The report counts the
    // third.
    let skipped: usize = (1..=3).map(|price| prices.publish(&Price(price)).skipped).sum();
    print_line!("{skipped} price was skipped");
    assert_eq!(skipped, 1);
    assert_eq!((slow.call(Msg::Seen).await?, fast.call(Msg::Seen).await?), (vec![1, 2], vec![1, 2, 3]));

    // A message that is published during a restart waits for the next incarnation.
    fast.cast(Msg::Crash)?;
    let told = prices.publish(&Price(4));
    assert_eq!((told.delivered, told.removed), (2, 0));
    let seen = fast.call(Msg::Seen).await?;
    print_line!("after its restart it has seen {seen:?}");
    assert_eq!(seen, [4]);

    assert!(app.shutdown().await.is_clean());
    // The subscriptions ended with their actors.
    let told = prices.publish(&Price(5));
    assert_eq!((told.delivered, told.removed, prices.subscribers().len()), (0, 0, 0));
    Ok(())
}
