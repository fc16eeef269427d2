//! The tree that is in the storm, and what has to hold of it afterwards.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial::prelude::*;
use perennial::{
    App, ChildKind, DeadLetter, DynamicHandle, DynamicSupervisor, KeyChange, LifecycleEvent, OverflowPolicy,
    Pid, Probe, Subscription, SupervisionStats, SupervisorHandle, SupervisorReport,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::faulty::{Faults, Place, catch, drop_safely, with_faulty_waker};
use crate::guest::Guest;
use crate::pools::Pools;
use crate::volatile::{Key, Keys, Msg, Volatile, VolatileArgs};

pub(crate) const NAMED: Name<Msg> = Name::new("named");

/// Questions, of which each is to be answered.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Runs a future in a task of its own, and notes when it is done.
    pub(crate) fn ask(
        self: &Arc<Self>,
        kind: impl fmt::Display,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let (tally, kind) = (self.clone(), kind.to_string());
        *tally.0.lock().expect("not poisoned").entry(kind.clone()).or_default() += 1;
        tokio::spawn(async move {
            future.await;
            let mut open = tally.0.lock().expect("not poisoned");
            if let Some(count) = open.get_mut(&kind) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&kind);
                }
            }
        });
    }

    /// Waits until all are answered.
    pub(crate) async fn all_are_told(&self) {
        self.are_told("").await;
    }

    /// Waits until all questions are answered of which the kind begins so.
    pub(crate) async fn are_told(&self, kind: &str) {
        let open = || {
            let open = self.0.lock().expect("not poisoned");
            let open: Vec<_> =
                open.iter().filter(|(of, _)| of.starts_with(kind)).map(|(of, n)| (of.clone(), *n)).collect();
            Some(open).filter(|open| !open.is_empty())
        };
        until("what was asked", open).await;
    }
}

