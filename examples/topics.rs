//! Topics: what one says reaches all who have asked for it, a slow one holds nobody up, and a restart costs no subscription.
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

/// Keeps what it has seen since its last crash.
struct Ticker(Vec<u64>);

impl Actor for Ticker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // To subscribe in every init is to subscribe once.
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

    // Nobody gets to run in between: the small mailbox takes two of three, and whoever publishes is told.
    let skipped: usize = (1..=3).map(|price| prices.publish(&Price(price)).skipped).sum();
    print_line!("{skipped} was skipped");
    assert_eq!(skipped, 1);
    assert_eq!((slow.call(Msg::Seen).await?, fast.call(Msg::Seen).await?), (vec![1, 2], vec![1, 2, 3]));

    // What is said during a restart waits for the next incarnation, once.
    fast.cast(Msg::Crash)?;
    let told = prices.publish(&Price(4));
    assert_eq!((told.delivered, told.removed), (2, 0));
    let seen = fast.call(Msg::Seen).await?;
    print_line!("after its restart it has seen {seen:?}");
    assert_eq!(seen, [4]);

    assert!(app.shutdown().await.is_clean());
    // The subscriptions went with their actors.
    let told = prices.publish(&Price(5));
    assert_eq!((told.delivered, told.removed, prices.subscribers().len()), (0, 0, 0));
    Ok(())
}
