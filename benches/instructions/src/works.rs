//! The works. Each does the same thing to a number of items, one after the other, on one thread.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use perennial::pool::{Pool, PoolHandle};
use perennial::prelude::*;
use perennial::{App, DynamicSupervisor, Registry, SupervisorHandle};
use perennial_durable::MemoryStore;
use perennial_durable::pool::Durable;

use crate::observed::{Observer, settle, system};

/// The messages, or the jobs, that are queued before the actor or the pool gets to run. All of them
/// fit into a mailbox, and into a pool, of the default capacity.
pub(crate) const BATCH: u64 = 500;

/// The number of names. The cost of a lookup depends on the place of the name in a hash table, and
/// that differs between runs.
const NAMES: u64 = 100;

type Run = fn(u64) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// One kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) items: Run,
}

impl Work {
    /// Does the work to a number of items, in a task.
    pub(crate) fn run(&self, items: u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(runtime.spawn((self.items)(items))).expect("it works");
    }
}

macro_rules! works {
    ($($name:ident,)*) => {
        [$($crate::works::Work { name: stringify!($name), items: |items| Box::pin($name(items)) },)*]
    };
}
pub(crate) use works;

/// All works, in the order in which they are counted.
pub(crate) const WORKS: &[Work] = &works![
    cast,
    send_bounded,
    call,
    spawn_stop,
    start_child,
    restart,
    whereis,
    named_cast,
    empty_job,
    job_result,
    durable_result,
];

enum Msg {
    Add(u64),
    Get(Reply<u64>),
    Crash,
}

/// An actor that adds numbers.
struct Counter(u64);

impl Actor for Counter {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Add(number) => self.0 += number,
            Msg::Get(reply) => reply.send(self.0),
            Msg::Crash => return Err(ExitReason::failed("it was told to")),
        }
        Ok(())
    }
}

async fn counter(mailbox: MailboxConfig) -> (Address<Msg>, Observer) {
    let (system, observer) = system().await;
    let counter = system.spawn::<Counter>(()).mailbox(mailbox).await.expect("it starts");
    settle().await;
    (counter, observer)
}

/// Yields the lengths of the batches that make up `items`.
pub(crate) fn batches(items: u64) -> impl Iterator<Item = u64> {
    (0..items.div_ceil(BATCH)).map(move |batch| BATCH.min(items - batch * BATCH))
}

/// Casts to an unbounded mailbox. One call for each batch waits until all are handled.
async fn cast(items: u64) {
    let (counter, _observer) = counter(MailboxConfig::unbounded()).await;
    for batch in batches(items) {
        for _ in 0..batch {
            counter.cast(Msg::Add(1)).expect("it is open");
        }
        counter.call(Msg::Get).await.expect("it answers");
    }
    assert_eq!(counter.call(Msg::Get).await.expect("it answers"), items);
}

/// Sends to a mailbox of the default capacity, which always has room.
async fn send_bounded(items: u64) {
    let (counter, _observer) = counter(MailboxConfig::default()).await;
    for batch in batches(items) {
        for _ in 0..batch {
            counter.send(Msg::Add(1)).await.expect("it is open");
        }
        counter.call(Msg::Get).await.expect("it answers");
    }
    assert_eq!(counter.call(Msg::Get).await.expect("it answers"), items);
}

/// Calls with the default timeout.
async fn call(items: u64) {
    let (counter, _observer) = counter(MailboxConfig::default()).await;
    for _ in 0..items {
        counter.call(Msg::Get).await.expect("it answers");
    }
}

/// Starts an actor, stops it, and waits for its end.
async fn spawn_stop(items: u64) {
    let (system, _observer) = system().await;
    for _ in 0..items {
        let actor = system.spawn::<Counter>(()).await.expect("it starts");
        let end = actor.monitor();
        actor.stop(ExitReason::Normal).expect("it lives");
        end.await;
    }
}

