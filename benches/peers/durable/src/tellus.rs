//! Durable actors of tellus with PostgreSQL: each caller has one, which is the root of a system of
//! its own. All share a pool of connections, one for each caller.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tellus::{
    ActorContext, ActorSystem, Effect, EventSourced, Incoming, Nothing, Persistence, PersistenceId, ReplyTo,
    SchemaVersion, Untimed, Versioned,
};
use tellus_persistence_postgres::PostgresStore;
use tellus_persistence_postgres::sqlx::postgres::PgPoolOptions;

use crate::work::each;

/// The part of the calls that is made before the measurement: a tenth.
const WARM_UP: u64 = 10;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(5);

struct Account(u64);

#[derive(Debug)]
struct Deposit(u64, ReplyTo<u64>);

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Deposited(u64);

impl Versioned for Deposited {
    const MANIFEST: &'static str = "deposited";
    const VERSION: SchemaVersion = SchemaVersion::new(1);
}

impl EventSourced for Account {
    type Command = Deposit;
    type Timers = Untimed;
    type Event = Deposited;
    type State = u64;
    type Snapshot = Nothing;
    type Error = Infallible;

    fn persistence_id(&self) -> PersistenceId {
        PersistenceId::new("account", self.0.to_string()).expect("a number is valid")
    }

    fn init(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn init_from_snapshot(&self, snapshot: Nothing) -> Result<u64, Infallible> {
        match snapshot {}
    }

    fn handle(
        &self,
        _: &ActorContext<Deposit>,
        incoming: Incoming<Deposit>,
        _: &u64,
    ) -> Result<Effect<Self>, Infallible> {
        Ok(match incoming {
            Incoming::Message(Deposit(amount, reply)) => {
                Effect::persist(Deposited(amount)).then(move |balance| reply.reply(*balance))
            }
            Incoming::Terminated(_) => Effect::none(),
        })
    }

    fn apply(&self, balance: u64, Deposited(amount): Deposited) -> u64 {
        balance + amount
    }
}

/// Returns the cost in nanoseconds of each of `count` calls by so many callers.
pub async fn calls(url: &str, callers: u64, count: u64) -> Result<f64> {
    let pool = PgPoolOptions::new().max_connections(u32::try_from(callers)?).connect(url).await?;
    let store = PostgresStore::new(pool);
    store.migrate().await?;
    let system = |caller| ActorSystem::event_sourced(Account(caller), Persistence::new(store.clone()));
    let systems: Vec<_> = (0..callers).map(system).collect();
    call_all(&systems, count / WARM_UP).await?;
    let begin = Instant::now();
    let done = call_all(&systems, count).await?;
    Ok(each(begin.elapsed(), done))
}

/// Returns how many calls were made: at least `count`.
async fn call_all(systems: &[ActorSystem<Deposit>], count: u64) -> Result<u64> {
    let share = count.div_ceil(systems.len() as u64);
    let callers: Vec<_> = systems
        .iter()
        .map(|system| {
            let account = system.root().clone();
            tokio::spawn(async move {
                for _ in 0..share {
                    account.ask(TIMEOUT, |reply| Deposit(1, reply)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await.context("a caller panicked")??;
    }
    Ok(share * systems.len() as u64)
}
