//! A service under systemd and Kubernetes: it serves probes, tells systemd how it is, and on
//! SIGTERM it first turns traffic away, then drains its queue, and ends in time. The unit file and
//! the pod manifest are in `docs/OPERATIONS.md`.
//!
//! ```text
//! # It starts itself, asks its probes and stops it:
//! cargo run --release --features operations --example service
//! cargo run --release --features operations --example service -- serve 127.0.0.1:8080
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream as Connection;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use perennial::operations::{HealthCheck, ReadinessGate, SdNotify};
use perennial::prelude::*;
use perennial::{RunOutcome, StopSignals};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// The longest request that is read.
const MAX_REQUEST: usize = 8 * 1024;

/// The time that a client has to send it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of the service.
struct Options {
    address: String,
    /// The time between the signal and the stop, in which load balancers see that it is not ready.
    drain: Duration,
    /// The longest time that the stop may take.
    shutdown_timeout: Duration,
}

/// Writes entries to a slow disk.
struct Store;

impl Actor for Store {
    type Msg = u32;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: u32, _: &mut Context<Self>) -> Result<(), ExitReason> {
        sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

async fn serve(options: Options) -> Result<RunOutcome, Box<dyn Error>> {
    let systemd = SdNotify::from_env()?;
    let mut signals = StopSignals::listen()?;
    let listener = Arc::new(TcpListener::bind(&options.address).await?);
    print_line!("listening on {}", listener.local_addr()?);

    let system = System::new();
    let traffic = ReadinessGate::new(&system, "traffic");
    // The first child: it answers while the others start, and until they have stopped.
    let probes = {
        let check = HealthCheck::of_tree(&system, "service");
        Child::task("probes", move |_| answer_probes(listener.clone(), check.clone()))
    };
    let store = Child::new::<Store>("store", ()).shutdown(Shutdown::Drain(Duration::from_secs(10)));
    let to_store = store.address();
    let app = Supervisor::new("service").child(probes).child(store).start(&system).await?;
    let app = app.shutdown_timeout(options.shutdown_timeout);
    for entry in 0..100 {
        to_store.cast(entry)?;
    }
    traffic.set_open(true);

    let turn_traffic_away = async |_| {
        traffic.set_open(false);
        // An error means that systemd does not listen any more.
        let _ = systemd.stopping().await;
        sleep(options.drain).await;
    };
    let limit = options.drain + Duration::from_secs(1);
    let run = app.run_until_signal_with(&mut signals, limit, turn_traffic_away);
    let outcome = systemd.watch_while(&HealthCheck::of(&app), run).await;
    if let RunOutcome::Stopped(_, report) = &outcome {
        print_line!("{report}");
    }
    Ok(outcome)
}

/// Answers one request for each connection, as probes need it.
async fn answer_probes(listener: Arc<TcpListener>, check: HealthCheck) -> Result<(), ExitReason> {
    loop {
        let (connection, _) = listener.accept().await?;
        let check = check.clone();
        tokio::spawn(async move {
            // A client that is gone or too slow gets no answer.
            let _ = timeout(REQUEST_TIMEOUT, answer(connection, &check)).await;
        });
    }
}

async fn answer(mut connection: TcpStream, check: &HealthCheck) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST || connection.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let health = check.check().await;
    let (code, body) = match path {
        "/livez" => (code(health.is_live()), health.to_string()),
        "/readyz" => (code(health.is_ready()), health.to_string()),
        "/startupz" => (code(health.is_started()), health.to_string()),
        _ => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    connection.write_all(format!("{head}{body}").as_bytes()).await?;
    connection.shutdown().await
}

fn code(is_well: bool) -> &'static str {
    if is_well { "200 OK" } else { "503 Service Unavailable" }
}

/// Reads `ADDRESS [--drain SECONDS] [--shutdown-timeout SECONDS]`.
fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let address = args.next().ok_or("an address is missing")?;
    let (drain, shutdown_timeout) = (Duration::ZERO, Duration::from_secs(20));
    let mut options = Options { address, drain, shutdown_timeout };
    while let Some(name) = args.next() {
        let seconds = Duration::from_secs(args.next().ok_or("a number is missing")?.parse()?);
        match name.as_str() {
            "--drain" => options.drain = seconds,
            "--shutdown-timeout" => options.shutdown_timeout = seconds,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// Starts the service as a process of its own, asks its probes, and stops it.
fn show() -> Result<(), Box<dyn Error>> {
    let mut service = Command::new(std::env::current_exe()?)
        .args(["serve", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(service.stdout.take().ok_or("its output is piped")?).lines();
    let first = lines.next().ok_or("it says where it listens")??;
    let address = first.strip_prefix("listening on ").ok_or("it says where it listens")?.to_owned();
    while !get(&address, "/readyz")?.starts_with("HTTP/1.1 200") {}
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = get(&address, path)?;
        print_line!("{path}: {}", answer.lines().next().unwrap_or_default());
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nready"));
    }
    assert!(Command::new("kill").args(["-TERM", &service.id().to_string()]).status()?.success());
    let status = service.wait()?;
    for line in lines {
        print_line!("{}", line?);
    }
    print_line!("it ended with {status}");
    assert!(status.success());
    Ok(())
}

fn get(address: &str, path: &str) -> io::Result<String> {
    let mut connection = Connection::connect(address)?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<RunOutcome, Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("serve") {
        return serve(options(args)?).await;
    }
    show()?;
    Ok(RunOutcome::Completed { reason: ExitReason::Normal, gave_up: false })
}
