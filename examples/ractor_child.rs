//! An unchanged ractor actor below a supervisor of this library, next to an actor of this library.
//! It crashes, and its address and its name stay valid.
//!
//! ```text
//! cargo run --release --example ractor_child
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::collections::HashMap;
use std::error::Error;

use perennial::{
    Actor, Address, Child, Context, DeadLetter, ExitReason, Name, Reply, Strategy, Supervisor, System,
    Whereis,
};
use ractor::{ActorProcessingErr, ActorRef};

/// A cache, written for ractor without supervision in mind.
struct Cache;

enum Entry {
    Put(String, u32),
    Get(String, Reply<Option<u32>>),
    /// Makes the cache fail.
    Corrupt,
}

impl ractor::Actor for Cache {
    type Msg = Entry;
    type State = HashMap<String, u32>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Entry>, (): ()) -> Result<Self::State, ActorProcessingErr> {
        Ok(HashMap::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Entry>,
        entry: Entry,
        entries: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match entry {
            Entry::Put(key, value) => {
                entries.insert(key, value);
            }
            Entry::Get(key, reply) => reply.send(entries.get(&key).copied()),
            Entry::Corrupt => return Err("the cache is corrupt".into()),
        }
        Ok(())
    }
}

/// An actor of this library that looks up values, first in the cache.
struct Reader {
    cache: Address<Entry>,
    slow: u32,
}

enum Ask {
    Read(String, Reply<u32>),
    /// Returns the number of lookups that missed the cache.
    Slow(Reply<u32>),
}

impl Actor for Reader {
    type Msg = Ask;
    type Args = ();

    async fn init((): &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        // The name is valid before the cache has started, and through every restart.
        Ok(Self { cache: ctx.system().whereis(CACHE)?, slow: 0 })
    }

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match ask {
            Ask::Slow(reply) => reply.send(self.slow),
            Ask::Read(key, reply) => match self.cache.call(|reply| Entry::Get(key.clone(), reply)).await? {
                Some(value) => reply.send(value),
                None => {
                    self.slow += 1;
                    let value = u32::try_from(key.len())?;
                    self.cache.cast(Entry::Put(key, value))?;
                    reply.send(value);
                }
            },
        }
        Ok(())
    }
}

const CACHE: Name<Entry> = Name::new("cache");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = System::new();
    let mut dead = system.subscribe::<DeadLetter>();
    let reader = Child::new::<Reader>("reader", ());
    let cache = Child::ractor("cache", || (Cache, ())).named(CACHE);
    let (ask, entries) = (reader.address(), cache.address());
    let tree = Supervisor::new("app").strategy(Strategy::OneForOne).child(cache).child(reader);
    let app = tree.start(&system).await?;
    print_text!("{}", app.tree());

    let read = |key: &'static str| ask.call(move |reply| Ask::Read(key.to_owned(), reply));
    assert_eq!((read("lily").await?, read("lily").await?), (4, 4));
    assert_eq!(ask.call(Ask::Slow).await?, 1, "the second time it was in the cache");

    // The cache crashes. The messages behind that one are for the next incarnation.
    let down = entries.monitor();
    entries.cast(Entry::Corrupt)?;
    entries.cast(Entry::Put("rose".to_owned(), 4))?;
    let reason = down.await.reason;
    print_line!("the cache ended: {reason}");
    assert_eq!(reason.to_string(), "failed: the cache is corrupt");
    assert_eq!((read("rose").await?, read("lily").await?), (4, 4));
    assert_eq!(ask.call(Ask::Slow).await?, 2, "the crash lost the lily, and the rose came later");

    // The reader is unaffected: the address and the name lead to the next incarnation.
    assert_eq!(system.whereis(CACHE)?.pid().map(|pid| pid.incarnation()), Some(2));
    assert_eq!(dead.next().await.map(|letter| letter.label), Some("app/cache".into()));
    print_text!("{}", app.tree());
    assert!(app.shutdown().await.is_clean());
    Ok(())
}
