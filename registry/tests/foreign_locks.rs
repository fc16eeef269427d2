//! Keys, values and wakers run under no lock of the registry: they may use it, and a waker may
//! panic.

use std::cell::Cell;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use perennial_actors::host::{Identity, IncarnationExit, MailboxEvent, Parent};
use perennial_actors::{Address, ExitReason, MailboxConfig, SendError, System};
use perennial_registry::{
    DuplicateKeys, KeyChange, LookupError, Name, NameChange, NamedCastError, Registry, UniqueKeys, Whereis,
};

use crate::support::{Msg, kill, run_step, scripted_actor};

const NAME: Name<Msg> = Name::new("name");

/// Runs a test in a thread of its own, because a lock that is acquired twice blocks for ever.
fn in_time<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("the runtime is built");
        runtime.block_on(test());
        drop(runtime);
        done.send(()).expect("the test waits");
    });
    if finished.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    thread.join().expect("the test succeeds");
}

thread_local! {
    /// Set while foreign code runs on this thread, so that it does not call itself.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The number of times that foreign code has used the registry.
static USES: AtomicUsize = AtomicUsize::new(0);

/// A key or a value whose operations use its own table. All of them have one hash.
struct Reentrant {
    number: u32,
    all: All,
}

#[derive(Clone, Default)]
struct All {
    unique: UniqueKeys<Reentrant, Msg, Reentrant>,
    duplicate: DuplicateKeys<Reentrant, Msg, Reentrant>,
    registry: Registry,
}

impl All {
    fn reentrant(&self, number: u32) -> Reentrant {
        Reentrant { number, all: self.clone() }
    }
}

impl Reentrant {
    fn look(&self) {
        if IS_INSIDE.replace(true) {
            return;
        }
        USES.fetch_add(1, Ordering::Relaxed);
        let all = &self.all;
        let key = all.reentrant(self.number);
        let found = all.unique.lookup(&key).is_some();
        let seen = (found, all.duplicate.lookup(&key).len(), all.unique.select(|_, _| Some(())).len());
        drop((key, seen, all.registry.names(), all.registry.metadata::<Self>("name")));
        IS_INSIDE.set(false);
    }
}

impl PartialEq for Reentrant {
    fn eq(&self, other: &Self) -> bool {
        self.look();
        self.number == other.number
    }
}

impl Eq for Reentrant {}

impl Hash for Reentrant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.look();
        state.write_u32(7);
    }
}

impl Clone for Reentrant {
    fn clone(&self) -> Self {
        self.look();
        self.all.reentrant(self.number)
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.look();
    }
}

impl std::fmt::Debug for Reentrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.look();
        self.number.fmt(f)
    }
}

#[test]
fn keys_and_values_run_their_code_under_no_lock() {
    in_time(|| async {
        let (system, all) = (System::new(), All::default());
        let (one, other) = (scripted_actor(&system).await, scripted_actor(&system).await);
        let mut listeners = (all.unique.subscribe(), all.duplicate.subscribe());
        for owner in [&one, &other] {
            let all = all.clone();
            let count = run_step(owner, move |ctx| {
                for number in 0..20 {
                    // Half of the keys are registered already.
                    let key = all.reentrant(number + 10 * ctx.pid().identity() as u32);
                    drop(all.unique.register(ctx, key, all.reentrant(1)));
                    all.duplicate
                        .register(ctx, all.reentrant(number % 4), all.reentrant(number))
                        .expect("an incarnation runs");
                }
                let key = all.reentrant(10 * ctx.pid().identity() as u32 + 15);
                assert!(all.unique.update(ctx, &key, |old| all.reentrant(old.number + 1)).is_some());
                assert_eq!(all.unique.unregister(ctx, &key).map(|value| value.number), Some(2));
                assert_eq!(
                    all.duplicate.unregister_match(ctx, &all.reentrant(1), |value| value.number > 4).len(),
                    4
                );
                all.duplicate.keys_of(ctx.pid()).len()
            });
            assert_eq!(count.await, 16);
        }
        assert_eq!((all.unique.len(), all.duplicate.len()), (29, 4), "29 keys with one hash");
        assert_eq!(all.duplicate.count_match(&all.reentrant(1), |value| value.number == 1), 2);
        kill(&one).await;
        kill(&other).await;
        assert!(all.unique.is_empty() && all.duplicate.is_empty());
        let changes: Vec<KeyChange<Reentrant>> = std::iter::from_fn(|| listeners.0.try_next()).collect();
        assert_eq!(changes.len(), 62);
        drop((changes, listeners));
        assert!(USES.load(Ordering::Relaxed) > 1_000);
    });
}

