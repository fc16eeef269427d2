//! Names that are bound, handed over and unbound concurrently, under loom.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use perennial_actors::{Address, ExitReason, ProcessState, System};

use super::loom_tables::{attached, explore_up_to, is_notified, join};
use crate::{BindError, HandOverError, LookupError, Name, NameChange, Registry};

fn name() -> Name<u32> {
    Name::new("name")
}

/// Returns `true` if the actor's list of names agrees with the registry.
fn agrees(registry: &Registry, address: &Address<u32>) -> bool {
    let leads = registry.whereis(name()).is_ok_and(|found| found == *address);
    let names = address.handle().info().names;
    if leads { names == ["name"] } else { names.is_empty() }
}

#[test]
fn name_bound_while_its_actor_ends_is_removed() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = attached(&system);
        let (address, registry_then) = (actor.address.clone(), registry.clone());
        let bind = thread::spawn(move || registry_then.bind(name(), &address));
        let (mut monitor, identity) = (actor.address.monitor(), actor.identity.clone());
        actor.end_for_good();
        assert!(is_notified(&mut monitor));
        let found = registry.whereis(name());
        assert!(found.is_err(), "after the notification of an end the name is free");
        // The identity is opened again, as by `restart_child`. The binding made before is not valid
        // any more.
        identity.open(&system, || "attached".into());
        let bound = join(bind);
        assert!(matches!(bound, Ok(()) | Err(BindError::Ended(_))));
        assert!(agrees(&registry, &identity.address()));
        identity.close(&ExitReason::Killed);
        assert!(registry.names().is_empty());
    });
}

#[test]
fn reopened_actor_keeps_its_name_while_the_old_binding_is_removed() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = attached(&system);
        registry.bind(name(), &actor.address).expect("the name is free");
        let (address, identity) = (actor.address.clone(), actor.identity.clone());
        let end = thread::spawn(move || actor.end_for_good());
        // The end may have happened before or not.
        identity.open(&system, || "attached".into());
        let bound = registry.bind(name(), &address);
        join(end);
        let is_pending = address.state() == ProcessState::Pending;
        assert_eq!(registry.whereis(name()).is_ok(), is_pending);
        assert!(bound.is_ok() || !is_pending);
        assert!(agrees(&registry, &address));
        identity.close(&ExitReason::Killed);
        assert!(registry.names().is_empty());
    });
}

#[test]
fn one_of_two_binds_wins_and_a_late_removal_keeps_the_new_binding() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (old, new) = (attached(&system), attached(&system));
        registry.bind(name(), &old.address).expect("the name is free");
        let old_address = old.address.clone();
        let end = thread::spawn(move || old.end_for_good());
        let mut late = old_address.monitor();
        let changes_seen = is_notified(&mut late);
        assert!(
            registry.whereis(name()).is_err() || !changes_seen,
            "the name is free once the end was notified"
        );
        let (lived, bound) =
            (old_address.state() != ProcessState::Closed, registry.bind(name(), &new.address));
        assert!(matches!(bound, Ok(()) | Err(BindError::Taken(_))));
        assert!(lived || bound.is_ok(), "an ended actor has no name");
        join(end);
        assert_eq!(registry.whereis(name()).is_ok_and(|found| found == new.address), bound.is_ok());
        assert!(agrees(&registry, &new.address));
        new.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn actor_lists_a_concurrently_bound_and_unbound_name_if_it_leads_there() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = attached(&system);
        let binds = [(); 2].map(|()| {
            let (registry, address) = (registry.clone(), actor.address.clone());
            thread::spawn(move || {
                registry.bind(name(), &address).expect("an incarnation runs");
                registry.unbind(name(), &address)
            })
        });
        let freed = binds.map(join);
        assert!(freed.contains(&true));
        assert!(registry.names().is_empty() && agrees(&registry, &actor.address));
        actor.end_for_good();
    });
}

