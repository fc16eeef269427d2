//! An orderly shutdown and its report. One child stops in time, one is late and is killed, and one
//! blocks its thread, cannot be killed, and is abandoned. The shutdown ends, and names the last
//! two.
//!
//! ```text
//! cargo run --release --example shutdown_report
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use perennial::prelude::*;
use perennial::{ReportKind, SupervisionStats, SupervisorReport};

struct Worker {
    cleanup_time: Duration,
}

enum Msg {
    /// Reports that it has begun, and then blocks its thread until the channel is closed. An actor
    /// should not do that.
    Block(Reply<()>, mpsc::Receiver<()>),
}

impl Actor for Worker {
    type Msg = Msg;
    /// The time that its `terminate` takes.
    type Args = Duration;

    async fn init(cleanup_time: &Duration, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { cleanup_time: *cleanup_time })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        let Msg::Block(begun, until) = msg;
        begun.send(());
        // An error means that the channel is closed.
        let _ = until.recv();
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        tokio::time::sleep(self.cleanup_time).await;
    }
}

fn worker(id: &str, cleanup_time: Duration) -> Child<Msg> {
    Child::new::<Worker>(id, cleanup_time).shutdown(Shutdown::Timeout(Duration::from_millis(100)))
}

// Two threads, because one of them is blocked.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let mut reports = system.subscribe::<SupervisorReport>();
    let stuck = worker("stuck", Duration::ZERO);
    let stuck_address = stuck.address();
    let app = Supervisor::new("app")
        .abandon_after(Duration::from_millis(100))
        .child(worker("prompt", Duration::from_millis(10)))
        .child(
            Supervisor::new("pool")
                .child(worker("late", Duration::from_secs(3600)))
                // A child that is killed at once runs no `terminate`, and is never late.
                .child(worker("brutal", Duration::from_secs(3600)).shutdown(Shutdown::BrutalKill)),
        )
        .child(stuck)
        .start(&system)
        .await?;
    let (release, until) = mpsc::channel();
    stuck_address.call(|begun| Msg::Block(begun, until)).await?;

    let began = Instant::now();
    let report = app.shutdown().await;
    print_line!("shut down in {} ms: {}", began.elapsed().as_millis(), report.reason);
    assert!(!report.is_clean());
    for child in &report.unstopped {
        let what = if child.abandoned {
            "did not end when killed, and was abandoned"
        } else {
            "was late, and killed"
        };
        print_line!("{} {what}", child.path);
    }
    let mut unstopped: Vec<_> =
        report.unstopped.iter().map(|child| (&*child.path, child.abandoned)).collect();
    unstopped.sort_unstable();
    assert_eq!(unstopped, [("app/pool/late", false), ("app/stuck", true)]);
    assert_eq!(SupervisionStats::of(&system).abandoned, 1);

    // The reports say the same as it happens.
    let mut lines = Vec::new();
    while let Some(report) = reports.try_next() {
        match report.kind {
            ReportKind::Killed => lines.push(format!("{} killed", report.path)),
            ReportKind::Abandoned => lines.push(format!("{} abandoned", report.path)),
            _ => {}
        }
    }
    assert_eq!(lines, ["app/stuck killed", "app/stuck abandoned", "app/pool/late killed"]);

    // Releases the blocked thread. The runtime would wait for it for ever.
    drop(release);
    Ok(())
}