/// A waker that uses the registry, and then panics.
struct PanickingWaker(Registry, Address<Msg>, AtomicUsize);

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        self.2.fetch_add(1, Ordering::Relaxed);
        // Without the check, the waker would wake itself for ever.
        if self.2.load(Ordering::Relaxed) == 1 {
            self.0.bind(Name::<Msg>::new("bound by a waker"), &self.1).expect("the name is free");
        }
        panic!("the waker panics");
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
fn waker_that_panics_or_uses_the_registry_does_not_stop_other_wakeups() {
    in_time(|| async {
        let system = System::new();
        let (registry, one) = (Registry::of(&system).clone(), scripted_actor(&system).await);
        let panicking = Arc::new(PanickingWaker(registry.clone(), one.clone(), AtomicUsize::new(0)));
        let count = Arc::new(Count::default());
        let wakers = [Waker::from(panicking.clone()), Waker::from(count.clone())];
        let (mut first, mut last) = (system.subscribe::<NameChange>(), system.subscribe::<NameChange>());
        let (mut first, mut last) = (pin!(first.next()), pin!(last.next()));
        let mut waiting = pin!(registry.wait_for(NAME, Duration::from_secs(3600)));
        let mut other = pin!(registry.wait_for(NAME, Duration::from_secs(3600)));
        assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(last.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        assert!(other.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        registry.bind(NAME, &one).expect("the name is free");
        assert_eq!((panicking.2.load(Ordering::Relaxed), count.0.load(Ordering::Relaxed)), (2, 2));
        for future in [waiting, other] {
            assert!(matches!(future.now(), Some(Ok(found)) if found == one));
        }
        assert!(first.now().flatten().is_some() && last.now().flatten().is_some());
        assert!(registry.whereis(Name::<Msg>::new("bound by a waker")).is_ok());
    });
}

/// A waker that unbinds and binds the name of its actor.
struct Rebinding(Registry, Address<u32>, AtomicUsize);

impl Wake for Rebinding {
    fn wake(self: Arc<Self>) {
        let name = Name::<u32>::new("rebound");
        assert!(self.0.unbind(&name, &self.1));
        self.0.bind(&name, &self.1).expect("the name is free");
        self.2.fetch_add(1, Ordering::Relaxed);
    }
}

struct IgnoresChildren;

impl Parent for IgnoresChildren {
    fn started(&self, _: u64) {}
    fn ended(&self, _: u64, _: IncarnationExit) {}
}

#[test]
fn waker_of_an_actor_that_is_sent_a_message_by_name_may_change_the_name() {
    in_time(|| async {
        let (system, identity) = (System::new(), Identity::<u32>::new(MailboxConfig::bounded(2)));
        identity.open(&system, || "rebound".into());
        let mut consumer = identity.attach(Arc::new(IgnoresChildren), 1).expect("it is open and detached");
        let (name, registry) = (Name::<u32>::new("rebound"), Registry::of(&system).clone());
        registry.bind(&name, &identity.address()).expect("the name is free");
        let rebinding = Arc::new(Rebinding(registry, identity.address(), AtomicUsize::new(0)));
        let waker = Waker::from(rebinding.clone());
        assert!(consumer.poll_next(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((system.cast_to(&name, 7), system.cast_to(&name, 8)), (Ok(()), Ok(())));
        assert_eq!(rebinding.2.load(Ordering::Relaxed), 1, "the second finds the actor awake");
        let full = system.cast_to(&name, 9);
        assert!(matches!(full, Err(NamedCastError::Send(SendError::Full(unsent))) if unsent.message == 9));
        let wrong = system.cast_to(Name::<u8>::new("rebound"), 1);
        assert!(matches!(wrong, Err(NamedCastError::Lookup(LookupError::WrongType { .. }, 1))));
        for message in [7, 8] {
            let next = consumer.poll_next(&mut Context::from_waker(&waker));
            assert!(matches!(next, Poll::Ready(MailboxEvent::Message(next)) if next == message));
        }
        consumer.end(ExitReason::Normal);
        identity.close(&ExitReason::Normal);
        let unbound = system.cast_to(&name, 10);
        assert!(matches!(unbound, Err(NamedCastError::Lookup(LookupError::NotFound(_), 10))));
    });
}

/// Polls a future once.
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
