//! What users give runs under no lock of the registry, and a panic there costs nothing but itself.

use std::cell::Cell;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::panic;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use perennial_actors::{Actor, Address, ExitReason, Mailbox, Pid, System};
use perennial_registry::{DuplicateKeys, Group, KeyChange, Name, Registry, Slow, Topic, UniqueKeys};
use support::{Msg, have, kill, pid, puppet};

mod support;

const NAME: Name<Msg> = Name::new("name");

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload breaks");
    }
}

/// Takes numbers as messages, if they can be converted.
struct Picky(Vec<u32>);

enum Number {
    Even(u32),
    All(perennial_actors::Reply<Vec<u32>>),
}

/// Odd ones cannot be converted.
#[derive(Debug)]
struct Said(u32);

impl Clone for Said {
    fn clone(&self) -> Self {
        assert_ne!(self.0, 5, "it cannot be cloned");
        Self(self.0)
    }
}

impl From<Said> for Number {
    fn from(said: Said) -> Self {
        if said.0 % 2 == 1 {
            panic::panic_any(Bomb);
        }
        Self::Even(said.0)
    }
}

impl From<Said> for Msg {
    fn from(said: Said) -> Self {
        Self::Heard(said.0)
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
async fn a_conversion_that_panics_costs_its_subscriber_the_message_and_no_other_subscriber() {
    let system = System::new();
    let topic = Registry::of(&system).topic(Topic::<Said>::new("numbers"));
    let (first, last) = (puppet(&system).await, puppet(&system).await);
    let picky =
        system.spawn::<Picky>(()).mailbox(Mailbox::bounded(NonZeroUsize::MIN)).await.expect("it starts");
    assert!(topic.subscribe(&first, Slow::Skip));
    assert!(topic.subscribe(&picky, Slow::Unsubscribe));
    assert!(topic.subscribe(&last, Slow::Skip));
    for odd in [1, 3] {
        let published = topic.publish(&Said(odd));
        assert_eq!((published.delivered, published.failed, published.removed), (2, 1, 0));
    }
    let published = topic.publish(&Said(5));
    assert_eq!((published.delivered, published.failed), (0, 3), "no copy of it can be made");
    let published = topic.publish(&Said(2));
    assert_eq!((published.delivered, published.failed), (3, 0), "it is a subscriber, and no place was lost");
    assert_eq!(picky.call(Number::All).await.ok(), Some(vec![2]));
    assert_eq!((support::heard(&first).await, support::heard(&last).await), (vec![1, 3, 2], vec![1, 3, 2]));
}

thread_local! {
    /// Set while foreign code runs on this thread, so that it does not call itself.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How often foreign code has used the registry.
static USES: AtomicUsize = AtomicUsize::new(0);

/// A key or a value that uses the table that it is in whenever any of its code runs. All of them have one hash.
struct Nosy {
    number: u32,
    all: All,
}

#[derive(Clone, Default)]
struct All {
    unique: UniqueKeys<Nosy, Msg, Nosy>,
    duplicate: DuplicateKeys<Nosy, Msg, Nosy>,
    registry: Registry,
}

impl All {
    fn nosy(&self, number: u32) -> Nosy {
        Nosy { number, all: self.clone() }
    }
}

impl Nosy {
    fn look(&self) {
        if IS_INSIDE.replace(true) {
            return;
        }
        USES.fetch_add(1, Ordering::Relaxed);
        let all = &self.all;
        let key = all.nosy(self.number);
        let found = all.unique.lookup(&key).is_some();
        let seen = (found, all.duplicate.lookup(&key).len(), all.unique.select(|_, _| Some(())).len());
        drop((key, seen, all.registry.names(), all.registry.description::<Self>("name")));
        IS_INSIDE.set(false);
    }
}

impl PartialEq for Nosy {
    fn eq(&self, other: &Self) -> bool {
        self.look();
        self.number == other.number
    }
}

impl Eq for Nosy {}

impl Hash for Nosy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.look();
        state.write_u32(7);
    }
}

impl Clone for Nosy {
    fn clone(&self) -> Self {
        self.look();
        self.all.nosy(self.number)
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

impl std::fmt::Debug for Nosy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.look();
        self.number.fmt(f)
    }
}

/// Runs a test in a thread of its own, because a lock that is taken twice never comes free.
fn in_time<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, over) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it is built");
        runtime.block_on(test());
        drop(runtime);
        done.send(()).expect("the test waits");
    });
    if over.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    thread.join().expect("it does not fail");
}

