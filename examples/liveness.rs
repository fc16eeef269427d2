//! Liveness: a child that hangs is detected, ended and restarted, even if its code never awaits.
//!
//! ```text
//! cargo run --release --example liveness
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{Probe, ReportKind, Subscription, SupervisionStats, SupervisorReport, UnstoppedChild};

/// Hangs in one of three ways, depending on the message.
#[derive(Default)]
struct Worker {
    forgotten: Vec<Reply<()>>,
    forgets: bool,
}

enum Msg {
    Which(Reply<u32>),
    Ping(Reply<()>),
    /// Awaits a future that never resolves.
    Wait,
    /// Keeps a thread busy while the flag is set.
    Spin(Arc<AtomicBool>),
    /// Handles every message from now on, but answers no ping.
    Forget,
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Which(reply) => reply.send(ctx.pid().incarnation()),
            Msg::Ping(reply) if self.forgets => self.forgotten.push(reply),
            Msg::Ping(reply) => reply.send(()),
            Msg::Wait => std::future::pending().await,
            Msg::Spin(on) => {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
            Msg::Forget => self.forgets = true,
        }
        Ok(())
    }
}

/// Prints the reports about a child until it is restarted. Returns their number.
async fn show(reports: &mut Subscription<SupervisorReport>, path: &str) -> usize {
    let mut count = 0;
    while let Some(report) = reports.next().await {
        if *report.path != *path {
            continue;
        }
        count += 1;
        print_line!("{}: {:?}", report.path, report.kind);
        if matches!(report.kind, ReportKind::Started) {
            break;
        }
    }
    count
}

/// Two threads, because an actor that never awaits keeps one of them.
#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let deadline = Duration::from_millis(200);
    let watched = |id| {
        Child::new::<Worker>(id, ())
            .shutdown(Shutdown::Timeout(deadline))
            .handler_deadline(deadline)
            .probe(Probe::new(Msg::Ping).period(deadline).timeout(deadline).failure_threshold(3))
    };
    let children = [watched("waits"), watched("spins"), watched("forgets")];
    let [waits, spins, forgets] = [0, 1, 2].map(|n| children[n].address());
    let tree = Supervisor::new("app").intensity(5, Duration::from_secs(60)).abandon_after(deadline);
    let app = tree.children(children).start(&system).await?;
    let mut reports = system.subscribe::<SupervisorReport>();

    // A handler that awaits for ever ignores the stop, and is killed at its await.
    waits.cast(Msg::Wait)?;
    assert_eq!(
        show(&mut reports, "app/waits").await,
        5,
        "unresponsive, killed, terminated, restarting, started"
    );
    assert_eq!(waits.call(Msg::Which).await?, 2, "the same address");

    // A handler that never awaits cannot be killed. It is abandoned, and the next incarnation takes
    // over its mailbox with all waiting messages.
    let on = Arc::new(AtomicBool::new(true));
    spins.cast(Msg::Spin(on.clone()))?;
    let asked = spins.clone();
    let waiting = tokio::spawn(async move { asked.call(Msg::Which).no_timeout().await });
    assert_eq!(show(&mut reports, "app/spins").await, 6, "it was abandoned");
    assert_eq!(waiting.await??, 2, "the call that waited is answered");
    assert_eq!(SupervisionStats::of(&system).abandoned, 1);

    // No handler takes long, but the actor does nothing useful. Only a probe detects that.
    forgets.cast(Msg::Forget)?;
    assert_eq!(show(&mut reports, "app/forgets").await, 4, "it stops when it is told to");
    assert_eq!(forgets.call(Msg::Which).await?, 2);

    on.store(false, Ordering::Relaxed);
    let report = app.shutdown().await;
    assert!(
        matches!(&report.unstopped[..], [UnstoppedChild { abandoned: true, .. }]),
        "it may have spun still"
    );
    Ok(())
}
