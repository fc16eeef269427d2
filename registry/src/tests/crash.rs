//! A crash of all owners at once, with access to private items.

use std::collections::HashSet;

use perennial_actors::{Actor, Address, Context, ExitReason, Pid, System};

use crate::keys::KeyEntry;
use crate::{DuplicateKeys, Group, Registry, UniqueKeys};

const OWNERS: u64 = 100_000;

/// The number of duplicate keys. The owners share them.
const KEYS: u64 = 20_001;

const GROUP: Group<()> = Group::new("owners");

/// An actor with a unique key, a shared key, and a membership in the group of all owners.
struct Owner;

/// The number of an owner, the tables, and the heir that takes its entries over. `None` owns
/// nothing.
type Assignment = Option<(u64, Tables, Option<Address<()>>)>;

#[derive(Clone, Default)]
struct Tables {
    unique: UniqueKeys<u64, (), u64>,
    duplicate: DuplicateKeys<u64, (), u64>,
}

impl Actor for Owner {
    type Msg = ();
    type Args = Assignment;

    async fn init(assignment: &Assignment, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let Some((number, tables, heir)) = assignment.clone() else { return Ok(Self) };
        let (group, pid, address) = (Registry::of(ctx.system()).group(GROUP), ctx.pid(), ctx.address());
        if let Some(heir) = heir {
            let (tables, group) = (tables.clone(), group.clone());
            // Added before the other hooks, so it runs before them: this incarnation has ended and
            // nothing is cleaned up.
            address.handle().on_end(pid, move |_| {
                let pid = heir.pid().expect("an incarnation runs");
                let entry = KeyEntry { pid, address: heir.clone(), value: number };
                tables.unique.0.register_entry(number, entry.clone(), true).expect("its owner has ended");
                tables.duplicate.0.register_entry(number % KEYS, entry, false).expect("an incarnation runs");
                group.join(&heir).expect("an incarnation runs");
            });
        }
        tables.unique.register(ctx, number, number)?;
        tables.duplicate.register(ctx, number % KEYS, number)?;
        group.join(&address)?;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Spawns one owner per assignment.
async fn start(
    system: &System,
    assignments: impl Iterator<Item = Assignment> + Send + 'static,
) -> Vec<Address<()>> {
    let system = system.clone();
    let start = async move {
        let mut owners = Vec::new();
        for assignment in assignments {
            owners.push(system.spawn::<Owner>(assignment).await.expect("the actor starts"));
        }
        owners
    };
    // On a worker thread, as the owners are.
    tokio::spawn(start).await.expect("all actors start")
}

impl Tables {
    /// Asserts that each of these owners has its own entries, and that no other owner has any.
    fn belong_to(&self, system: &System, owners: &[Address<()>], step: usize) {
        let pids: Vec<Pid> = owners.iter().map(|owner| owner.pid().expect("an incarnation runs")).collect();
        for (number, pid) in (0..).step_by(step).zip(&pids) {
            let entry = self.unique.lookup(&number).expect("it is registered");
            assert_eq!((entry.pid, entry.value), (*pid, number));
            assert_eq!(
                (self.unique.keys_of(*pid), self.duplicate.keys_of(*pid)),
                (vec![number], vec![number % KEYS])
            );
        }
        let shared: HashSet<Pid> = self.duplicate.select(|_, entry| Some(entry.pid)).into_iter().collect();
        assert_eq!(shared, pids.iter().copied().collect::<HashSet<Pid>>());
        let members: Vec<Address<()>> = Registry::of(system).group(GROUP).members();
        let members: HashSet<Pid> = members.iter().filter_map(Address::pid).collect();
        assert_eq!(members, shared);
        self.are_as_large_as(system, owners.len());
    }

    fn are_as_large_as(&self, system: &System, owners: usize) {
        let groups = &Registry::of(system).0.groups;
        assert_eq!((self.unique.len(), self.duplicate.len()), (owners, owners.min(KEYS as usize)));
        assert_eq!(groups.which().len(), owners.min(1));
        assert_eq!([self.unique.0.listed(), self.duplicate.0.listed(), groups.listed()], [owners; 3]);
    }
}

async fn end(owners: Vec<Address<()>>) {
    let ends: Vec<_> = owners.iter().map(Address::monitor).collect();
    owners.iter().for_each(|owner| owner.kill().expect("an incarnation runs"));
    for end in ends {
        end.await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c159_killing_a_hundred_thousand_owners_at_once_leaves_no_entries_and_heirs_keep_theirs() {
    let (system, tables) = (System::new(), Tables::default());
    // Half of all entries are taken over while their owner is cleaned up.
    let heirs = start(&system, (0..OWNERS / 2).map(|_| None)).await;
    let of_owners = (0..).zip(heirs.clone()).flat_map({
        let tables = tables.clone();
        move |(half, heir)| {
            [Some((2 * half, tables.clone(), Some(heir))), Some((2 * half + 1, tables.clone(), None))]
        }
    });
    let owners = start(&system, of_owners).await;
    tables.belong_to(&system, &owners, 1);
    end(owners).await;
    tables.belong_to(&system, &heirs, 2);
    end(heirs).await;
    tables.are_as_large_as(&system, 0);
}
