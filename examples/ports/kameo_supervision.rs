//! kameo's `supervision`: two linked actors that restart together, until one has crashed too often.

#[macro_use]
#[path = "../support/output.rs"]
mod output;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use perennial::Signal;
use perennial::prelude::*;

static STARTS: AtomicU32 = AtomicU32::new(0);
static BROKEN_LINKS: AtomicU32 = AtomicU32::new(0);

enum Msg {
    Inc(i64),
    ForceErr,
}

struct Worker(i64);

impl Actor for Worker {
    type Msg = Msg;
    /// Its brother, to which each incarnation links itself.
    type Args = Address<()>;

    async fn init(brother: &Address<()>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        print_line!("the worker has started");
        STARTS.fetch_add(1, Relaxed);
        ctx.link(&brother.handle())?;
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Inc(amount) => self.0 += amount,
            Msg::ForceErr => return Err("error 3".into()),
        }
        print_line!("the count is {}", self.0);
        Ok(())
    }
}

struct Brother;

impl Actor for Brother {
    type Msg = ();
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        print_line!("the brother has started");
        // The end of a linked actor becomes a signal, and does not end this one.
        ctx.trap_exits(true);
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        if let Signal::Exit { reason, .. } = signal {
            print_line!("the brother's link has ended: {reason}");
            BROKEN_LINKS.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let brother = Child::new::<Brother>("brother", ());
    let worker = Child::new::<Worker>("worker", brother.address());
    let address = worker.address();
    let supervisor = Supervisor::new("app")
        .strategy(Strategy::OneForAll)
        .intensity(2, Duration::from_secs(5))
        .child(brother)
        .child(worker);
    let app = supervisor.start(&System::new()).await?;

    address.cast(Msg::Inc(10))?;
    // One crash a second. The third one is too many, and then nothing takes messages any more.
    while address.cast(Msg::ForceErr).is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    print_line!("the supervisor has given up: {}", app.join().await);
    assert_eq!((STARTS.load(Relaxed), BROKEN_LINKS.load(Relaxed)), (3, 3));
    Ok(())
}
