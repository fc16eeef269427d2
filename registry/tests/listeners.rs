//! Who listens is told of every change in order, before the call that made it returns, and before monitors hear of an end.

use perennial_actors::{ActorHandle, Address, Monitor, Pid, Subscription, System};
use perennial_registry::{
    DuplicateKeys, Group, GroupChange, KeyChange, Name, NameChange, RegisterError, Registry, UniqueKeys,
};
use support::{Hosted, Msg, have, kill, pid, puppet};
use tokio::sync::mpsc;

mod support;

const NAME: Name<Msg> = Name::new("name");
const GROUP: Group<Msg> = Group::new("group");

/// What was told so far.
fn told<C: Clone>(listener: &mut Subscription<C>) -> Vec<C> {
    std::iter::from_fn(|| listener.try_next()).collect()
}

/// What became of a name, and whom it led to in the end or leads to now.
fn spell(change: &NameChange) -> (&'static str, &str, &ActorHandle) {
    match change {
        NameChange::Registered { name, actor } => ("registered", name, actor),
        NameChange::Unregistered { name, actor } => ("unregistered", name, actor),
        NameChange::HandedOver { name, to, .. } => ("handed over", name, to),
        other => panic!("{other:?} is new"),
    }
}

fn spell_key(change: &KeyChange<&'static str>) -> (bool, &'static str, Pid) {
    match change {
        KeyChange::Registered { key, pid } => (true, key, *pid),
        KeyChange::Unregistered { key, pid } => (false, key, *pid),
        other => panic!("{other:?} is new"),
    }
}

#[tokio::test(start_paused = true)]
async fn c155_of_names_a_listener_has_been_told_when_the_call_returns() {
    let system = System::new();
    let registry = Registry::of(&system);
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    registry.bind(Name::<Msg>::new("before"), &one).expect("the name is free");
    let mut listener = system.subscribe::<NameChange>();
    registry.bind(NAME, &one).expect("the name is free");
    assert_eq!(
        told(&mut listener).iter().map(spell).collect::<Vec<_>>(),
        [("registered", "name", &one.handle())]
    );
    // Nothing changes by these.
    registry.bind(NAME, &one).expect("it is its own");
    assert!(registry.bind(NAME, &other).is_err() && !registry.unbind(NAME, &other));
    registry.hand_over(NAME, &one, &one).expect("it is its own");
    registry.hand_over(NAME, &one, &other).expect("it is its own");
    let handed = told(&mut listener);
    assert_eq!(handed.iter().map(spell).collect::<Vec<_>>(), [("handed over", "name", &other.handle())]);
    assert!(matches!(&handed[0], NameChange::HandedOver { from, .. } if *from == one.handle()));
    assert!(registry.unbind(NAME, &other));
    let freed = told(&mut listener);
    assert_eq!(freed.iter().map(spell).collect::<Vec<_>>(), [("unregistered", "name", &other.handle())]);
}

