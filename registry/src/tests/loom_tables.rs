//! What owners, keys, groups and names agree on, under loom: the interleavings of a few small threads, with the mailboxes and the ends of
//! real processes.
//!
//! `.ci/models registry`
//!
//! The rules: when all is over, nothing of the dead is left, neither in a table nor on a list; and nothing of a successor was ever taken
//! away. Broken by hand, each of these shows here: step 3 of `owners.rs` left out, for keys or for groups; a list made before its hook is set;
//! what a hook takes out compared by its key or its name alone; the owner that has ended counted as one; the hook of a name set before
//! its entry, or kept when that goes; a change noted when its entry is locked no more; the version of a group read before its members.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task;

use loom::thread::{self, JoinHandle};
use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{Address, ExitReason, MailboxConfig, Monitor, Pid, System};

use crate::keys::{KeyEntry, KeyTable, RegisterError};
use crate::{Group, GroupHandle, Registry};

/// Explores those interleavings that have at most so many switches which no thread asked for: nearly all bugs need two.
pub(super) fn explore_up_to(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

struct Silent;

impl Parent for Silent {
    fn started(&self, _: u64) {}
    fn ended(&self, _: u64, _: IncarnationExit) {}
}

/// An actor with an incarnation that does nothing.
pub(super) struct Served {
    pub(super) identity: Arc<Identity<u32>>,
    pub(super) address: Address<u32>,
    attachment: MailboxConsumer<u32>,
    pid: Pid,
}

pub(super) fn served(system: &System) -> Served {
    let identity = Arc::new(Identity::new(MailboxConfig::default()));
    identity.open(system, || "served".into());
    again(identity)
}

/// The next incarnation.
pub(super) fn again(identity: Arc<Identity<u32>>) -> Served {
    let attachment = identity.attach(Arc::new(Silent), 1).expect("it is open, and nobody is there");
    let (address, pid) = (identity.address(), attachment.pid());
    Served { identity, address, attachment, pid }
}

impl Served {
    /// Ends the incarnation, as itself does in its last act.
    fn end(self) -> Arc<Identity<u32>> {
        self.attachment.end(ExitReason::Killed);
        self.identity
    }

    /// Ends it, and nobody follows.
    pub(super) fn end_for_good(self) {
        self.end().close(&ExitReason::Killed);
    }
}

/// Whether it has been told of the end.
pub(super) fn is_told(monitor: &mut Monitor) -> bool {
    Pin::new(monitor).poll(&mut task::Context::from_waker(task::Waker::noop())).is_ready()
}

pub(super) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread is done")
}

type Keys = Arc<KeyTable<&'static str, u32, u32>>;

/// Registers the key for an incarnation, as itself does, though it may be stuck and have lost its mailbox.
fn register(keys: &Keys, address: &Address<u32>, pid: Pid, alone: bool) -> Result<(), RegisterError<u32>> {
    keys.register_entry("key", KeyEntry { pid, address: address.clone(), value: 7 }, alone)
}

fn owners(keys: &Keys) -> Vec<Pid> {
    keys.lookup(&"key").into_iter().map(|entry| entry.pid).collect()
}

/// Who lives has what it has been told that it has, and nothing else is there.
fn check(keys: &Keys, living: &[(Pid, bool)]) {
    let own: Vec<Pid> = living.iter().filter(|(_, owns)| *owns).map(|(pid, _)| *pid).collect();
    assert_eq!(owners(keys), own);
    assert_eq!(keys.len(), usize::from(!own.is_empty()));
    assert!(own.len() <= keys.listed() && keys.listed() <= living.len(), "a list of the dead");
}

#[test]
fn a_key_that_is_registered_while_its_owner_ends_does_not_stay() {
    for alone in [true, false] {
        explore_up_to(5, move || {
            let (system, keys) = (System::new(), Keys::default());
            let owner = served(&system);
            let (address, pid) = (owner.address.clone(), owner.pid);
            let stuck = thread::spawn({
                let keys = keys.clone();
                move || {
                    let first = register(&keys, &address, pid, alone);
                    let given_up = keys.unregister(pid, &"key", |_| true);
                    assert!(first.is_ok() || given_up.is_empty());
                    register(&keys, &address, pid, alone)
                }
            });
            assert!(owner.identity.abandon(pid));
            let registered = join(stuck);
            assert!(matches!(registered, Ok(()) | Err(RegisterError::Ended(7))));
            check(&keys, &[]);
        });
    }
}

