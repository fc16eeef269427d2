//! Users' values in the registry may panic. A panic affects only its own value.

use std::hash::{Hash, Hasher};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use perennial_actors::{Actor, ExitReason, MailboxConfig, Pid, System};
use perennial_registry::{DuplicateKeys, Group, Name, Registry, SlowSubscriberPolicy, Topic, UniqueKeys};

use crate::support;
use crate::support::{Msg, kill, pid, run_step, scripted_actor};

/// A payload that panics when it is dropped.
struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("the payload panics");
    }
}

/// An actor with numbers as messages. Some numbers cannot be converted.
struct Picky(Vec<u32>);

enum Number {
    Even(u32),
    All(perennial_actors::Reply<Vec<u32>>),
}

/// A published number. Odd ones panic in the conversion, and 5 panics in `Clone`.
#[derive(Debug)]
struct Published(u32);

impl Clone for Published {
    fn clone(&self) -> Self {
        assert_ne!(self.0, 5, "5 cannot be cloned");
        Self(self.0)
    }
}

impl From<Published> for Number {
    fn from(number: Published) -> Self {
        if number.0 % 2 == 1 {
            panic::panic_any(PanicOnDrop);
        }
        Self::Even(number.0)
    }
}

impl From<Published> for Msg {
    fn from(number: Published) -> Self {
        Self::Number(number.0)
    }
}

impl Actor for Picky {
    type Msg = Number;
    type Args = ();

    async fn init((): &(), _: &mut perennial_actors::Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(Vec::new()))
    }

    async fn handle(
        &mut self,
        msg: Number,
        _: &mut perennial_actors::Context<Self>,
    ) -> Result<(), ExitReason> {
        match msg {
            Number::Even(number) => self.0.push(number),
            Number::All(reply) => reply.send(self.0.clone()),
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_conversion_loses_the_message_for_its_subscriber_only() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<Published>::new("numbers"));
    let (first, last) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let picky = system.spawn::<Picky>(()).mailbox(MailboxConfig::bounded(1)).await.expect("the actor starts");
    assert!(topic.subscribe(&first, SlowSubscriberPolicy::Skip));
    assert!(topic.subscribe(&picky, SlowSubscriberPolicy::Unsubscribe));
    assert!(topic.subscribe(&last, SlowSubscriberPolicy::Skip));
    for odd in [1, 3] {
        let published = topic.publish(&Published(odd));
        assert_eq!((published.delivered, published.failed, published.removed), (2, 1, 0));
    }
    let published = topic.publish(&Published(5));
    assert_eq!((published.delivered, published.failed), (0, 3), "the message cannot be cloned");
    let published = topic.publish(&Published(2));
    assert_eq!(
        (published.delivered, published.failed),
        (3, 0),
        "the subscription and the mailbox are intact"
    );
    assert_eq!(picky.call(Number::All).await.ok(), Some(vec![2]));
    assert_eq!(
        (support::received(&first).await, support::received(&last).await),
        (vec![1, 3, 2], vec![1, 3, 2])
    );
}

#[tokio::test(start_paused = true)]
async fn panicking_filter_loses_the_message_and_may_panic_in_its_drop() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<u32>::new("numbers"));
    let (picky, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let panic_on_drop = Arc::new(Mutex::new(None));
    let captured = panic_on_drop.clone();
    assert!(topic.subscribe_with(&picky, SlowSubscriberPolicy::Unsubscribe, move |number| {
        // The filter is its last owner.
        let _captured = &captured;
        if number % 2 == 1 {
            panic::panic_any(PanicOnDrop);
        }
        Some(Msg::Number(*number))
    }));
    assert!(topic.subscribe(&other, SlowSubscriberPolicy::Skip));
    for (number, expected) in [(1, (1, 1)), (2, (2, 0)), (3, (1, 1)), (4, (2, 0))] {
        let published = topic.publish(&number);
        assert_eq!((published.delivered, published.failed), expected);
    }
    *panic_on_drop.lock().expect("not poisoned") = Some(PanicOnDrop);
    drop(panic_on_drop);
    assert!(topic.subscribe_with(&picky, SlowSubscriberPolicy::Skip, |_| None), "the old filter is dropped");
    assert_eq!((topic.publish(&5).filtered, topic.publish(&6).delivered), (1, 1));
    assert_eq!(support::received(&picky).await, [2, 4]);
    assert_eq!(support::received(&other).await, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn filter_may_use_its_topic() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<u32>::new("numbers"));
    let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
    let (again, late) = (topic.clone(), other.clone());
    assert!(topic.subscribe_with(&one, SlowSubscriberPolicy::Skip, move |number| {
        again.subscribe(&late, SlowSubscriberPolicy::Skip);
        Some(Msg::Number(*number))
    }));
    assert_eq!(topic.publish(&1).delivered, 1);
    assert_eq!(topic.publish(&2).delivered, 2);
    assert_eq!((support::received(&one).await, support::received(&other).await), (vec![1, 2], vec![2]));
}

/// A message whose second clone panics.
#[derive(Debug)]
struct Note(Arc<AtomicUsize>);

