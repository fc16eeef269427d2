//! What hostile clients cost: a thousand that do not read, and ten thousand connections, from
//! another process. It prints the memory of the console, and the latency of a call beside it,
//! without them and with them, in turns. The exit code is 1 if one of the bounds does not hold.
//!
//! ```text
//! cargo run --release --package perennial-console --example hostile
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Child as Process, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_console::Console;
use perennial_supervision::{Child, Supervisor};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const SLOW_READERS: usize = 1000;
const CONNECTIONS: usize = 10_000;

/// The time of each turn, and the number of turns without clients and with them.
const TURN: Duration = Duration::from_secs(4);
const TURNS: usize = 4;

/// The bounds: of the memory in MiB, and of the median latency of a call, by that without clients.
const MEMORY: f64 = 64.0;
const LATENCY: f64 = 1.5;

/// Answers calls, and crashes when it is told to.
struct Echo;

impl Actor for Echo {
    type Msg = Option<Reply<()>>;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, reply: Option<Reply<()>>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.ok_or("told to crash")?.send(());
        Ok(())
    }
}

/// Calls for the time of a turn, with a crash now and then, so that streams have events. Returns
/// the median and the 99th percentile in microseconds.
async fn measure(echo: &Address<Option<Reply<()>>>) -> Result<(f64, f64), Box<dyn Error>> {
    let (begin, mut latencies) = (Instant::now(), Vec::new());
    let mut next_crash = begin;
    while begin.elapsed() < TURN {
        if Instant::now() >= next_crash {
            echo.cast(None)?;
            echo.call(Some).await?;
            next_crash = Instant::now() + Duration::from_millis(20);
        }
        let asked = Instant::now();
        echo.call(Some).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
        sleep(Duration::from_micros(200)).await;
    }
    latencies.sort_by(f64::total_cmp);
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

/// Returns the resident memory of this process in MiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// The process with the clients, which ends with this value.
struct Clients(Process);

impl Clients {
    fn start(address: SocketAddr) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.args(["clients", &address.to_string()]).stdout(Stdio::inherit()).spawn()?))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects as often as it can, and as many again as are dropped.
async fn attack(address: SocketAddr) {
    let all = Rlimit { current: getrlimit(Resource::Nofile).maximum, ..getrlimit(Resource::Nofile) };
    let _ = setrlimit(Resource::Nofile, all);
    let mut clients = JoinSet::new();
    for number in 0..SLOW_READERS + CONNECTIONS {
        clients.spawn(async move {
            loop {
                let _ = hold(address, number < SLOW_READERS).await;
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    while clients.join_next().await.is_some() {}
}

/// Holds a connection until the server drops it. A slow reader asks for the events and reads none.
async fn hold(address: SocketAddr, is_slow: bool) -> io::Result<()> {
    let mut stream = timeout(Duration::from_secs(10), TcpStream::connect(address)).await??;
    if is_slow {
        stream.write_all(b"GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        sleep(Duration::from_secs(60)).await;
    }
    let mut byte = [0];
    stream.read(&mut byte).await.map(drop)
}

/// Prints a line; a closed output is no reason to end.
fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let console = Console::at("127.0.0.1:0");
    let url = console.url();
    let echo = Child::new::<Echo>("echo", ());
    let address = echo.address();
    let tree = Supervisor::new("app").intensity(u32::MAX, Duration::from_secs(1)).child(console).child(echo);
    let app = tree.start(&System::new()).await?;
    let server = url.address().ok_or("the console listens")?;
    let before = memory();
    let (mut quiet, mut attacked, mut most) = (Vec::new(), Vec::new(), before);
    for turn in 0..TURNS {
        quiet.push(measure(&address).await?.0);
        let clients = Clients::start(server)?;
        sleep(Duration::from_secs(1)).await;
        let (median, slowest) = measure(&address).await?;
        attacked.push(median);
        most = most.max(memory());
        print(&format!(
            "turn {turn}: call {:.1} us alone, {median:.1} us beside the clients (99%: {slowest:.1} us), {:.1} MiB",
            quiet.last().copied().unwrap_or_default(),
            memory(),
        ));
        drop(clients);
        sleep(Duration::from_secs(1)).await;
    }
    let middle = |latencies: &mut Vec<f64>| {
        latencies.sort_by(f64::total_cmp);
        latencies.get(latencies.len() / 2).copied().unwrap_or_default()
    };
    let ratio = middle(&mut attacked) / middle(&mut quiet);
    print(&format!("latency: {ratio:.2} of that alone, at most {LATENCY}"));
    print(&format!("memory: {:.1} MiB more than before, at most {MEMORY}", most - before));
    let holds = ratio <= LATENCY && most - before <= MEMORY;
    drop(app.shutdown().await);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [role, address] if role == "clients" => {
            attack(address.parse()?).await;
            Ok(ExitCode::SUCCESS)
        }
        _ => run().await,
    }
}
