//! Tables of keys that a system shows.

use std::fmt;

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