impl Clone for Note {
    fn clone(&self) -> Self {
        assert_ne!(self.0.fetch_add(1, Ordering::Relaxed), 1, "the second copy");
        Self(self.0.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_clone_in_a_broadcast_loses_the_copy_of_one_member() {
    let system = System::new();
    let group = Registry::of(&system).group(Group::<Note>::new("notes"));
    let members = [
        system.spawn::<Reader>(()).await.expect("the actor starts"),
        system.spawn::<Reader>(()).await.expect("the actor starts"),
        system.spawn::<Reader>(()).await.expect("the actor starts"),
    ];
    members.iter().for_each(|member| group.join(member).expect("an incarnation runs"));
    let report = group.broadcast(&Note(Arc::default()));
    assert_eq!((report.delivered, report.refused.len(), report.failed), (2, 0, 1));
    let accepted: Vec<u64> = members.iter().map(|member| member.counters().accepted).collect();
    assert_eq!(accepted, [1, 0, 1]);
}

struct Reader;

impl Actor for Reader {
    type Msg = Note;
    type Args = ();

    async fn init((): &(), _: &mut perennial_actors::Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Note, _: &mut perennial_actors::Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// A value that panics when it is dropped, once the test says so.
#[derive(Clone, Debug)]
struct Fragile(u32, Arc<AtomicUsize>);

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Fragile {}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.1.load(Ordering::Relaxed) > 0 && !std::thread::panicking() {
            self.1.fetch_add(1, Ordering::Relaxed);
            panic::panic_any(PanicOnDrop);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn panicking_drops_at_an_end_affect_no_other_key_name_or_membership() {
    let (system, breaks) = (System::new(), Arc::new(AtomicUsize::new(0)));
    let (unique, duplicate) = (UniqueKeys::default(), DuplicateKeys::default());
    let registry = Registry::of(&system).clone();
    let owner = scripted_actor(&system).await;
    let group = registry.group(Group::<Msg>::new("group"));
    group.join(&owner).expect("an incarnation runs");
    let (in_unique, in_duplicate, then, fragile) =
        (unique.clone(), duplicate.clone(), registry.clone(), breaks.clone());
    let fragile = move |number| Fragile(number, fragile.clone());
    run_step(&owner, move |ctx| {
        for number in 0..10 {
            in_unique.register(ctx, fragile(number), fragile(0)).expect("the name is free");
            in_duplicate.register(ctx, fragile(number % 3), fragile(number)).expect("an incarnation runs");
            let name: Name<Msg> = Name::from(format!("name {number}"));
            then.bind(&name, &ctx.address()).expect("the name is free");
            assert!(then.set_metadata(&name, &ctx.address(), fragile(number)));
        }
    })
    .await;
    breaks.store(1, Ordering::Relaxed);
    let down = owner.monitor();
    owner.kill().expect("an incarnation runs");
    assert!(matches!(down.await.reason, ExitReason::Killed));
    assert!(unique.is_empty() && duplicate.is_empty() && registry.names().is_empty());
    assert!(group.members().is_empty());
    // The values are dropped in tasks of their own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(breaks.swap(0, Ordering::Relaxed), 1 + 10 + 10 + 10 + 10 + 10, "each of them was dropped");
}

#[tokio::test(start_paused = true)]
async fn dropped_tables_survive_panicking_drops_of_their_entries() {
    let (system, breaks) = (System::new(), Arc::new(AtomicUsize::new(0)));
    let (unique, registry) = (UniqueKeys::default(), Registry::default());
    let owner = scripted_actor(&system).await;
    let fragile = |number| Fragile(number, breaks.clone());
    for number in 0..10 {
        let name: Name<Msg> = Name::from(format!("name {number}"));
        registry.bind(&name, &owner).expect("the name is free");
        assert!(registry.set_metadata(&name, &owner, fragile(number)));
        let (keys, key, value) = (unique.clone(), fragile(number), fragile(number));
        run_step(&owner, move |ctx| keys.register(ctx, key, value).expect("the name is free")).await;
    }
    breaks.store(1, Ordering::Relaxed);
    drop((unique, registry));
    assert_eq!(breaks.swap(0, Ordering::Relaxed), 1 + 10 + 10 + 10);
    kill(&owner).await;
}

#[tokio::test(start_paused = true)]
async fn panicking_closure_leaves_the_key_unchanged() {
    let system = System::new();
    let (unique, duplicate) =
        (UniqueKeys::<&str, Msg, u32>::default(), DuplicateKeys::<&str, Msg, u32>::default());
    let owner = scripted_actor(&system).await;
    let (in_unique, in_duplicate) = (unique.clone(), duplicate.clone());
    let survived = run_step(&owner, move |ctx| {
        in_unique.register(ctx, "key", 1).expect("the name is free");
        (0..20).for_each(|value| in_duplicate.register(ctx, "key", value).expect("an incarnation runs"));
        let survives = |code: &mut dyn FnMut()| panic::catch_unwind(panic::AssertUnwindSafe(code)).is_err();
        let breaks = |_: &u32| -> bool { panic!("the closure panics") };
        let at_ten = |value: &u32| if *value == 10 { panic!("the closure panics") } else { *value < 10 };
        [
            survives(&mut || {
                assert!(in_unique.update(ctx, &"key", |_| panic!("the closure panics")).is_none())
            }),
            survives(&mut || drop(in_unique.select(|_, _| -> Option<()> { panic!("the closure panics") }))),
            survives(&mut || drop(in_duplicate.unregister_match(ctx, &"key", breaks))),
            survives(&mut || drop(in_duplicate.unregister_match(ctx, &"key", at_ten))),
            survives(&mut || assert!(in_duplicate.dispatch(&"key", |_| panic!("the closure panics")))),
            survives(&mut || assert_eq!(in_duplicate.count_match(&"key", breaks), 0)),
        ]
    });
    assert_eq!(survived.await, [true; 6]);
    assert_eq!(unique.lookup(&"key").map(|entry| entry.value), Some(1));
    let left: Vec<u32> = duplicate.lookup(&"key").into_iter().map(|entry| entry.value).collect();
    assert!(left.iter().copied().eq(10..20), "entries before the panic were unregistered: {left:?}");
    let owner_pid: Pid = pid(&owner);
    assert_eq!(duplicate.keys_of(owner_pid).len(), 10);
    kill(&owner).await;
    assert!(unique.is_empty() && duplicate.is_empty());
}
