//! Listeners receive every change in order, before the call that made it returns and before
//! monitors are notified of an end.

use perennial_actors::{ActorHandle, Address, Monitor, Pid, Subscription, System};
use perennial_registry::{
    DuplicateKeys, Group, GroupChange, KeyChange, Name, NameChange, RegisterError, Registry, UniqueKeys,
};
use tokio::sync::mpsc;

use crate::support::{ManagedActor, Msg, kill, pid, run_step, scripted_actor};

const NAME: Name<Msg> = Name::new("name");
const GROUP: Group<Msg> = Group::new("group");

/// Returns the changes that were delivered so far.
fn delivered<C: Clone>(listener: &mut Subscription<C>) -> Vec<C> {
    std::iter::from_fn(|| listener.try_next()).collect()
}

/// Returns the kind of a change, the name, and the actor to which it leads or led.
fn kind_of(change: &NameChange) -> (&'static str, &str, &ActorHandle) {
    match change {
        NameChange::Registered { name, actor } => ("registered", name, actor),
        NameChange::Unregistered { name, actor } => ("unregistered", name, actor),
        NameChange::HandedOver { name, to, .. } => ("handed over", name, to),
        other => panic!("unexpected change {other:?}"),
    }
}

fn key_change(change: &KeyChange<&'static str>) -> (bool, &'static str, Pid) {
    match change {
        KeyChange::Registered { key, pid } => (true, key, *pid),
        KeyChange::Unregistered { key, pid } => (false, key, *pid),
        other => panic!("unexpected change {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn c155_name_changes_are_delivered_when_the_call_returns() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    registry.bind(Name::<Msg>::new("before"), &one).expect("the name is free");
    let mut listener = system.subscribe::<NameChange>();
    registry.bind(NAME, &one).expect("the name is free");
    assert_eq!(
        delivered(&mut listener).iter().map(kind_of).collect::<Vec<_>>(),
        [("registered", "name", &one.handle())]
    );
    // These calls change nothing.
    registry.bind(NAME, &one).expect("the caller owns it");
    assert!(registry.bind(NAME, &other).is_err() && !registry.unbind(NAME, &other));
    registry.hand_over(NAME, &one, &one).expect("the caller owns it");
    registry.hand_over(NAME, &one, &other).expect("the caller owns it");
    let handed = delivered(&mut listener);
    assert_eq!(handed.iter().map(kind_of).collect::<Vec<_>>(), [("handed over", "name", &other.handle())]);
    assert!(matches!(&handed[0], NameChange::HandedOver { from, .. } if *from == one.handle()));
    assert!(registry.unbind(NAME, &other));
    let freed = delivered(&mut listener);
    assert_eq!(freed.iter().map(kind_of).collect::<Vec<_>>(), [("unregistered", "name", &other.handle())]);
}

#[tokio::test(start_paused = true)]
async fn c155_key_changes_are_delivered_when_the_call_returns() {
    let (system, unique) = (System::new(), UniqueKeys::<&'static str, Msg>::new());
    let duplicate = DuplicateKeys::<&'static str, Msg>::new();
    let (mut of_unique, mut of_duplicate) = (unique.subscribe(), duplicate.subscribe());
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let (unique_then, duplicate_then) = (unique.clone(), duplicate.clone());
    let seen = run_step(&one, move |ctx| {
        unique_then.register(ctx, "key", ()).expect("the key is free");
        let registered = delivered(&mut of_unique);
        unique_then.update(ctx, &"key", |()| ()).expect("the caller owns it");
        unique_then.unregister(ctx, &"key").expect("the caller owns it");
        duplicate_then.register(ctx, "key", ()).expect("an incarnation runs");
        duplicate_then.register(ctx, "key", ()).expect("an incarnation runs");
        duplicate_then.unregister(ctx, &"key");
        [registered, delivered(&mut of_unique), delivered(&mut of_duplicate)]
    });
    let seen = seen.await.map(|changes| changes.iter().map(key_change).collect::<Vec<_>>());
    let [on, off] = [true, false].map(|on| (on, "key", pid(&one)));
    assert_eq!(seen, [vec![on], vec![off], vec![on, on, off, off]]);
    let mut of_unique = unique.subscribe();
    let keys = unique.clone();
    run_step(&one, move |ctx| keys.register(ctx, "key", ())).await.expect("the key is free");
    let refused = run_step(&other, move |ctx| unique.register(ctx, "key", ())).await;
    assert!(matches!(refused, Err(RegisterError::AlreadyRegistered { .. })));
    assert_eq!(
        delivered(&mut of_unique).iter().map(key_change).collect::<Vec<_>>(),
        [on],
        "a failed call changes nothing"
    );
}

/// The four subscriptions whose changes are counted when an end is notified.
struct Listeners {
    names: Subscription<NameChange>,
    unique: Subscription<KeyChange<&'static str>>,
    duplicate: Subscription<KeyChange<&'static str>>,
    groups: Subscription<GroupChange>,
}

impl Listeners {
    async fn after(mut self, monitor: Monitor) -> [usize; 4] {
        monitor.await;
        let groups = delivered(&mut self.groups);
        assert!(groups.iter().all(|change| !change.joined));
        let keys = [delivered(&mut self.unique), delivered(&mut self.duplicate)];
        assert!(keys.iter().flatten().all(|change| !key_change(change).0));
        let names = delivered(&mut self.names);
        assert!(names.iter().all(|change| kind_of(change).0 == "unregistered"));
        [names.len(), keys[0].len(), keys[1].len(), groups.len()]
    }
}

/// In Elixir, listeners are not notified of an end: a listener has to monitor the owners itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c155_changes_of_an_end_are_delivered_before_any_monitor_is_notified() {
    let system = System::new();
    let (unique, duplicate) = (UniqueKeys::<&'static str, Msg>::new(), DuplicateKeys::new());
    let registry = Registry::of(&system);
    for _ in 0..100 {
        let one = scripted_actor(&system).await;
        registry.bind(NAME, &one).expect("the previous owner has ended");
        registry.group(GROUP).join(&one).expect("an incarnation runs");
        let (keys, others) = (unique.clone(), duplicate.clone());
        let registered = run_step(&one, move |ctx| {
            keys.register(ctx, "key", ()).expect("the previous owner has ended");
            others.register(ctx, "key", ()).expect("an incarnation runs");
            others.register(ctx, "another", ()).expect("an incarnation runs");
        });
        registered.await;
        let (names, groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
        let listeners =
            Listeners { names, unique: unique.subscribe(), duplicate: duplicate.subscribe(), groups };
        let received = tokio::spawn(listeners.after(one.monitor()));
        one.kill().expect("an incarnation runs");
        assert_eq!(received.await.expect("the task succeeds"), [1, 1, 2, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn restart_is_reported_as_unregistered_and_then_registered() {
    let (system, keys) = (System::new(), UniqueKeys::<&'static str, Msg>::new());
    let keys_then = keys.clone();
    let (sender, mut started) = mpsc::unbounded_channel();
    let mut managed = ManagedActor::start(&system, move |ctx| {
        keys_then.register(ctx, "key", ()).expect("the previous owner has ended");
        sender.send(ctx.pid()).expect("the test waits");
    })
    .await;
    let mut listener = keys.subscribe();
    managed.restart().await;
    let first = started.recv().await.expect("the actor has started");
    let second = started.recv().await.expect("the actor has restarted");
    let all: Vec<_> = delivered(&mut listener).iter().map(key_change).collect();
    assert_eq!(all, [(false, "key", first), (true, "key", second)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_name_are_delivered_in_the_order_in_which_they_happened() {
    let system = System::new();
    let registry = Registry::of(&system);
    let mut listener = system.subscribe::<NameChange>();
    let actors: Vec<Address<Msg>> =
        vec![scripted_actor(&system).await, scripted_actor(&system).await, scripted_actor(&system).await];
    for _ in 0..20 {
        let threads = actors.iter().cloned().map(|actor| {
            let registry = registry.clone();
            std::thread::spawn(move || {
                for _ in 0..50 {
                    if registry.bind(NAME, &actor).is_ok() {
                        assert!(registry.unbind(NAME, &actor));
                    }
                }
            })
        });
        threads
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|thread| thread.join().expect("the thread succeeds"));
        let all = delivered(&mut listener);
        assert!(!all.is_empty() && all.len() % 2 == 0);
        for pair in all.chunks(2) {
            let (begin, end) = (kind_of(&pair[0]), kind_of(&pair[1]));
            assert_eq!((begin.0, end.0, begin.2), ("registered", "unregistered", end.2));
        }
    }
    assert_eq!(listener.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn slow_listener_counts_missed_changes_and_blocks_no_publisher() {
    let system = System::new();
    let registry = Registry::of(&system);
    let one = scripted_actor(&system).await;
    let mut listener = system.subscribe::<NameChange>();
    for _ in 0..3_000 {
        registry.bind(NAME, &one).expect("the name is free");
        assert!(registry.unbind(NAME, &one));
    }
    let received = delivered(&mut listener).len() as u64;
    assert!(received > 0 && listener.missed() > 0);
    assert_eq!(received + listener.missed(), 6_000);
    kill(&one).await;
}
