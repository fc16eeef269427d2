//! Values that panic at random in users' code: `Drop`, `Display`, `Debug`, `Clone`, `From` and
//! wakers.
//!
//! Two panics in one unwinding abort a Rust program. No frame of these files holds two faulty
//! values, so an abort is caused by a frame of the library.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any, set_hook, take_hook};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Wake, Waker};

use tokio::sync::watch;

/// The payload of injected panics.
const FAULT: &str = "an injected fault";

/// The longest chain of payloads that panic when they are dropped. A chain of nine is leaked.
const PAYLOADS: u64 = 4;

/// Returns a pseudo-random number for the given one: SplitMix64.
pub(crate) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A random number generator with a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 = mixed(self.0);
        self.0 % end
    }
}

/// The kind of code in which a fault is injected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Drop,
    Display,
    Debug,
    Clone,
    From,
    Waker,
    Log,
    Handler,
    Init,
    Terminate,
    Future,
    Closure,
    Worker,
    Key,
}

const PLACES: [Place; 14] = [
    Place::Drop,
    Place::Display,
    Place::Debug,
    Place::Clone,
    Place::From,
    Place::Waker,
    Place::Log,
    Place::Handler,
    Place::Init,
    Place::Terminate,
    Place::Future,
    Place::Closure,
    Place::Worker,
    Place::Key,
];

/// The shared state of the faulty values of one storm.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Shared>);

