//! Names: valid through restarts, handed over to another actor without a gap, and waited for before
//! they are registered.
//!
//! ```text
//! cargo run --release --example names
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{Backoff, LookupError, Registry};

const LEDGER: Name<Msg> = Name::new("ledger");

enum Msg {
    Crash,
    Edition(Reply<&'static str>),
}

struct Ledger(&'static str);

impl Actor for Ledger {
    type Msg = Msg;
    type Args = &'static str;

    async fn init(edition: &&'static str, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(edition))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("a blot")),
            Msg::Edition(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();

    // A task waits for a name that is not registered yet.
    let early = tokio::spawn({
        let system = system.clone();
        async move { system.wait_for(LEDGER, Duration::from_secs(5)).await }
    });
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
    let old = Child::new::<Ledger>("old", "the old ledger").named(LEDGER).backoff(backoff);
    let new = Child::new::<Ledger>("new", "the new ledger");
    let (old_address, new_address) = (old.address(), new.address());
    let app = Supervisor::new("app").child(old).child(new).start(&system).await?;
    assert_eq!(early.await??, old_address);

    // During a restart the name leads to the same mailbox, where messages wait.
    system.cast_to(LEDGER, Msg::Crash)?;
    let retry = loop {
        match system.whereis_alive(LEDGER) {
            Err(LookupError::Restarting { retry_in: Some(time), .. }) => break time,
            _ => tokio::task::yield_now().await,
        }
    };
    print_line!("being restarted, due in {retry:?}; a call waits for that");
    assert_eq!(system.call_to(LEDGER, Msg::Edition).await?, "the old ledger");

    // While it is handed over, the name always leads to one of the two.
    Registry::of(&system).hand_over(LEDGER, &old_address, &new_address)?;
    let edition = system.call_to(LEDGER, Msg::Edition).await?;
    print_line!("handed over to {edition}");
    assert_eq!(edition, "the new ledger");

    // A lookup with another message type is an error. After the shutdown the name is free.
    let wrong: Name<u64> = Name::new("ledger");
    assert!(matches!(system.whereis(&wrong), Err(LookupError::WrongType { .. })));
    assert!(app.shutdown().await.is_clean());
    assert!(matches!(system.whereis(LEDGER), Err(LookupError::NotFound(_))));
    Ok(())
}