#[tokio::test(start_paused = true)]
async fn c155_of_keys_a_listener_has_been_told_when_the_call_returns() {
    let (system, unique) = (System::new(), UniqueKeys::<&'static str, Msg>::new());
    let duplicate = DuplicateKeys::<&'static str, Msg>::new();
    let (mut of_unique, mut of_duplicate) = (unique.subscribe(), duplicate.subscribe());
    let (one, other) = (puppet(&system).await, puppet(&system).await);
    let (unique_then, duplicate_then) = (unique.clone(), duplicate.clone());
    let seen = have(&one, move |ctx| {
        unique_then.register(ctx, "key", ()).expect("the key is free");
        let registered = told(&mut of_unique);
        unique_then.update(ctx, &"key", |()| ()).expect("it is its own");
        unique_then.unregister(ctx, &"key").expect("it is its own");
        duplicate_then.register(ctx, "key", ()).expect("it lives");
        duplicate_then.register(ctx, "key", ()).expect("it lives");
        duplicate_then.unregister(ctx, &"key");
        [registered, told(&mut of_unique), told(&mut of_duplicate)]
    });
    let seen = seen.await.map(|changes| changes.iter().map(spell_key).collect::<Vec<_>>());
    let [on, off] = [true, false].map(|on| (on, "key", pid(&one)));
    assert_eq!(seen, [vec![on], vec![off], vec![on, on, off, off]]);
    let mut of_unique = unique.subscribe();
    let keys = unique.clone();
    have(&one, move |ctx| keys.register(ctx, "key", ())).await.expect("the key is free");
    let refused = have(&other, move |ctx| unique.register(ctx, "key", ())).await;
    assert!(matches!(refused, Err(RegisterError::AlreadyRegistered { .. })));
    assert_eq!(
        told(&mut of_unique).iter().map(spell_key).collect::<Vec<_>>(),
        [on],
        "what fails is no change"
    );
}

/// What all four listeners have been told of an end when somebody hears of it.
struct Listeners {
    names: Subscription<NameChange>,
    unique: Subscription<KeyChange<&'static str>>,
    duplicate: Subscription<KeyChange<&'static str>>,
    groups: Subscription<GroupChange>,
}

impl Listeners {
    async fn after(mut self, monitor: Monitor) -> [usize; 4] {
        monitor.await;
        let groups = told(&mut self.groups);
        assert!(groups.iter().all(|change| !change.joined));
        let keys = [told(&mut self.unique), told(&mut self.duplicate)];
        assert!(keys.iter().flatten().all(|change| !spell_key(change).0));
        let names = told(&mut self.names);
        assert!(names.iter().all(|change| spell(change).0 == "unregistered"));
        [names.len(), keys[0].len(), keys[1].len(), groups.len()]
    }
}

/// In Elixir nobody is told: a listener has to watch who registers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c155_of_an_end_listeners_are_told_before_any_monitor_hears_of_it() {
    let system = System::new();
    let (unique, duplicate) = (UniqueKeys::<&'static str, Msg>::new(), DuplicateKeys::new());
    let registry = Registry::of(&system);
    for _ in 0..100 {
        let one = puppet(&system).await;
        registry.bind(NAME, &one).expect("the one before has ended");
        registry.group(GROUP).join(&one).expect("it lives");
        let (keys, others) = (unique.clone(), duplicate.clone());
        let registered = have(&one, move |ctx| {
            keys.register(ctx, "key", ()).expect("the one before has ended");
            others.register(ctx, "key", ()).expect("it lives");
            others.register(ctx, "another", ()).expect("it lives");
        });
        registered.await;
        let (names, groups) = (system.subscribe::<NameChange>(), system.subscribe::<GroupChange>());
        let listeners =
            Listeners { names, unique: unique.subscribe(), duplicate: duplicate.subscribe(), groups };
        let heard = tokio::spawn(listeners.after(one.monitor()));
        one.kill().expect("it lives");
        assert_eq!(heard.await.expect("it has seen all"), [1, 1, 2, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_told_as_a_key_given_up_and_then_registered() {
    let (system, keys) = (System::new(), UniqueKeys::<&'static str, Msg>::new());
    let keys_then = keys.clone();
    let (tell, mut told_of) = mpsc::unbounded_channel();
    let mut hosted = Hosted::start(&system, move |ctx| {
        keys_then.register(ctx, "key", ()).expect("the one before has ended");
        tell.send(ctx.pid()).expect("the test waits");
    })
    .await;
    let mut listener = keys.subscribe();
    hosted.restart().await;
    let first = told_of.recv().await.expect("it has started");
    let second = told_of.recv().await.expect("it has started again");
    let all: Vec<_> = told(&mut listener).iter().map(spell_key).collect();
    assert_eq!(all, [(false, "key", first), (true, "key", second)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_name_are_told_in_the_order_in_which_they_happened() {
    let system = System::new();
    let registry = Registry::of(&system);
    let mut listener = system.subscribe::<NameChange>();
    let actors: Vec<Address<Msg>> = vec![puppet(&system).await, puppet(&system).await, puppet(&system).await];
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
        threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().expect("it ends well"));
        let all = told(&mut listener);
        assert!(!all.is_empty() && all.len() % 2 == 0);
        for pair in all.chunks(2) {
            let (begin, end) = (spell(&pair[0]), spell(&pair[1]));
            assert_eq!((begin.0, end.0, begin.2), ("registered", "unregistered", end.2));
        }
    }
    assert_eq!(listener.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_slow_knows_how_much_it_has_missed_and_keeps_nobody_waiting() {
    let system = System::new();
    let registry = Registry::of(&system);
    let one = puppet(&system).await;
    let mut listener = system.subscribe::<NameChange>();
    for _ in 0..3_000 {
        registry.bind(NAME, &one).expect("the name is free");
        assert!(registry.unbind(NAME, &one));
    }
    let heard = told(&mut listener).len() as u64;
    assert!(heard > 0 && listener.missed() > 0);
    assert_eq!(heard + listener.missed(), 6_000);
    kill(&one).await;
}
