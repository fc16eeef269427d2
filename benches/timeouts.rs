//! The lateness of call timeouts, under load and idle, beside timers of tokio on the same runtime.
//!
//! ```text
//! cargo bench --bench timeouts
//! ```
//!
//! A row is one load. In it, pairs of a call and a timer of tokio start together with the same
//! timeout. The load and other programs delay both. The difference is what the library adds: at
//! most 30 ms, for the medians and for the maxima. No timeout is early.
//!
//! The last rows measure waiting itself: how often a thread is woken while 1,000 calls wait, and
//! the processor time of letting an hour of paused time pass over them.

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::env;
use std::future::{Future, pending};
use std::hint::spin_loop;
use std::time::{Duration, Instant};

use perennial::{Actor, Address, CallError, Context, ExitReason, Reply, System};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};

/// How much later than a timer of tokio a call may time out.
const ALLOWED: Duration = Duration::from_millis(30);

/// The number of pairs in a row, and the time between their starts. Each pair meets another phase
/// of the load.
const PAIRS: usize = 9;
const STAGGER: Duration = Duration::from_millis(37);

/// How often a row is measured until no call is too late.
const TRIES: usize = 5;

/// The number of calls that wait while the cost of waiting is measured.
const WAITING: usize = 1_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// An actor that keeps every reply and answers none.
#[derive(Default)]
struct Silent(Vec<Reply<()>>);

impl Actor for Silent {
    type Msg = Reply<()>;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, reply: Reply<()>, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.push(reply);
        Ok(())
    }
}

/// A load of the threads of a runtime.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    threads: usize,
    tasks: usize,
    slice: Duration,
    timeout: Duration,
}

const LOADS: [Load; 4] = [
    load("one thread, 1 task of 25 ms", 1, 1, 25, 2_000),
    load("one thread, 1 task of 100 ms", 1, 1, 100, 2_000),
    load("two threads, 6 tasks of 10 ms", 2, 6, 10, 5_000),
    load("two threads, idle", 2, 0, 0, 2_000),
];

const fn load(name: &'static str, threads: usize, tasks: usize, slice: u64, timeout: u64) -> Load {
    let (slice, timeout) = (Duration::from_millis(slice), Duration::from_millis(timeout));
    Load { name, threads, tasks, slice, timeout }
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads).enable_all().build().expect("a runtime")
}

async fn silent() -> Address<Reply<()>> {
    System::new().spawn::<Silent>(()).await.expect("it starts")
}

async fn call(silent: Address<Reply<()>>, after: Duration) {
    let result = silent.call(|reply| reply).timeout(after).await;
    assert!(matches!(result, Err(CallError::TimedOut(_))), "{result:?}");
}

async fn tokios(after: Duration) {
    assert!(timeout(after, pending::<()>()).await.is_err());
}

/// Starts tasks that each keep a thread busy for a slice, in turn.
fn begin(load: Load) {
    for _ in 0..load.tasks {
        tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                while begun.elapsed() < load.slice {
                    spin_loop();
                }
                yield_now().await;
            }
        });
    }
}

/// Measures the lateness of `wait` in a task of its own.
fn lateness(after: Duration, wait: impl Future<Output = ()> + Send + 'static) -> JoinHandle<Duration> {
    tokio::spawn(async move {
        let begun = Instant::now();
        wait.await;
        begun.elapsed().checked_sub(after).expect("a timeout is never early")
    })
}

/// Returns the median and the maximum of the lateness of all.
async fn summary(all: Vec<JoinHandle<Duration>>) -> [Duration; 2] {
    let mut late = Vec::new();
    for one in all {
        late.push(one.await.expect("it ends well"));
    }
    late.sort_unstable();
    [late[late.len() / 2], late[late.len() - 1]]
}

async fn measure(load: Load) -> [[Duration; 2]; 2] {
    let silent = silent().await;
    begin(load);
    let (mut ours, mut tokios_) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        ours.push(lateness(load.timeout, call(silent.clone(), load.timeout)));
        tokios_.push(lateness(load.timeout, tokios(load.timeout)));
        sleep(STAGGER).await;
    }
    [summary(ours).await, summary(tokios_).await]
}

/// Prints one row. Returns `true` if no call was too late.
fn show(load: Load) -> bool {
    let runtime = runtime(load.threads);
    // In a task, as a caller would be.
    let [ours, tokios] = runtime.block_on(async { tokio::spawn(measure(load)).await.expect("it ends well") });
    runtime.shutdown_background();
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!(
        "{:<30} {:>8} {:>12.1} {:>12.1} {:>12.1} {:>12.1}",
        load.name,
        format!("{:?}", load.timeout),
        millis(tokios[0]),
        millis(ours[0]),
        millis(tokios[1]),
        millis(ours[1]),
    );
    ours.into_iter().zip(tokios).all(|(ours, tokios)| ours <= tokios + ALLOWED)
}

/// Runs [`WAITING`] times `wait` at once. Returns how often the thread is woken meanwhile.
fn wake_ups<F: Future<Output = ()> + Send + 'static>(wait: impl Fn(Address<Reply<()>>) -> F) -> u64 {
    let runtime = runtime(1);
    runtime.block_on(async {
        let silent = silent().await;
        let all: Vec<_> = (0..WAITING).map(|_| tokio::spawn(wait(silent.clone()))).collect();
        for one in all {
            one.await.expect("it ends well");
        }
    });
    runtime.metrics().worker_park_count(0)
}

/// Runs [`WAITING`] times `wait` at once in paused time. Returns the time that takes on a clock
/// that is not paused.
fn paused_time<F: Future<Output = ()> + Send + 'static>(wait: impl Fn(Address<Reply<()>>) -> F) -> Duration {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (silent, begun) = (silent().await, Instant::now());
        let all: Vec<_> = (0..WAITING).map(|_| tokio::spawn(wait(silent.clone()))).collect();
        for one in all {
            one.await.expect("it ends well");
        }
        begun.elapsed()
    })
}

/// With `--test`, and outside of `cargo bench`, every timeout is the shortest that the wheel keeps.
fn main() {
    let is_bench = env::args().any(|arg| arg == "--bench") && !env::args().any(|arg| arg == "--test");
    println!(
        "{:<30} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "late by, in ms", "timeout", "tokio median", "call median", "tokio worst", "call worst",
    );
    let short = Duration::from_secs(1);
    for load in LOADS {
        let load = if is_bench { load } else { Load { timeout: short, ..load } };
        // Another program may delay one of a pair and not the other, but not every time.
        assert!((0..TRIES).any(|_| show(load)), "{}: a call is later than {ALLOWED:?} each time", load.name);
    }
    let after = if is_bench { Duration::from_secs(5) } else { short };
    let (ours, theirs) = (wake_ups(move |silent| call(silent, after)), wake_ups(move |_| tokios(after)));
    println!("wake-ups while {WAITING} wait for {after:?}: {ours}, and for timers of tokio {theirs}");
    assert!(ours <= theirs + 10, "waiting costs nothing");
    let (ours, theirs) = (paused_time(|silent| call(silent, HOUR)), paused_time(|_| tokios(HOUR)));
    println!("an hour of paused time for {WAITING}: {ours:?}, and for timers of tokio {theirs:?}");
}
