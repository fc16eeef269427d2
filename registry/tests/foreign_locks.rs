//! Keys, values and wakers run under no lock of the registry: they may use it, and a waker may panic.

use std::cell::Cell;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use perennial_actors::{Address, System};
use perennial_registry::{DuplicateKeys, KeyChange, Name, NameChange, Registry, UniqueKeys};
use support::{Msg, have, kill, puppet};

mod support;

const NAME: Name<Msg> = Name::new("name");

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
        drop((key, seen, all.registry.names(), all.registry.metadata::<Self>("name")));
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
        let (mut first, mut last) = (system.subscribe::<NameChange>(), system.subscribe::<NameChange>());
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
