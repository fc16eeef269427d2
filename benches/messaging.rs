//! The cost of a cast and of a call, each beside a bare tokio task with a channel.
//!
//! ```text
//! cargo bench --bench messaging
//! ```

#![expect(missing_docs, reason = "criterion makes the main function")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use perennial::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

/// The number of messages of one measurement.
const FLOOD: u64 = 100_000;

enum Msg {
    Add(u64),
    Get(Reply<u64>),
}

struct Counter {
    total: u64,
}

impl Actor for Counter {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { total: 0 })
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(n) => self.total += n,
            Msg::Get(reply) => reply.send(self.total),
        }
        Ok(())
    }
}

enum Bare {
    Add(u64),
    Get(oneshot::Sender<u64>),
}

async fn bare_counter(mut messages: mpsc::UnboundedReceiver<Bare>) {
    let mut total = 0;
    while let Some(message) = messages.recv().await {
        match message {
            Bare::Add(n) => total += n,
            Bare::Get(reply) => drop(reply.send(total)),
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn counter(runtime: &Runtime) -> Address<Msg> {
    runtime
        .block_on(async { System::new().spawn::<Counter>(()).mailbox(MailboxConfig::unbounded()).await })
        .expect("the counter starts")
}

fn bare(runtime: &Runtime) -> mpsc::UnboundedSender<Bare> {
    let (sender, receiver) = mpsc::unbounded_channel();
    runtime.spawn(bare_counter(receiver));
    sender
}

async fn flood_actor(counter: Address<Msg>) {
    for n in 0..FLOOD {
        counter.cast(Msg::Add(black_box(n))).expect("it is open");
    }
    counter.call(Msg::Get).no_timeout().await.expect("it answers");
}

async fn flood_bare(counter: mpsc::UnboundedSender<Bare>) {
    for n in 0..FLOOD {
        counter.send(Bare::Add(black_box(n))).expect("it is open");
    }
    call_bare(&counter).await;
}

async fn call_bare(counter: &mpsc::UnboundedSender<Bare>) -> u64 {
    let (reply, answer) = oneshot::channel();
    counter.send(Bare::Get(reply)).expect("it is open");
    answer.await.expect("it answers")
}

/// Measures `work` in a task of the runtime, as an actor would run it.
fn bench<T, F>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    name: &str,
    target: &T,
    work: impl Fn(T) -> F + Copy + Send + 'static,
) where
    T: Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    group.bench_function(name, |b| {
        b.iter_custom(|count| {
            let target = target.clone();
            let task = runtime.spawn(async move {
                let start = Instant::now();
                for _ in 0..count {
                    work(target.clone()).await;
                }
                start.elapsed()
            });
            runtime.block_on(task).expect("the task ends well")
        });
    });
}

fn cast(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("cast_1_1");
    group.throughput(Throughput::Elements(FLOOD));
    bench(&mut group, &runtime, "perennial", &counter(&runtime), flood_actor);
    bench(&mut group, &runtime, "tokio task and channel", &bare(&runtime), flood_bare);
    group.finish();
}

fn call(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("call");
    bench(&mut group, &runtime, "perennial", &counter(&runtime), |counter| async move {
        counter.call(Msg::Get).await.expect("it answers");
    });
    bench(&mut group, &runtime, "tokio task, channel and oneshot", &bare(&runtime), |counter| async move {
        call_bare(&counter).await;
    });
    group.finish();
}

criterion_group! {
    name = messaging;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(3));
    targets = cast, call
}
criterion_main!(messaging);