#[test]
fn a_successor_registers_at_once_and_keeps_the_key() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let first = served(&system);
        let (address, pid) = (first.address.clone(), first.pid);
        let stuck = thread::spawn({
            let keys = keys.clone();
            move || {
                drop(register(&keys, &address, pid, true));
                keys.update(pid, &"key", 8)
            }
        });
        assert!(first.identity.abandon(pid));
        let second = again(first.identity.clone());
        // Who has ended has no key, wherever its own registration and its cleaning up are.
        assert!(register(&keys, &second.address, second.pid, true).is_ok());
        assert_eq!(owners(&keys), [second.pid]);
        assert!(matches!(join(stuck), None | Some(7)));
        check(&keys, &[(second.pid, true)]);
        assert_eq!(keys.lookup(&"key")[0].value, 7, "what it says is its own");
        second.end_for_good();
        check(&keys, &[]);
    });
}

#[test]
fn a_key_is_taken_over_while_its_owner_is_cleaned_up() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let (old, new) = (served(&system), served(&system));
        assert!(register(&keys, &old.address, old.pid, true).is_ok());
        let (mut monitor, old_address, old_pid) = (old.address.monitor(), old.address.clone(), old.pid);
        let end = thread::spawn(move || old.end_for_good());
        let lived = old_address.pid().is_some();
        let found = owners(&keys);
        assert!(found.is_empty() || (found == [old_pid] && lived), "whoever has ended has no key");
        let told = is_told(&mut monitor);
        let registered = register(&keys, &new.address, new.pid, true).is_ok();
        assert!(registered || !told, "who is told of an end finds no key");
        join(end);
        check(&keys, &[(new.pid, registered)]);
        new.end_for_good();
        check(&keys, &[]);
    });
}

#[test]
fn of_two_that_register_one_key_one_has_it() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let (one, other) = (served(&system), served(&system));
        let (address, pid) = (other.address.clone(), other.pid);
        let thread = thread::spawn({
            let keys = keys.clone();
            move || register(&keys, &address, pid, true).is_ok()
        });
        let first = register(&keys, &one.address, one.pid, true).is_ok();
        let second = join(thread);
        assert_ne!(first, second);
        assert_eq!(owners(&keys), [if first { one.pid } else { other.pid }]);
        one.end_for_good();
        other.end_for_good();
        check(&keys, &[]);
    });
}

const GROUP: Group<u32> = Group::new("group");

fn assert_empty(registry: &Registry) {
    assert_eq!(registry.which_groups(), [""; 0]);
    assert_eq!(registry.0.groups.listed(), 0, "a list of the dead");
}

#[test]
fn who_joins_others_while_they_end_leaves_nothing_behind() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let member = served(&system);
        let joins = [(); 2].map(|()| {
            let (group, address) = (registry.group(GROUP), member.address.clone());
            thread::spawn(move || group.join(&address).is_ok())
        });
        member.end_for_good();
        let joined = joins.map(join);
        assert_eq!(joined.len(), 2);
        assert_empty(&registry);
    });
}

#[test]
fn who_joins_and_leaves_at_once_is_in_it_as_often_as_the_accounts_say() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let member = served(&system);
        let group = registry.group(GROUP);
        group.join(&member.address).expect("it lives");
        let act = |act: fn(&GroupHandle<u32>, &Address<u32>) -> bool| {
            let (group, address) = (group.clone(), member.address.clone());
            thread::spawn(move || act(&group, &address))
        };
        let threads = [
            act(|group, address| group.leave(address).is_ok()),
            act(|group, address| group.join(address).is_err() || group.leave(address).is_ok()),
        ];
        let left = threads.map(join).into_iter().filter(|left| *left).count();
        assert_eq!(group.members().len(), 2 - left);
        member.end_for_good();
        assert_empty(&registry);
    });
}

#[test]
fn a_monitor_of_a_group_misses_nobody_and_names_nobody_twice() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (stays, goes) = (served(&system), served(&system));
        let group = registry.group(GROUP);
        group.join(&goes.address).expect("it lives");
        let (address, group_then) = (stays.address.clone(), group.clone());
        let thread = thread::spawn(move || {
            goes.end_for_good();
            group_then.join(&address).expect("it lives");
        });
        let mut monitor = group.monitor();
        join(thread);
        let mut known: Vec<_> = monitor.members().iter().map(Address::handle).collect();
        while let Some(change) = monitor.try_next() {
            let place = known.iter().position(|handle| *handle == change.actor);
            assert_eq!(place.is_none(), change.joined, "{change:?}");
            match place {
                Some(place) => drop(known.remove(place)),
                None => known.push(change.actor),
            }
        }
        assert_eq!(known, [stays.address.handle()]);
        stays.end_for_good();
        assert_empty(&registry);
    });
}
