//! A crash of everything at once, looked at from inside.

use std::collections::HashSet;

use perennial_actors::{Actor, Address, Context, ExitReason, Pid, System};

use crate::keys::KeyEntry;
use crate::{DuplicateKeys, Group, Registry, UniqueKeys};

const OWNERS: u64 = 100_000;

/// Of all, so many have a duplicate key of their own; the others share theirs.
const KEYS: u64 = 20_001;

const GROUP: Group<()> = Group::new("owners");

/// Has a unique key, one that it shares, and a place in a group, which everybody is in.
struct Owner;

/// Its number and the tables, and whom it leaves all to. None owns nothing.
type Estate = Option<(u64, Tables, Option<Address<()>>)>;

#[derive(Clone, Default)]
struct Tables {
    unique: UniqueKeys<u64, (), u64>,
    duplicate: DuplicateKeys<u64, (), u64>,
}

impl Actor for Owner {
    type Msg = ();
    type Args = Estate;

    async fn init(estate: &Estate, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let Some((number, tables, heir)) = estate.clone() else { return Ok(Self) };
        let (group, pid, address) = (Registry::of(ctx.system()).group(GROUP), ctx.pid(), ctx.address());
        if let Some(heir) = heir {
            let (tables, group) = (tables.clone(), group.clone());
            // Set before the others, so it runs before them: when this one has ended and nothing is cleaned up.
            address.handle().on_end(pid, move |_| {
                let pid = heir.pid().expect("it lives");
                let entry = KeyEntry { pid, address: heir.clone(), value: number };
                tables.unique.0.register_entry(number, entry.clone(), true).expect("its owner has ended");
                tables.duplicate.0.register_entry(number % KEYS, entry, false).expect("it lives");
                group.join(&heir).expect("it lives");
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

/// Starts one of each.
async fn start(system: &System, estates: impl Iterator<Item = Estate> + Send + 'static) -> Vec<Address<()>> {
    let system = system.clone();
    let start = async move {
        let mut owners = Vec::new();
        for estate in estates {
            owners.push(system.spawn::<Owner>(estate).await.expect("it starts"));
        }
        owners
    };
    // On a worker, as the owners are.
    tokio::spawn(start).await.expect("all of them start")
}

impl Tables {
    /// These own everything, each what is its own, and nobody else is known.
    fn belong_to(&self, system: &System, owners: &[Address<()>], step: usize) {
        let pids: Vec<Pid> = owners.iter().map(|owner| owner.pid().expect("it lives")).collect();
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
    owners.iter().for_each(|owner| owner.kill().expect("it lives"));
    for end in ends {
        end.await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c159_of_a_hundred_thousand_that_are_killed_at_once_nothing_is_left_and_heirs_keep_all() {
    let (system, tables) = (System::new(), Tables::default());
    // Half of all that is owned is taken over while its owner is cleaned up.
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