#[test]
fn name_is_handed_over_without_a_gap_while_the_new_actor_ends() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let (old, new) = (attached(&system), attached(&system));
        registry.bind(name(), &old.address).expect("the name is free");
        let (from, to) = (old.address.clone(), new.address.clone());
        let hand_over = thread::spawn({
            let (registry, from, to) = (registry.clone(), from.clone(), to.clone());
            move || registry.hand_over(name(), &from, &to)
        });
        let end = thread::spawn(move || new.end_for_good());
        // The name is bound, unless it was handed to an actor that has ended.
        match registry.whereis(name()) {
            Ok(found) => assert!(found == from || found == to),
            Err(LookupError::NotFound(_)) => assert!(to.pid().is_none()),
            Err(error) => panic!("{error}"),
        }
        let handed = join(hand_over);
        join(end);
        assert!(matches!(handed, Ok(()) | Err(HandOverError::Ended(_))));
        assert_eq!(registry.whereis(name()).is_ok(), handed.is_err());
        assert!(agrees(&registry, &from) && agrees(&registry, &to));
        old.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn name_handed_over_while_its_old_actor_ends_leads_to_the_new_one_or_nowhere() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (old, new) = (attached(&system), attached(&system));
        registry.bind(name(), &old.address).expect("the name is free");
        let from = old.address.clone();
        let end = thread::spawn(move || old.end_for_good());
        let handed = registry.hand_over(name(), &from, &new.address);
        join(end);
        assert!(matches!(handed, Ok(()) | Err(HandOverError::NotOwner(_))));
        assert_eq!(registry.whereis(name()).is_ok(), handed.is_ok());
        assert!(agrees(&registry, &new.address));
        new.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn subscriber_has_received_the_changes_in_order_when_the_call_returns() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (one, other) = (attached(&system), attached(&system));
        registry.bind(name(), &one.address).expect("the name is free");
        let mut changes = registry.0.changes.subscribe();
        let mut own = registry.0.changes.subscribe();
        let (address, registry_then) = (other.address.clone(), registry.clone());
        let bind = thread::spawn(move || registry_then.bind(name(), &address).is_ok());
        assert!(registry.unbind(name(), &one.address));
        let changes_seen: Vec<NameChange> = std::iter::from_fn(|| own.try_next()).collect();
        assert!(matches!(changes_seen.first(), Some(NameChange::Unregistered { .. })), "{changes_seen:?}");
        let freed = registry.unbind(name(), &other.address);
        let bound = join(bind);
        let changes_seen = std::iter::from_fn(|| changes.try_next()).map(|change| match change {
            NameChange::Registered { actor, .. } => (true, actor),
            NameChange::Unregistered { actor, .. } => (false, actor),
            NameChange::HandedOver { .. } => panic!("the name was not handed over"),
        });
        let (first, second) = (one.address.handle(), other.address.handle());
        let mut expected = vec![(false, first)];
        expected.extend(bound.then(|| (true, second.clone())));
        expected.extend(freed.then_some((false, second)));
        assert_eq!(changes_seen.collect::<Vec<_>>(), expected);
        one.end_for_good();
        other.end_for_good();
    });
}

/// A waker that records whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn task_that_waits_for_a_name_finds_it_or_is_woken_at_any_interleaving() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = attached(&system);
        let (address, registry_then) = (actor.address.clone(), registry.clone());
        let bind = thread::spawn(move || registry_then.bind(name(), &address).is_ok());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        {
            let mut waiting = pin!(registry.wait_until("name", || registry.whereis(name()).ok()));
            let mut found = waiting.as_mut().poll(&mut cx);
            assert!(join(bind), "the name is free");
            if found.is_pending() {
                assert!(woken.0.load(Ordering::Acquire), "the binding did not wake the task");
                found = waiting.as_mut().poll(&mut cx);
            }
            assert!(matches!(found, Poll::Ready(found) if found == actor.address));
        }
        actor.end_for_good();
        assert!(registry.names().is_empty() && registry.0.waiters.are_none());
    });
}