pub(crate) struct Storm {
    pub(crate) faults: Faults,
    pub(crate) system: System,
    pub(crate) may_block: bool,
    pub(crate) keys: Keys,
    /// Of the children that have to be there afterwards.
    pub(crate) addresses: Vec<Address<Msg>>,
    pub(crate) nested: SupervisorHandle,
    pub(crate) dynamic: DynamicHandle,
    pub(crate) pools: Pools,
    pub(crate) asked: Arc<Tally>,
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes children and notes their addresses.
struct Nursery {
    faults: Faults,
    keys: Keys,
    addresses: Vec<Address<Msg>>,
}

impl Nursery {
    fn child(&mut self, id: &'static str, mailbox: MailboxConfig, name: Option<Name<Msg>>) -> Child<Msg> {
        let child = volatile(id, &self.faults, &self.keys, name.clone()).mailbox(mailbox);
        let child = match name {
            Some(name) => child.named(name),
            None => child,
        };
        self.addresses.push(child.address());
        child
    }
}

/// Returns the spec of a child whose arguments hold a value.
pub(crate) fn volatile(
    id: &'static str,
    faults: &Faults,
    keys: &Keys,
    name: Option<Name<Msg>>,
) -> Child<Msg> {
    let (faults, keys) = (faults.clone(), keys.clone());
    let value = faults.value();
    Child::new::<Volatile>(id, VolatileArgs { faults, keys, name, value })
}

/// A question that may panic, and holds a value.
fn probe(faults: &Faults) -> Probe<Msg> {
    let (value, faults) = (faults.value(), faults.clone());
    let question = move |reply| {
        let _held = &value;
        faults.strike(Place::Closure, 10);
        Msg::Alive(reply)
    };
    Probe::new(question).period(ms(5)).timeout(ms(5)).failure_threshold(2)
}

/// A ractor actor; what makes it holds a value too.
fn guest(id: &'static str, faults: &Faults) -> Child<Msg> {
    let (value, faults) = (faults.value(), faults.clone());
    Child::ractor(id, move || {
        let _held = &value;
        faults.strike(Place::Closure, 20);
        (Guest { faults: faults.clone(), value: faults.value() }, faults.value())
    })
}

/// A task whose function and whose future hold a value each, and that ends in all ways.
fn task(id: &'static str, faults: &Faults) -> Child<Infallible> {
    let (value, faults) = (faults.value(), faults.clone());
    Child::task(id, move |_| {
        let _held = &value;
        faults.strike(Place::Closure, 10);
        let (value, faults) = (faults.value(), faults.clone());
        async move {
            loop {
                sleep(ms(1)).await;
                match faults.strikes(5).then(|| faults.draw(4)) {
                    None => {}
                    Some(0) => return Ok(()),
                    Some(1) => return Err(ExitReason::failed(value)),
                    Some(2) => value.throw(Place::Future),
                    // It waits to be killed, or for ever.
                    Some(_) => {
                        let _held = value;
                        faults.calm().await;
                        return Ok(());
                    }
                }
            }
        }
    })
}

fn often(supervisor: Supervisor) -> Supervisor {
    supervisor.intensity(u32::MAX, ms(1))
}

/// Starts a tree in which nothing panics yet.
pub(crate) async fn start(faults: Faults, may_block: bool) -> (App<SupervisorHandle>, Arc<Storm>) {
    let (system, keys) = (System::new(), Keys::new());
    let pools = Pools::new(&faults, may_block);
    let mut nursery = Nursery { faults: faults.clone(), keys: keys.clone(), addresses: Vec::new() };
    let few = MailboxConfig::bounded(6);
    let guest = guest("guest", &faults);
    nursery.addresses.push(guest.address());
    let nested = often(Supervisor::new("nested").strategy(Strategy::OneForAll))
        .child(nursery.child("first", few, None))
        .child(task("task", &faults))
        .child(nursery.child("second", MailboxConfig::unbounded(), None));
    let ordered = often(Supervisor::new("ordered").strategy(Strategy::RestForOne))
        .child(nursery.child("first", MailboxConfig::unbounded().discard_on_restart(), None))
        .child(nursery.child("second", MailboxConfig::unbounded(), None));
    let dynamic = DynamicSupervisor::new("dynamic").intensity(u32::MAX, ms(1)).max_children(30);
    let (nested_handle, dynamic_handle) = (nested.handle(), dynamic.handle());
    let root = often(Supervisor::new("root"))
        .child(nursery.child("named", MailboxConfig::unbounded(), Some(NAMED)))
        .child(nursery.child("reject", few, None))
        .child(nursery.child("newest", few.overflow(OverflowPolicy::DropNewest), None))
        .child(nursery.child("oldest", few.overflow(OverflowPolicy::DropOldest), None))
        .child(nursery.child("probed", MailboxConfig::unbounded(), None).probe(probe(&faults)))
        .child(nursery.child("watched", MailboxConfig::unbounded(), None).handler_deadline(ms(20)))
        .child(nursery.child("discard", MailboxConfig::unbounded().discard_on_restart(), None))
        .child(task("task", &faults))
        .child(guest)
        .child(nested)
        .child(ordered)
        .child(dynamic)
        .children(pools.specs());
    let app = root.start(&system).await.expect("it starts");
    let storm = Storm {
        faults,
        system,
        may_block,
        keys,
        addresses: nursery.addresses,
        nested: nested_handle,
        dynamic: dynamic_handle,
        pools,
        asked: Arc::default(),
    };
    (app, Arc::new(storm))
}

/// Listeners to everything: one that reads, and others that never do, so that what is told is dropped where it is told.
pub(crate) struct Listeners {
    _unread: (
        Subscription<LifecycleEvent>,
        Subscription<DeadLetter>,
        Subscription<SupervisorReport>,
        Subscription<KeyChange<Key>>,
    ),
    reading: JoinHandle<()>,
}

impl Listeners {
    pub(crate) fn new(storm: &Storm) -> Self {
        let system = &storm.system;
        let mut events = system.subscribe::<LifecycleEvent>();
        let faults = storm.faults.clone();
        let reading = tokio::spawn(with_faulty_waker(faults, async move {
            while let Some(event) = events.next().await {
                catch(|| format!("{event:?}"));
                drop_safely(event);
            }
        }));
        let unread = (
            system.subscribe::<LifecycleEvent>(),
            system.subscribe::<DeadLetter>(),
            system.subscribe::<SupervisorReport>(),
            storm.keys.subscribe(),
        );
        Self { _unread: unread, reading }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Storm {
    /// Checks that each child is there and answers, and that nothing but children and supervisors that were killed has ended.
    pub(crate) async fn check_tree(&self, app: &App<SupervisorHandle>) {
        // A child that was terminated by request is closed until the request to restart it is answered.
        self.asked.are_told("request").await;
        for address in &self.addresses {
            let mut calls = 0;
            // What it did before the storm was over may end it once more.
            while let Err(error) = address.call(Msg::Incarnation).timeout(ms(60_000)).await {
                calls += 1;
                assert!(calls < 100, "{:?}: {error}", address.handle().label());
            }
            let incarnation = address.pid().map_or(0, Pid::incarnation);
            assert!(incarnation > 5, "{:?} has ended {incarnation} times only", address.handle().label());
        }
        for at in app.tree().walk().filter(|at| at.kind == ChildKind::Supervisor) {
            assert!(at.pid.is_some(), "{} is down", at.id);
        }
        let totals = SupervisionStats::of(&self.system);
        assert_eq!((totals.escalations, totals.abandoned), (0, 0), "{totals:?}");
        assert_eq!(app.handle().pid().map(|pid| pid.incarnation()), Some(1), "the root has never ended");
        assert!(self.system.counters().is_balanced(), "{:?}", self.system.counters());
    }
}

/// Waits until there is nothing left that `left` tells of.
pub(crate) async fn until<T: fmt::Debug>(what: &str, left: impl Fn() -> Option<T>) {
    for _ in 0..10_000 {
        if left().is_none() {
            return;
        }
        sleep(ms(1)).await;
    }
    panic!("{what}: {:?}", left());
}
