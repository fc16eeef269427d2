//! ractor's `output_port`: a publisher, and ten subscribers that convert what it publishes.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;

use perennial::prelude::*;
use perennial::{Registry, SlowSubscriberPolicy, Topic};

const OUTPUT: Topic<String> = Topic::new("output");

struct Publisher;

impl Actor for Publisher {
    type Msg = String;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, text: String, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        print_line!("publishing {text}");
        Registry::of(ctx.system()).topic(OUTPUT).publish(&format!("published: {text}"));
        Ok(())
    }
}

enum Msg {
    Published(String),
    Count(Reply<usize>),
}

struct Subscriber(usize);

impl Actor for Subscriber {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let output = Registry::of(ctx.system()).topic(OUTPUT);
        output.subscribe_with(&ctx.address(), SlowSubscriberPolicy::Skip, |text: &String| {
            Some(Msg::Published(text.clone()))
        });
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Published(text) => {
                print_line!("{} has received {text:?}", ctx.pid());
                self.0 += 1;
            }
            Msg::Count(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let publisher = system.spawn::<Publisher>(()).await?;
    let mut subscribers = Vec::new();
    for _ in 0..10 {
        subscribers.push(system.spawn::<Subscriber>(()).await?);
    }
    for number in 0..3 {
        publisher.cast(format!("something {number}"))?;
    }
    // No message waits and no handler runs any more: everything has arrived.
    system.settled().await;
    for subscriber in subscribers {
        assert_eq!(subscriber.call(Msg::Count).await?, 3);
    }
    assert!(system.shutdown(std::time::Duration::from_secs(1)).await?.is_clean());
    Ok(())
}
