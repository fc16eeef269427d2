//! Tables of keys that a system shows.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use perennial_actors::{Actor, Context, ExitReason, System};
use perennial_registry::{DuplicateKeys, Registry, UniqueKeys};

/// A key whose `Debug` panics if it is 0.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Touchy(u64);

impl fmt::Debug for Touchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            std::panic::resume_unwind(Box::new("on purpose"))
        } else {
            write!(f, "key {}", self.0)
        }
    }
}

/// A key with a text of a million parts, each of which is counted when it is made.
#[derive(Clone)]
struct Long(Arc<AtomicUsize>);

impl fmt::Debug for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..1_000_000).try_for_each(|_| {
            self.0.fetch_add(1, Ordering::Relaxed);
            f.write_str("é")
        })
    }
}

impl PartialEq for Long {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Long {}

impl Hash for Long {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

type Table = DuplicateKeys<Touchy, (), ()>;

/// An actor with keys.
struct Owner;

impl Actor for Owner {
    type Msg = ();
    type Args = (Vec<u64>, Table);

    async fn init((keys, table): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        for key in keys {
            table.register(ctx, Touchy(*key), ())?;
        }
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn table_is_shown_with_its_entries_as_long_as_it_exists() {
    let (system, table) = (System::new(), Table::new());
    let registry = Registry::of(&system);
    registry.show_keys("things", &table);
    registry.show_keys("others", &UniqueKeys::<u64, ()>::new());
    let one = system.spawn::<Owner>((vec![3, 1, 1], table.clone())).await.unwrap();
    let other = system.spawn::<Owner>((vec![1, 0], table.clone())).await.unwrap();
    let [things] = &registry.key_tables()[..] else { panic!("the other one is gone") };
    assert_eq!((things.table.as_str(), things.keys), ("things", 3));
    let (one, other) = (one.pid().unwrap(), other.pid().unwrap());
    let entries: Vec<_> = things.entries.iter().map(|entry| (entry.key.as_str(), entry.pid)).collect();
    assert_eq!(entries[..4], [("key 1", one), ("key 1", one), ("key 1", other), ("key 3", one)]);
    assert!(entries[4].0.contains("on purpose"), "{entries:?}");
    assert_eq!(entries.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn later_table_takes_the_name_and_a_long_list_is_cut() {
    let (system, table) = (System::new(), Table::new());
    let registry = Registry::of(&system);
    let earlier = UniqueKeys::<u64, ()>::new();
    registry.show_keys("things", &earlier);
    registry.show_keys("things", &table);
    let _owner = system.spawn::<Owner>(((1..=500).collect(), table.clone())).await.unwrap();
    let tables = registry.key_tables();
    assert_eq!((tables.len(), tables[0].keys, tables[0].entries.len()), (1, 500, 100));
}

/// An actor with long keys.
struct OfLong;

impl Actor for OfLong {
    type Msg = ();
    type Args = (Vec<Long>, UniqueKeys<Long, ()>);

    async fn init((keys, table): &Self::Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        for key in keys {
            table.register(ctx, key.clone(), ())?;
        }
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_of_a_key_is_written_than_is_shown_and_nothing_for_its_number() {
    let (system, table, key) = (System::new(), UniqueKeys::new(), Long(Arc::default()));
    let registry = Registry::of(&system);
    registry.show_keys("long", &table);
    let _owner = system.spawn::<OfLong>((vec![key.clone()], table.clone())).await.unwrap();
    assert_eq!(registry.key_counts(), [("long".to_owned(), 1)]);
    assert_eq!(key.0.load(Ordering::Relaxed), 0);
    let tables = registry.key_tables();
    assert_eq!(tables[0].entries[0].key, "é".repeat(200));
    assert_eq!(key.0.load(Ordering::Relaxed), 201);
}

#[tokio::test(start_paused = true)]
async fn search_writes_as_many_keys_of_a_wanted_table_as_are_listed_and_all_of_others() {
    let (system, table) = (System::new(), UniqueKeys::new());
    let registry = Registry::of(&system);
    registry.show_keys("long", &table);
    let keys: Vec<_> = (0..150).map(|_| Long(Arc::default())).collect();
    let _owner = system.spawn::<OfLong>((keys.clone(), table.clone())).await.unwrap();
    let written = || keys.iter().filter(|key| key.0.load(Ordering::Relaxed) > 0).count();
    let found = registry.search_keys(|table| table == "long", |_| false);
    assert_eq!((found[0].keys, found[0].entries.len(), written()), (150, 100, 100));
    let found = registry.search_keys(|_| false, |entry| entry.key.contains('e'));
    assert_eq!((found[0].keys, found[0].entries.len(), written()), (150, 0, 150));
}

#[tokio::test(start_paused = true)]
async fn search_finds_the_first_hundred_of_all_entries_in_their_order() {
    let (system, table) = (System::new(), Table::new());
    let registry = Registry::of(&system);
    registry.show_keys("things", &table);
    let _owner = system.spawn::<Owner>(((1..=500).collect(), table.clone())).await.unwrap();
    let is_wanted = |key: &str| key.ends_with('7') || key.starts_with("key 3");
    let found = registry.search_keys(|_| false, |entry| is_wanted(&entry.key));
    let mut wanted: Vec<_> = (1..=500).map(|key| format!("key {key}")).collect();
    wanted.retain(|key| is_wanted(key));
    wanted.sort_unstable();
    let found: Vec<_> = found[0].entries.iter().map(|entry| entry.key.as_str()).collect();
    assert!(wanted.len() > 100);
    assert_eq!(found, wanted[..100]);
}
