//! Names, handed about and given up, under loom.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use perennial_actors::{Address, ExitReason, ProcessState, System};

use super::loom_tables::{explore_up_to, is_told, join, served};
use crate::{BindError, HandOverError, LookupError, Name, NameChange, Registry};

fn name() -> Name<u32> {
    Name::new("name")
}

/// Whether the actor and the registry agree on what it is called.
fn agrees(registry: &Registry, address: &Address<u32>) -> bool {
    let leads = registry.whereis(name()).is_ok_and(|found| found == *address);
    let borne = address.handle().info().names;
    if leads { borne == ["name"] } else { borne.is_empty() }
}

#[test]
fn a_name_that_is_bound_while_its_actor_ends_does_not_stay() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = served(&system);
        let (address, registry_then) = (actor.address.clone(), registry.clone());
        let bind = thread::spawn(move || registry_then.bind(name(), &address));
        let (mut monitor, identity) = (actor.address.monitor(), actor.identity.clone());
        actor.end_for_good();
        assert!(is_told(&mut monitor));
        let found = registry.whereis(name());
        assert!(found.is_err(), "who is told of an end finds no name");
        // Somebody is due again, as after a `restart_child`: what was bound before is bound no more.
        identity.open(&system, || "served".into());
        let bound = join(bind);
        assert!(matches!(bound, Ok(()) | Err(BindError::Ended(_))));
        assert!(agrees(&registry, &identity.address()));
        identity.close(&ExitReason::Killed);
        assert!(registry.names().is_empty());
    });
}

#[test]
fn who_is_due_again_has_its_name_though_it_is_still_being_taken_from_who_ended() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = served(&system);
        registry.bind(name(), &actor.address).expect("the name is free");
        let (address, identity) = (actor.address.clone(), actor.identity.clone());
        let end = thread::spawn(move || actor.end_for_good());
        // Whether or not the end has come before.
        identity.open(&system, || "served".into());
        let bound = registry.bind(name(), &address);
        join(end);
        let is_due_again = address.state() == ProcessState::Pending;
        assert_eq!(registry.whereis(name()).is_ok(), is_due_again);
        assert!(bound.is_ok() || !is_due_again);
        assert!(agrees(&registry, &address));
        identity.close(&ExitReason::Killed);
        assert!(registry.names().is_empty());
    });
}

#[test]
fn of_two_that_want_one_name_one_has_it_and_the_late_one_takes_nothing_away() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (old, new) = (served(&system), served(&system));
        registry.bind(name(), &old.address).expect("the name is free");
        let old_address = old.address.clone();
        let end = thread::spawn(move || old.end_for_good());
        let mut late = old_address.monitor();
        let told = is_told(&mut late);
        assert!(registry.whereis(name()).is_err() || !told, "however late it asks");
        let (lived, bound) =
            (old_address.state() != ProcessState::Closed, registry.bind(name(), &new.address));
        assert!(matches!(bound, Ok(()) | Err(BindError::Taken(_))));
        assert!(lived || bound.is_ok(), "who has ended has no name");
        join(end);
        assert_eq!(registry.whereis(name()).is_ok_and(|found| found == new.address), bound.is_ok());
        assert!(agrees(&registry, &new.address));
        new.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn a_name_that_is_bound_and_unbound_at_once_is_borne_if_it_leads_there() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = served(&system);
        let binds = [(); 2].map(|()| {
            let (registry, address) = (registry.clone(), actor.address.clone());
            thread::spawn(move || {
                registry.bind(name(), &address).expect("it lives");
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
fn a_name_is_handed_over_without_a_gap_whoever_ends() {
    explore_up_to(3, || {
        let (system, registry) = (System::new(), Registry::default());
        let (giver, taker) = (served(&system), served(&system));
        registry.bind(name(), &giver.address).expect("the name is free");
        let (from, to) = (giver.address.clone(), taker.address.clone());
        let hand_over = thread::spawn({
            let (registry, from, to) = (registry.clone(), from.clone(), to.clone());
            move || registry.hand_over(name(), &from, &to)
        });
        let end = thread::spawn(move || taker.end_for_good());
        // It leads somewhere, unless it was handed to one that has ended.
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
        giver.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn a_name_that_is_handed_over_while_its_giver_ends_leads_to_the_taker_or_nowhere() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (giver, taker) = (served(&system), served(&system));
        registry.bind(name(), &giver.address).expect("the name is free");
        let from = giver.address.clone();
        let end = thread::spawn(move || giver.end_for_good());
        let handed = registry.hand_over(name(), &from, &taker.address);
        join(end);
        assert!(matches!(handed, Ok(()) | Err(HandOverError::NotOwner(_))));
        assert_eq!(registry.whereis(name()).is_ok(), handed.is_ok());
        assert!(agrees(&registry, &taker.address));
        taker.end_for_good();
        assert!(registry.names().is_empty());
    });
}

#[test]
fn a_listener_has_been_told_when_the_call_returns_and_in_order() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let (one, other) = (served(&system), served(&system));
        registry.bind(name(), &one.address).expect("the name is free");
        let mut changes = registry.name_changes();
        let mut own = registry.name_changes();
        let (address, registry_then) = (other.address.clone(), registry.clone());
        let bind = thread::spawn(move || registry_then.bind(name(), &address).is_ok());
        assert!(registry.unbind(name(), &one.address));
        let told: Vec<NameChange> = std::iter::from_fn(|| own.try_next()).collect();
        assert!(matches!(told.first(), Some(NameChange::Unregistered { .. })), "{told:?}");
        let freed = registry.unbind(name(), &other.address);
        let bound = join(bind);
        let told = std::iter::from_fn(|| changes.try_next()).map(|change| match change {
            NameChange::Registered { actor, .. } => (true, actor),
            NameChange::Unregistered { actor, .. } => (false, actor),
            NameChange::HandedOver { .. } => panic!("it was not"),
        });
        let (first, second) = (one.address.handle(), other.address.handle());
        let mut expected = vec![(false, first)];
        expected.extend(bound.then(|| (true, second.clone())));
        expected.extend(freed.then_some((false, second)));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        one.end_for_good();
        other.end_for_good();
    });
}

/// Whether it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_task_that_waits_for_a_name_finds_it_or_is_woken_whenever_it_is_bound() {
    explore_up_to(5, || {
        let (system, registry) = (System::new(), Registry::default());
        let actor = served(&system);
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
                assert!(woken.0.load(Ordering::Acquire), "it sleeps through the binding");
                found = waiting.as_mut().poll(&mut cx);
            }
            assert!(matches!(found, Poll::Ready(found) if found == actor.address));
        }
        actor.end_for_good();
        assert!(registry.names().is_empty() && registry.0.waiters.are_none());
    });
}