/// Starts children of a dynamic supervisor, one after the other, and has it stop them all.
async fn start_child(items: u64) {
    let supervisor = DynamicSupervisor::new("supervisor");
    let children = supervisor.handle().template(|()| Child::new::<Counter>("counter", ()));
    let (system, _observer) = system().await;
    let app = Supervisor::new("app").child(supervisor).start(&system).await.expect("it starts");
    for _ in 0..items {
        children.start_child(()).await.expect("it starts");
    }
    assert!(app.shutdown().await.is_clean());
}

/// Has a supervised actor return an error, and waits for an answer of its next incarnation.
async fn restart(items: u64) {
    let child = Child::new::<Counter>("counter", ());
    let counter = child.address();
    let app = Supervisor::new("supervisor").never_give_up().child(child);
    let (system, _observer) = system().await;
    let app = app.start(&system).await.expect("it starts");
    for _ in 0..items {
        counter.cast(Msg::Crash).expect("it is open");
        counter.call(Msg::Get).await.expect("it answers");
    }
    assert!(app.shutdown().await.is_clean());
}

/// Returns an actor with many names, and the system that knows them.
async fn named() -> (System, Address<Msg>, Vec<Name<Msg>>, Observer) {
    let (system, observer) = system().await;
    let counter = system.spawn::<Counter>(()).await.expect("it starts");
    let names: Vec<_> = (0..NAMES).map(|number| Name::from(format!("counter-{number}"))).collect();
    for name in &names {
        Registry::of(&system).bind(name, &counter).expect("the name is free");
    }
    (system, counter, names, observer)
}

/// Looks up names in turn.
async fn whereis(items: u64) {
    let (system, _counter, names, _observer) = named().await;
    for name in names.iter().cycle().take(items as usize) {
        system.whereis(name).expect("it is bound");
    }
}

/// Looks up a name before each cast. All names are those of one actor.
async fn named_cast(items: u64) {
    let (system, counter, names, _observer) = named().await;
    let mut names = names.iter().cycle();
    for batch in batches(items) {
        for name in names.by_ref().take(batch as usize) {
            system.cast_to(name, Msg::Add(1)).expect("it is bound");
        }
        counter.call(Msg::Get).await.expect("it answers");
    }
    assert_eq!(counter.call(Msg::Get).await.expect("it answers"), items);
}

type Job = fn(u64) -> Result<u64, Infallible>;

/// A pool of two workers whose jobs do nothing.
fn returning() -> Pool<Job> {
    Pool::from_fn("pool", 2, |number: &u64| std::future::ready(Ok(*number)))
}

async fn pool() -> (PoolHandle<Job>, App<SupervisorHandle>, Observer) {
    let pool = returning();
    let handle = pool.handle();
    let (system, observer) = system().await;
    (handle, pool.start(&system).await.expect("it starts"), observer)
}

/// Submits jobs that do nothing, to a pool of two workers. No result is waited for.
async fn empty_job(items: u64) {
    let (pool, app, _observer) = pool().await;
    for batch in batches(items) {
        for number in 0..batch {
            pool.submit(number).detach().await.expect("it is open");
        }
        pool.drain().await;
    }
    assert_eq!(pool.stats().completed, items);
    assert!(app.shutdown().await.is_clean());
}

/// Submits jobs to a pool of two workers, and waits for the result of each.
async fn job_result(items: u64) {
    let (pool, app, _observer) = pool().await;
    for number in 0..items {
        let job = pool.submit(number).await.expect("it is open");
        assert_eq!(job.await.expect("it succeeds"), number);
    }
    assert!(app.shutdown().await.is_clean());
}

/// Submits durable jobs on a store in memory, and reads the stored result of each. Its lease and
/// its outcome are commits, as on a disk.
async fn durable_result(items: u64) {
    let pool = returning().durable(Arc::new(MemoryStore::new()));
    let jobs = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    for number in 0..items {
        let job = jobs.submit(number).await.expect("it is open");
        assert_eq!(job.outcome().await.expect("it succeeds"), number);
    }
    assert!(app.shutdown().await.is_clean());
}
