//! Escalation: a supervisor that exceeds its restart intensity gives up, and its own supervisor
//! restarts it. Addresses and names of workers below stay valid, until the root gives up as well.
//!
//! ```text
//! cargo run --release --example escalation
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{ReportKind, SupervisionStats, SupervisorReport};

const WORKER: Name<Msg> = Name::new("worker");

struct Worker;

enum Msg {
    Crash,
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    let worker = Child::new::<Worker>("worker", ()).named(WORKER);
    let address = worker.address();
    // Each supervisor tolerates one restart. "pool" gives up at the second crash, and "app" gives
    // up when "pool" has done so twice.
    let pool = Supervisor::new("pool").intensity(1, Duration::from_secs(60)).child(worker);
    let app = Supervisor::new("app").intensity(1, Duration::from_secs(60)).child(pool).start(&system).await?;

    // Two crashes and a call are queued at once. The pool ends at the second crash. The call waits
    // in the mailbox, and the worker of the next pool answers it.
    let pool = app.tree().at(["pool"]).and_then(|pool| pool.pid).ok_or("the pool runs")?;
    address.cast(Msg::Crash)?;
    address.cast(Msg::Crash)?;
    let incarnation = address.call(Msg::Incarnation).await?;
    assert_eq!(incarnation, 3);
    let next = app.tree().at(["pool"]).and_then(|pool| pool.pid).ok_or("the pool runs again")?;
    print_line!(
        "the pool {pool} gave up and runs again as {next}; its worker answers as incarnation {incarnation}"
    );
    assert_ne!(pool, next);
    assert_eq!(pool.identity(), next.identity(), "another incarnation of the same supervisor");
    let found = system.whereis(WORKER)?;
    assert_eq!(found.call(Msg::Incarnation).await?, 3, "the name leads there as well");

    // After two more crashes the root ends, and nothing is restarted.
    found.cast(Msg::Crash)?;
    found.cast(Msg::Crash)?;
    let reason = app.join().await;
    print_line!("the tree ended: {reason}");
    assert_eq!(reason.to_string(), "shutdown: reached the maximum restart intensity");
    assert!(address.cast(Msg::Crash).is_err(), "the worker has ended for good");
    assert!(system.whereis(WORKER).is_err(), "and its name is free");

    let mut gave_up = Vec::new();
    while let Some(report) = reports.try_next() {
        if let ReportKind::GaveUp { child } = report.kind {
            gave_up.push(format!("{} over {child}", report.path));
        }
    }
    print_line!("gave up: {}", gave_up.join(", "));
    assert_eq!(gave_up, ["app/pool over worker", "app/pool over worker", "app over pool"]);
    assert_eq!(SupervisionStats::of(&system).escalations, 3);
    assert!(system.counters().is_balanced(), "every message is accounted for");
    Ok(())
}