#[test]
fn keys_and_values_run_their_code_under_no_lock() {
    in_time(|| async {
        let (system, all) = (System::new(), All::default());
        let (one, other) = (puppet(&system).await, puppet(&system).await);
        let mut listeners = (all.unique.subscribe(), all.duplicate.subscribe());
        for owner in [&one, &other] {
            let all = all.clone();
            let count = have(owner, move |ctx| {
                for number in 0..20 {
                    // Half of them are taken.
                    let key = all.nosy(number + 10 * ctx.pid().identity() as u32);
                    drop(all.unique.register(ctx, key, all.nosy(1)));
                    all.duplicate.register(ctx, all.nosy(number % 4), all.nosy(number)).expect("it lives");
                }
                let key = all.nosy(10 * ctx.pid().identity() as u32 + 15);
                assert!(all.unique.update(ctx, &key, |old| all.nosy(old.number + 1)).is_some());
                assert_eq!(all.unique.unregister(ctx, &key).map(|value| value.number), Some(2));
                assert_eq!(
                    all.duplicate.unregister_match(ctx, &all.nosy(1), |value| value.number > 4).len(),
                    4
                );
                all.duplicate.keys_of(ctx.pid()).len()
            });
            assert_eq!(count.await, 16);
        }
        assert_eq!((all.unique.len(), all.duplicate.len()), (29, 4), "of one hash, and all of them keys");
        assert_eq!(all.duplicate.count_match(&all.nosy(1), |value| value.number == 1), 2);
        kill(&one).await;
        kill(&other).await;
        assert!(all.unique.is_empty() && all.duplicate.is_empty());
        let told: Vec<KeyChange<Nosy>> = std::iter::from_fn(|| listeners.0.try_next()).collect();
        assert_eq!(told.len(), 62);
        drop((told, listeners));
        assert!(USES.load(Ordering::Relaxed) > 1_000);
    });
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
            panic::panic_any(Bomb);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keys_values_and_metadata_that_panic_when_an_actor_ends_cost_no_other_key_name_or_membership() {
    let (system, breaks) = (System::new(), Arc::new(AtomicUsize::new(0)));
    let (unique, duplicate) = (UniqueKeys::default(), DuplicateKeys::default());
    let registry = Registry::of(&system).clone();
    let owner = puppet(&system).await;
    let group = registry.group(Group::<Msg>::new("group"));
    group.join(&owner).expect("it lives");
    let (in_unique, in_duplicate, then, fragile) =
        (unique.clone(), duplicate.clone(), registry.clone(), breaks.clone());
    let fragile = move |number| Fragile(number, fragile.clone());
    have(&owner, move |ctx| {
        for number in 0..10 {
            in_unique.register(ctx, fragile(number), fragile(0)).expect("it is free");
            in_duplicate.register(ctx, fragile(number % 3), fragile(number)).expect("it lives");
            let name: Name<Msg> = Name::from(format!("name {number}"));
            then.bind(&name, &ctx.address()).expect("it is free");
            assert!(then.describe(&name, &ctx.address(), fragile(number)));
        }
    })
    .await;
    breaks.store(1, Ordering::Relaxed);
    let down = owner.monitor();
    owner.kill().expect("it lives");
    assert!(matches!(down.await.reason, ExitReason::Killed));
    assert!(unique.is_empty() && duplicate.is_empty() && registry.names().is_empty());
    assert!(group.members().is_empty());
    // They are dropped in tasks of their own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(breaks.swap(0, Ordering::Relaxed), 1 + 10 + 10 + 10 + 10 + 10, "each of them was dropped");
}

#[tokio::test(start_paused = true)]
async fn tables_that_are_dropped_with_what_is_in_them_survive_every_drop_that_panics() {
    let (system, breaks) = (System::new(), Arc::new(AtomicUsize::new(0)));
    let (unique, registry) = (UniqueKeys::default(), Registry::default());
    let owner = puppet(&system).await;
    let fragile = |number| Fragile(number, breaks.clone());
    for number in 0..10 {
        let name: Name<Msg> = Name::from(format!("name {number}"));
        registry.bind(&name, &owner).expect("it is free");
        assert!(registry.describe(&name, &owner, fragile(number)));
        let (keys, key, value) = (unique.clone(), fragile(number), fragile(number));
        have(&owner, move |ctx| keys.register(ctx, key, value).expect("it is free")).await;
    }
    breaks.store(1, Ordering::Relaxed);
    drop((unique, registry));
    assert_eq!(breaks.swap(0, Ordering::Relaxed), 1 + 10 + 10 + 10);
    kill(&owner).await;
}

/// A waker that uses the registry, and then panics.
struct Broken(Registry, Address<Msg>, AtomicUsize);

impl Wake for Broken {
    fn wake(self: Arc<Self>) {
        self.2.fetch_add(1, Ordering::Relaxed);
        // Told of this one too, it would never end.
        if self.2.load(Ordering::Relaxed) == 1 {
            self.0.bind(Name::<Msg>::new("bound by a waker"), &self.1).expect("it is free");
        }
        panic!("the waker breaks");
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_that_panics_or_uses_the_registry_keeps_no_listener_and_no_waiter_from_its_own() {
    in_time(|| async {
        let system = System::new();
        let (registry, one) = (Registry::of(&system).clone(), puppet(&system).await);
        let broken = Arc::new(Broken(registry.clone(), one.clone(), AtomicUsize::new(0)));
        let count = Arc::new(Count::default());
        let wakers = [Waker::from(broken.clone()), Waker::from(count.clone())];
        let (mut first, mut last) = (registry.subscribe(), registry.subscribe());
        let (mut first, mut last) = (pin!(first.next()), pin!(last.next()));
        let mut waiting = pin!(registry.wait_for(NAME, Duration::from_secs(3600)));
        let mut other = pin!(registry.wait_for(NAME, Duration::from_secs(3600)));
        assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(last.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(other.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        registry.bind(NAME, &one).expect("it is free");
        assert_eq!((broken.2.load(Ordering::Relaxed), count.0.load(Ordering::Relaxed)), (2, 2));
        for future in [waiting, other] {
            assert!(matches!(future.now(), Some(Ok(found)) if found == one));
        }
        assert!(first.now().flatten().is_some() && last.now().flatten().is_some());
        assert!(registry.whereis(Name::<Msg>::new("bound by a waker")).is_ok());
    });
}

/// What a future has to say at once.
trait Now: Future {
    fn now(self) -> Option<Self::Output>;
}

impl<F: Future> Now for F {
    fn now(self) -> Option<F::Output> {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(self).poll(&mut cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_for_a_key_that_panics_leaves_the_key_as_it_was() {
    let system = System::new();
    let (unique, duplicate) =
        (UniqueKeys::<&str, Msg, u32>::default(), DuplicateKeys::<&str, Msg, u32>::default());
    let owner = puppet(&system).await;
    let (in_unique, in_duplicate) = (unique.clone(), duplicate.clone());
    let survived = have(&owner, move |ctx| {
        in_unique.register(ctx, "key", 1).expect("it is free");
        (0..20).for_each(|value| in_duplicate.register(ctx, "key", value).expect("it lives"));
        let survives = |code: &mut dyn FnMut()| panic::catch_unwind(panic::AssertUnwindSafe(code)).is_err();
        let breaks = |_: &u32| -> bool { panic!("it breaks") };
        let at_ten = |value: &u32| if *value == 10 { panic!("it breaks") } else { *value < 10 };
        [
            survives(&mut || assert!(in_unique.update(ctx, &"key", |_| panic!("it breaks")).is_none())),
            survives(&mut || drop(in_unique.select(|_, _| -> Option<()> { panic!("it breaks") }))),
            survives(&mut || drop(in_duplicate.unregister_match(ctx, &"key", breaks))),
            survives(&mut || drop(in_duplicate.unregister_match(ctx, &"key", at_ten))),
            survives(&mut || assert!(in_duplicate.dispatch(&"key", |_| panic!("it breaks")))),
            survives(&mut || assert_eq!(in_duplicate.count_match(&"key", breaks), 0)),
        ]
    });
    assert_eq!(survived.await, [true; 6]);
    assert_eq!(unique.lookup(&"key").map(|entry| entry.value), Some(1));
    let left: Vec<u32> = duplicate.lookup(&"key").into_iter().map(|entry| entry.value).collect();
    assert!(left.iter().copied().eq(10..20), "what came before the panic was given up: {left:?}");
    let owner_pid: Pid = pid(&owner);
    assert_eq!(duplicate.keys_of(owner_pid).len(), 10);
    kill(&owner).await;
    assert!(unique.is_empty() && duplicate.is_empty());
}