struct Shared {
    seed: u64,
    drawn: AtomicU64,
    is_armed: AtomicBool,
    /// `true` once handlers must not fail any more.
    calm: watch::Sender<bool>,
    created: AtomicU64,
    live: AtomicI64,
    panics: [AtomicU64; PLACES.len()],
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        hide_injected_panics();
        Self(Arc::new(Shared {
            seed: mixed(seed),
            drawn: AtomicU64::new(0),
            is_armed: AtomicBool::new(false),
            calm: watch::Sender::new(false),
            created: AtomicU64::new(0),
            live: AtomicI64::new(0),
            panics: Default::default(),
        }))
    }

    /// Enables or disables panics.
    pub(crate) fn arm(&self, is_armed: bool) {
        self.0.is_armed.store(is_armed, Ordering::SeqCst);
    }

    /// Ends hanging handlers, and makes the others succeed.
    pub(crate) fn calm_down(&self) {
        self.0.calm.send_replace(true);
    }

    pub(crate) fn is_calm(&self) -> bool {
        *self.0.calm.borrow()
    }

    /// Waits until the storm is over.
    pub(crate) async fn calm(&self) {
        let _ = self.0.calm.subscribe().wait_for(|calm| *calm).await;
    }

    /// Returns a number below `end`.
    pub(crate) fn draw(&self, end: u64) -> u64 {
        let number = self.0.drawn.fetch_add(1, Ordering::Relaxed);
        mixed(self.0.seed ^ number) % end
    }

    /// Returns `true` in one of `of` cases, while armed.
    pub(crate) fn triggers(&self, of: u64) -> bool {
        self.0.is_armed.load(Ordering::SeqCst) && self.draw(of) == 0
    }

    /// Panics in one of `of` cases, while armed. The caller's frame holds no faulty value.
    pub(crate) fn maybe_panic(&self, place: Place, of: u64) {
        if self.triggers(of) {
            self.panic(place);
        }
    }

    pub(crate) fn panic(&self, place: Place) -> ! {
        self.count(place);
        panic_any(FAULT)
    }

    fn count(&self, place: Place) {
        self.0.panics[place as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Creates a faulty value.
    pub(crate) fn value(&self) -> Faulty {
        let chain = match self.draw(100) {
            0..70 => 0,
            70..92 => 1,
            _ => 2 + self.draw(PAYLOADS - 1),
        };
        self.chained(chain)
    }

    fn chained(&self, chain: u64) -> Faulty {
        self.0.live.fetch_add(1, Ordering::SeqCst);
        self.0.created.fetch_add(1, Ordering::Relaxed);
        Faulty { faults: self.clone(), chain, on_display: self.draw(5) == 0, on_clone: self.draw(8) == 0 }
    }

    /// Returns the number of values that were not dropped.
    pub(crate) fn live(&self) -> i64 {
        self.0.live.load(Ordering::SeqCst)
    }

    /// Returns the number of injected panics, in total and by place.
    pub(crate) fn panics(&self) -> (u64, Vec<(Place, u64)>) {
        let counts = self.0.panics.iter().map(|count| count.load(Ordering::Relaxed));
        let by_place: Vec<(Place, u64)> = PLACES.into_iter().zip(counts).collect();
        (by_place.iter().map(|(_, count)| count).sum(), by_place)
    }

    pub(crate) fn created(&self) -> u64 {
        self.0.created.load(Ordering::Relaxed)
    }
}

/// A user's value whose operations may panic. It serves as an error, a message, a state or a
/// payload.
pub(crate) struct Faulty {
    pub(crate) faults: Faults,
    /// The number of panics that its `Drop` causes. The last payload is a text; the others panic in
    /// their `Drop`.
    chain: u64,
    on_display: bool,
    on_clone: bool,
}

impl Faulty {
    /// Panics with itself as the payload.
    pub(crate) fn throw(self, place: Place) -> ! {
        self.faults.count(place);
        panic_any(self)
    }

    /// Panics in one of `of` cases, while armed, with itself as the payload.
    pub(crate) fn throw_sometimes(self, place: Place, of: u64) -> Self {
        if self.faults.triggers(of) { self.throw(place) } else { self }
    }

    fn fails(&self, fails: bool, place: Place) {
        if fails && self.faults.0.is_armed.load(Ordering::SeqCst) {
            self.faults.panic(place);
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.faults.0.live.fetch_sub(1, Ordering::SeqCst);
        if self.chain > 0 && self.faults.0.is_armed.load(Ordering::SeqCst) {
            match self.chain {
                1 => self.faults.panic(Place::Drop),
                chain => self.faults.chained(chain - 1).throw(Place::Drop),
            }
        }
    }
}

impl Clone for Faulty {
    fn clone(&self) -> Self {
        self.fails(self.on_clone, Place::Clone);
        self.faults.value()
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fails(self.on_display, Place::Display);
        f.write_str("faulty")
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fails(self.on_display, Place::Debug);
        f.write_str("Faulty")
    }
}

impl std::error::Error for Faulty {}

/// Drops a value that may panic, and then the payloads of its panics one after the other.
pub(crate) fn drop_safely<T>(value: T) {
    let mut dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    while let Err(payload) = dropped {
        dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
}

/// Runs code with injected panics. Returns `None` if it panics.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).map_err(drop_safely).ok()
}

/// Polls a future with wakers that panic at random after the wakeup. tokio's timers do not tolerate
/// such wakers, so it is only for futures of the library.
pub(crate) async fn with_faulty_waker<F: Future>(faults: Faults, future: F) -> F::Output {
    struct FaultyWaker(Waker, Faults);

    impl Wake for FaultyWaker {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.wake_by_ref();
            self.1.maybe_panic(Place::Waker, 4);
        }
    }

    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(FaultyWaker(cx.waker().clone(), faults.clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// The locations of unexpected panics on any thread. Failed assertions of these files are not
/// included.
static UNEXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns the locations of the library's own panics so far.
pub(crate) fn unexpected_panics() -> Vec<String> {
    UNEXPECTED.lock().expect("not poisoned").clone()
}

/// Hides injected panics and prints all others.
fn hide_injected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            if is_injected(panic.payload()) {
                return;
            }
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            if !location.starts_with("tests/") {
                UNEXPECTED.lock().expect("not poisoned").push(location);
            }
            before(panic);
        }));
    });
}

fn is_injected(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Faulty>() || payload.downcast_ref::<&str>() == Some(&FAULT)
}
