//! Backoff: a child that keeps failing is restarted after a delay, which is longer each time.
//! Messages that are sent to it meanwhile wait for the next incarnation.
//!
//! ```text
//! cargo run --release --example backoff
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{Backoff, ChildState, ReportKind, SupervisorReport};

/// A server that refuses a number of connections before it accepts one.
struct Server {
    tries_left: AtomicU32,
}

impl Server {
    fn connect(&self) -> Result<(), String> {
        let tries = self.tries_left.load(Ordering::Relaxed);
        self.tries_left.store(tries.saturating_sub(1), Ordering::Relaxed);
        if tries == 0 { Ok(()) } else { Err("connection refused".to_owned()) }
    }
}

/// Sends lines to the server. It has no code for retries: it fails, and its supervisor restarts it.
struct Uplink {
    sent: Vec<&'static str>,
}

enum Msg {
    Send(&'static str),
    Sent(Reply<Vec<&'static str>>),
    /// The connection breaks.
    Break,
}

impl Actor for Uplink {
    type Msg = Msg;
    type Args = Arc<Server>;

    async fn init(server: &Arc<Server>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        server.connect().map_err(ExitReason::failed)?;
        Ok(Self { sent: Vec::new() })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Send(line) => self.sent.push(line),
            Msg::Sent(reply) => reply.send(self.sent.clone()),
            Msg::Break => return Err(ExitReason::failed("connection lost")),
        }
        Ok(())
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let server = Arc::new(Server { tries_left: AtomicU32::new(0) });
    // Delays of 10, 20, 40, 80, 160, 160 ... ms, each up to 20 % longer. A seed makes them
    // repeatable.
    let backoff = Backoff::new(ms(10), ms(160)).jitter(0.2).seed(7);
    let uplink = Child::new::<Uplink>("uplink", server.clone()).backoff(backoff);
    let address = uplink.address();
    let app =
        Supervisor::new("app").intensity(20, Duration::from_secs(60)).child(uplink).start(&system).await?;
    let mut reports = system.subscribe::<SupervisorReport>();

    // The connection breaks, and the server is down for a while.
    server.tries_left.store(5, Ordering::Relaxed);
    address.cast(Msg::Break)?;
    let mut delays = Vec::new();
    while let Some(report) = reports.next().await {
        match report.kind {
            ReportKind::Restarting { reason, restarts_left, delay } => {
                print_line!(
                    "{}: {reason}; tried again in {delay:?}, {restarts_left} more tolerated",
                    report.path
                );
                if delays.is_empty() {
                    // No incarnation runs. A sender need not know.
                    assert_eq!(
                        app.tree().at(["uplink"]).map(|child| child.state),
                        Some(ChildState::Restarting)
                    );
                    address.cast(Msg::Send("one"))?;
                    address.cast(Msg::Send("two"))?;
                }
                delays.push(delay);
            }
            ReportKind::Started => break,
            _ => {}
        }
    }
    for (delay, first) in delays.iter().zip([10, 20, 40, 80, 160, 160]) {
        assert!((ms(first)..=ms(first).mul_f64(1.2)).contains(delay), "{delay:?} for {first} ms");
    }
    assert_eq!(delays.len(), 6, "the crash, and five starts that failed");
    let sent = address.call(Msg::Sent).await?;
    print_line!("sent after that: {sent:?}");
    assert_eq!(sent, ["one", "two"]);

    // A request ends the delay: the child is stopped, and then started at once.
    address.cast(Msg::Break)?;
    while !matches!(reports.next().await.map(|report| report.kind), Some(ReportKind::Restarting { .. })) {}
    app.supervisor().terminate_child("uplink").await?;
    assert!(address.cast(Msg::Send("three")).is_err(), "it is stopped");
    app.supervisor().restart_child("uplink").await?;
    address.cast(Msg::Send("four"))?;
    assert_eq!(address.call(Msg::Sent).await?, ["four"]);
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
