//! The cost of starting, restarting and stopping a supervised child, among 100 and among 100,000.
//!
//! ```text
//! cargo bench --bench supervision
//! cargo bench --bench supervision -- cost_per_child
//! ```
//!
//! The claim: a child among 100,000 costs at most 1.5 times as much as one among 100. Criterion
//! measures each size by itself. Before it, `cost_per_child` measures both in turn, in one run, and
//! prints the medians and their ratios, and `bytes_per_child` prints the memory of a child.
//! Everything runs on one thread and is measured in its processor time. Neither the wake-up of
//! another thread nor the load of the machine is part of that.

#![expect(missing_docs, reason = "criterion makes the function that runs it")]
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::env;
use std::fs;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group};
use perennial::prelude::*;
use perennial::{App, DynamicHandle, DynamicSupervisor, SupervisorHandle};
use tokio::runtime::Runtime;

const FEW: usize = 100;
const MANY: usize = 100_000;

/// The number of rounds. Each round measures both sizes.
const ROUNDS: usize = 9;

/// The number of children whose memory is measured.
const MEASURED: usize = 200_000;

struct Worker;

enum Msg {
    Crash,
    Ping(Reply<()>),
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = u64;

    async fn init(_: &u64, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
            Msg::Ping(reply) => reply.send(()),
        }
        Ok(())
    }
}

/// How the children of a tree are started.
#[derive(Clone, Copy, Debug)]
enum Tree {
    /// One after the other, by a template.
    Dynamic,
    /// With their supervisor, from its spec.
    Static,
}

const TREES: [(Tree, &str); 2] = [(Tree::Dynamic, "dynamic"), (Tree::Static, "static")];

enum Root {
    Dynamic(App<DynamicHandle>),
    Static(App<SupervisorHandle>),
}

/// A running tree and the addresses of its children.
struct Running {
    root: Root,
    addresses: Vec<Address<Msg>>,
}

impl Tree {
    async fn start(self, children: usize) -> Running {
        let system = System::new();
        match self {
            Self::Dynamic => {
                let supervisor =
                    DynamicSupervisor::new("workers").intensity(u32::MAX, Duration::from_millis(1));
                let app = supervisor.start(&system).await.expect("it starts");
                let template = app.supervisor().template(|n| Child::new::<Worker>("worker", n));
                let mut addresses = Vec::with_capacity(children);
                for n in 0..children as u64 {
                    addresses.push(template.start_child(n).await.expect("it starts"));
                }
                Running { root: Root::Dynamic(app), addresses }
            }
            Self::Static => {
                let mut supervisor = Supervisor::new("workers").intensity(u32::MAX, Duration::from_millis(1));
                let mut addresses = Vec::with_capacity(children);
                for n in 0..children as u64 {
                    let child = Child::new::<Worker>(n.to_string(), n);
                    addresses.push(child.address());
                    supervisor = supervisor.child(child);
                }
                let app = supervisor.start(&system).await.expect("it starts");
                Running { root: Root::Static(app), addresses }
            }
        }
    }
}

impl Running {
    /// Crashes each child in turn, and waits until its next incarnation answers.
    async fn restart(&self) {
        for address in &self.addresses {
            address.cast(Msg::Crash).expect("it is open");
            address.call(Msg::Ping).no_timeout().await.expect("it answers");
        }
    }

    async fn ping(&self) {
        for address in &self.addresses {
            address.call(Msg::Ping).no_timeout().await.expect("it answers");
        }
    }

    async fn stop(&self) {
        let report = match &self.root {
            Root::Dynamic(app) => app.shutdown().await,
            Root::Static(app) => app.shutdown().await,
        };
        assert!(report.is_clean());
    }
}

/// The time of each step in the life of a tree, for all children together.
#[derive(Clone, Copy, Default)]
struct Times {
    start: Duration,
    restart: Duration,
    stop: Duration,
}

/// Selects the time of one step.
type Step = fn(&Times) -> Duration;

const STEPS: [(&str, Step); 3] =
    [("start", |times| times.start), ("restart", |times| times.restart), ("stop", |times| times.stop)];

