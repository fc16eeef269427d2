//! Signals: the first one stops the program in order, a second one ends it at once, and the exit
//! status tells which. The same signal again within 500 ms does not count.
//!
//! ```text
//! cargo run --release --example signals           # starts itself twice, and sends signals
//! cargo run --release --example signals -- serve  # serves until Ctrl-C
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{App, RunOutcome, SupervisorHandle};

/// Writes its entries to a slow disk when it stops.
struct Store {
    entries: u32,
    slow: Duration,
}

impl Actor for Store {
    type Msg = u32;
    type Args = Duration;

    async fn init(slow: &Duration, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { entries: 0, slow: *slow })
    }

    async fn handle(&mut self, entry: u32, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.entries += entry;
        Ok(())
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        print_line!("writing {} entries", self.entries);
        tokio::time::sleep(self.slow).await;
        print_line!("written");
    }
}

async fn start(slow: Duration) -> Result<App<SupervisorHandle>, Box<dyn Error>> {
    let store = Child::new::<Store>("store", slow).shutdown(Shutdown::Infinity);
    let address = store.address();
    let app = Supervisor::new("app").child(store).start(&System::new()).await?;
    address.cast(3)?;
    Ok(app)
}

/// The service itself, as the `main` of a program under systemd, Docker or Kubernetes.
async fn serve(slow: Duration) -> Result<RunOutcome, Box<dyn Error>> {
    let app = start(slow).await?;
    let finish = app.run_until_signal();
    tokio::pin!(finish);
    // It listens from its first poll on.
    let early = tokio::time::timeout(Duration::from_millis(1), &mut finish).await;
    print_line!("ready");
    match early {
        Ok(finish) => Ok(finish?),
        Err(_) => Ok(finish.await?),
    }
}

/// Starts the service as a process of its own, and waits until it is ready.
fn service(slow: &str) -> Result<(Process, impl Iterator<Item = String> + use<>), Box<dyn Error>> {
    let mut service =
        Command::new(std::env::current_exe()?).args(["serve", slow]).stdout(Stdio::piped()).spawn()?;
    let output = service.stdout.take().ok_or("its output is piped")?;
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    Ok((service, lines))
}

fn send(signal: &str, process: &Process) -> Result<(), Box<dyn Error>> {
    assert!(Command::new("kill").args([signal, &process.id().to_string()]).status()?.success());
    Ok(())
}

/// Sends signals to services, and checks how they end.
fn show() -> Result<RunOutcome, Box<dyn Error>> {
    let (mut told, lines) = service("10")?;
    send("-TERM", &told)?;
    assert_eq!(lines.collect::<Vec<_>>(), ["writing 3 entries", "written"]);
    let status = told.wait()?;
    print_line!("one signal: it wrote all entries and ended with {status}");
    assert_eq!(status.code(), Some(0));

    let (mut told, mut lines) = service("3600000")?;
    send("-INT", &told)?;
    assert_eq!(lines.next().as_deref(), Some("writing 3 entries"));
    send("-TERM", &told)?;
    let status = told.wait()?;
    print_line!("two signals: it did not wait for the disk and ended with {status}");
    assert_eq!(status.code(), Some(143));
    Ok(RunOutcome::Completed { reason: ExitReason::Normal, gave_up: false })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<RunOutcome, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("serve") => {
            let slow = args.next().map_or(Ok(10), |millis| millis.parse())?;
            serve(Duration::from_millis(slow)).await
        }
        _ => show(),
    }
}
