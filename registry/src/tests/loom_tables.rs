//! Owners, keys, groups and names under loom: the interleavings of a few small threads, with the
//! mailboxes and the ends of real processes.
//!
//! `.ci/models registry`
//!
//! The rules: at the end, no table and no list holds anything of an ended incarnation, and no entry
//! of a successor was ever removed. These tests detect each of the following mutations: step 3 of
//! `owners.rs` omitted, for keys or for groups; a list made before its hook is set; a hook that
//! removes entries by key or by name alone; an ended owner counted as one; the hook of a name added
//! before its entry, or kept when the entry is removed; a change recorded after its entry is
//! unlocked; the version of a group read before its members.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task;

use loom::thread::{self, JoinHandle};
use perennial_actors::host::{Identity, IncarnationExit, MailboxConsumer, Parent};
use perennial_actors::{Address, ExitReason, MailboxConfig, Monitor, Pid, System};

use crate::keys::{KeyEntry, KeyTable};
use crate::{Group, GroupHandle, RegisterError, Registry};

/// Explores the interleavings with at most `preemptions` involuntary switches. Nearly all bugs need
/// two.
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

/// An actor with an attached incarnation that does nothing.
pub(super) struct AttachedActor {
    pub(super) identity: Arc<Identity<u32>>,
    pub(super) address: Address<u32>,
    attachment: MailboxConsumer<u32>,
    pid: Pid,
}

pub(super) fn attached(system: &System) -> AttachedActor {
    let identity = Arc::new(Identity::new(MailboxConfig::default()));
    identity.open(system, || "attached".into());
    attach_next(identity)
}

/// Attaches the next incarnation.
pub(super) fn attach_next(identity: Arc<Identity<u32>>) -> AttachedActor {
    let attachment = identity.attach(Arc::new(Silent), 1).expect("the identity is open and detached");
    let (address, pid) = (identity.address(), attachment.pid());
    AttachedActor { identity, address, attachment, pid }
}

impl AttachedActor {
    /// Ends the incarnation, as the incarnation itself does.
    fn end(self) -> Arc<Identity<u32>> {
        self.attachment.end(ExitReason::Killed);
        self.identity
    }

    /// Ends the incarnation and closes the identity.
    pub(super) fn end_for_good(self) {
        self.end().close(&ExitReason::Killed);
    }
}

/// Returns `true` if the monitor has been notified of the end.
pub(super) fn is_notified(monitor: &mut Monitor) -> bool {
    Pin::new(monitor).poll(&mut task::Context::from_waker(task::Waker::noop())).is_ready()
}

pub(super) fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread succeeds")
}

type Keys = Arc<KeyTable<&'static str, u32, u32>>;

/// Registers the key for an incarnation, which may be stuck and have lost its mailbox.
fn register(keys: &Keys, address: &Address<u32>, pid: Pid, unique: bool) -> Result<(), RegisterError<u32>> {
    keys.register_entry("key", KeyEntry { pid, address: address.clone(), value: 7 }, unique)
}

fn owners(keys: &Keys) -> Vec<Pid> {
    keys.lookup(&"key").into_iter().map(|entry| entry.pid).collect()
}

/// Asserts that the running incarnations own what their registrations reported, and that nothing
/// else is stored.
fn check(keys: &Keys, running: &[(Pid, bool)]) {
    let own: Vec<Pid> = running.iter().filter(|(_, owns)| *owns).map(|(pid, _)| *pid).collect();
    assert_eq!(owners(keys), own);
    assert_eq!(keys.len(), usize::from(!own.is_empty()));
    assert!(own.len() <= keys.listed() && keys.listed() <= running.len(), "a list of an ended incarnation");
}

#[test]
fn key_registered_while_its_owner_ends_is_removed() {
    for unique in [true, false] {
        explore_up_to(5, move || {
            let (system, keys) = (System::new(), Keys::default());
            let owner = attached(&system);
            let (address, pid) = (owner.address.clone(), owner.pid);
            let stuck = thread::spawn({
                let keys = keys.clone();
                move || {
                    let first = register(&keys, &address, pid, unique);
                    let unregistered = keys.unregister(pid, &"key", |_| true);
                    assert!(first.is_ok() || unregistered.is_empty());
                    register(&keys, &address, pid, unique)
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
fn successor_registers_at_once_and_keeps_the_key() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let first = attached(&system);
        let (address, pid) = (first.address.clone(), first.pid);
        let stuck = thread::spawn({
            let keys = keys.clone();
            move || {
                drop(register(&keys, &address, pid, true));
                keys.update(pid, &"key", 8)
            }
        });
        assert!(first.identity.abandon(pid));
        let second = attach_next(first.identity.clone());
        // An ended incarnation has no key, at any point of its own registration or its cleanup.
        assert!(register(&keys, &second.address, second.pid, true).is_ok());
        assert_eq!(owners(&keys), [second.pid]);
        assert!(matches!(join(stuck), None | Some(7)));
        check(&keys, &[(second.pid, true)]);
        assert_eq!(keys.lookup(&"key")[0].value, 7, "the value is the successor's");
        second.end_for_good();
        check(&keys, &[]);
    });
}

#[test]
fn key_is_taken_over_while_its_owner_is_cleaned_up() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let (old, new) = (attached(&system), attached(&system));
        assert!(register(&keys, &old.address, old.pid, true).is_ok());
        let (mut monitor, old_address, old_pid) = (old.address.monitor(), old.address.clone(), old.pid);
        let end = thread::spawn(move || old.end_for_good());
        let lived = old_address.pid().is_some();
        let found = owners(&keys);
        assert!(found.is_empty() || (found == [old_pid] && lived), "an ended incarnation has no key");
        let notified = is_notified(&mut monitor);
        let registered = register(&keys, &new.address, new.pid, true).is_ok();
        assert!(registered || !notified, "after the notification of an end the key is free");
        join(end);
        check(&keys, &[(new.pid, registered)]);
        new.end_for_good();
        check(&keys, &[]);
    });
}

#[test]
fn one_of_two_registrations_of_a_key_wins() {
    explore_up_to(5, || {
        let (system, keys) = (System::new(), Keys::default());
        let (one, other) = (attached(&system), attached(&system));
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
    assert_eq!(registry.0.groups.listed(), 0, "a list of an ended incarnation");
}

#[test]
fn join_of_an_ending_actor_leaves_nothing_behind() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let member = attached(&system);
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
fn concurrent_joins_and_leaves_add_up() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let member = attached(&system);
        let group = registry.group(GROUP);
        group.join(&member.address).expect("an incarnation runs");
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
fn group_monitor_reports_each_member_exactly_once() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (stays, goes) = (attached(&system), attached(&system));
        let group = registry.group(GROUP);
        group.join(&goes.address).expect("an incarnation runs");
        let (address, group_then) = (stays.address.clone(), group.clone());
        let thread = thread::spawn(move || {
            goes.end_for_good();
            group_then.join(&address).expect("an incarnation runs");
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