async fn live(tree: Tree, children: usize) -> Times {
    let begun = ran();
    let running = tree.start(children).await;
    let started = ran();
    running.restart().await;
    let restarted = ran();
    running.stop().await;
    Times { start: started - begun, restart: restarted - started, stop: ran() - restarted }
}

/// Returns the processor time of this thread.
#[cfg(unix)]
fn ran() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().expect("it is not negative")
}

/// Returns the time since the first call, where the processor time is not known.
#[cfg(not(unix))]
fn ran() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs one tree after the other, until they have had at least `of` children together.
fn times(runtime: &Runtime, tree: Tree, children: usize, of: usize) -> Vec<Times> {
    (0..of.div_ceil(children)).map(|_| runtime.block_on(live(tree, children))).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Measures both sizes in turn, and prints the cost of each step per child and the ratio.
fn cost_per_child(quick: bool) {
    let (few, many, rounds) = if quick { (FEW, 10 * FEW, 1) } else { (FEW, MANY, ROUNDS) };
    let runtime = runtime();
    for (tree, name) in TREES {
        let mut measured = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            // The median of a tenth as many small trees is as good.
            measured[0].extend(times(&runtime, tree, few, many / 10));
            measured[1].extend(times(&runtime, tree, many, many));
        }
        for (step, time) in STEPS {
            let [small, large] = [(&measured[0], few), (&measured[1], many)].map(|(times, children)| {
                median(times.iter().map(|times| time(times).as_nanos() as f64 / children as f64).collect())
            });
            println!(
                "cost_per_child/{name}/{step:<8} {small:>7.0} ns of {few}, {large:>7.0} ns of {many}: ratio {:.2}",
                large / small
            );
        }
    }
}

/// Returns a value of `/proc/self/status` in bytes, or `None` where there is no such file.
fn memory(what: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: f64| kib * 1024.0)
}

/// Prints the memory of a dynamic child: idle, after one message, and the peak while all children
/// are stopped. An address of each child is kept. Runs first, while there is no freed memory to
/// reuse.
fn bytes_per_child(quick: bool) {
    let children = if quick { FEW } else { MEASURED };
    let runtime = runtime();
    let Some(before) = memory("VmRSS") else { return };
    let per_child = |what: &str| (memory(what).unwrap_or(before) - before) / children as f64;
    let (idle, used) = runtime.block_on(async {
        let running = Tree::Dynamic.start(children).await;
        let idle = per_child("VmRSS");
        running.ping().await;
        let used = per_child("VmRSS");
        running.stop().await;
        (idle, used)
    });
    println!(
        "bytes_per_child of {children}: {idle:.0} idle, {used:.0} after a message, {:.0} at the peak",
        per_child("VmHWM")
    );
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, tree: Tree, name: &str, step: Step) {
    let runtime = runtime();
    let sizes: &[usize] = if is_quick() { &[FEW] } else { &[FEW, MANY] };
    for &children in sizes {
        group.throughput(Throughput::Elements(children as u64));
        group.bench_function(format!("{name}/{children}"), |b| {
            b.iter_custom(|count| (0..count).map(|_| step(&runtime.block_on(live(tree, children)))).sum());
        });
    }
}

fn supervision(c: &mut Criterion) {
    for (step, time) in STEPS {
        let mut group = c.benchmark_group(step);
        group.sampling_mode(SamplingMode::Flat);
        for (tree, name) in TREES {
            bench(&mut group, tree, name, time);
        }
        group.finish();
    }
}

criterion_group! {
    name = criterion;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5));
    targets = supervision
}

/// Returns `true` if the bench is only checked and not measured: criterion uses the same arguments.
fn is_quick() -> bool {
    let given = |what: &str| env::args().any(|arg| arg == what);
    !given("--bench") || given("--test")
}

/// Returns `true` if the arguments select the name.
fn is_wanted(name: &str) -> bool {
    let mut filters = env::args().skip(1).filter(|arg| !arg.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

fn main() {
    let listing = env::args().any(|arg| arg == "--list");
    if !listing && is_wanted("bytes_per_child") {
        bytes_per_child(is_quick());
    }
    if !listing && is_wanted("cost_per_child") {
        cost_per_child(is_quick());
    }
    criterion();
    Criterion::default().configure_from_args().final_summary();
}
