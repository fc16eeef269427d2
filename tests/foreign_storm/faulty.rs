//! Values that panic at random wherever users' code runs: in `Drop`, `Display`, `Debug`, `Clone`, `From` and wakers.
//!
//! Two panics in one unwinding abort a Rust program. So no frame of these files holds two faulty values: whatever aborts
//! is a frame of the library.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any, set_hook, take_hook};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Wake, Waker};

use tokio::sync::watch;

/// The text of the panics that are meant.
const FAULT: &str = "a fault of the storm";

/// The number of payloads in a chain of which each panics when it is dropped. A chain of nine is leaked.
const PAYLOADS: u64 = 4;

/// Returns a number that seems to have nothing to do with the given one: SplitMix64.
pub(crate) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Random numbers from a seed.
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

/// Where a fault strikes.
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

/// What the faulty values of one storm share.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Shared>);

struct Shared {
    seed: u64,
    drawn: AtomicU64,
    is_armed: AtomicBool,
    /// `true` from the moment on at which handlers do nothing bad any more.
    calm: watch::Sender<bool>,
    created: AtomicU64,
    live: AtomicI64,
    panics: [AtomicU64; PLACES.len()],
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        report_only_what_is_not_meant();
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

    /// Lets values panic from now on, or keeps them from it.
    pub(crate) fn arm(&self, is_armed: bool) {
        self.0.is_armed.store(is_armed, Ordering::SeqCst);
    }

    /// Ends handlers that hang, and has the others do nothing bad.
    pub(crate) fn calm_down(&self) {
        self.0.calm.send_replace(true);
    }

    pub(crate) fn is_calm(&self) -> bool {
        *self.0.calm.borrow()
    }

    /// Returns when the storm is over.
    pub(crate) async fn calm(&self) {
        let _ = self.0.calm.subscribe().wait_for(|calm| *calm).await;
    }

    /// Returns a number below `end`.
    pub(crate) fn draw(&self, end: u64) -> u64 {
        let number = self.0.drawn.fetch_add(1, Ordering::Relaxed);
        mixed(self.0.seed ^ number) % end
    }

    /// Returns `true` in one of `of` cases, while armed.
    pub(crate) fn strikes(&self, of: u64) -> bool {
        self.0.is_armed.load(Ordering::SeqCst) && self.draw(of) == 0
    }

    /// Panics in one of `of` cases, while armed. The caller's frame holds no faulty value.
    pub(crate) fn strike(&self, place: Place, of: u64) {
        if self.strikes(of) {
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

    /// Makes a value.
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

    /// Returns how often a fault has struck, in all and by place.
    pub(crate) fn panics(&self) -> (u64, Vec<(Place, u64)>) {
        let counts = self.0.panics.iter().map(|count| count.load(Ordering::Relaxed));
        let by_place: Vec<(Place, u64)> = PLACES.into_iter().zip(counts).collect();
        (by_place.iter().map(|(_, count)| count).sum(), by_place)
    }

    pub(crate) fn created(&self) -> u64 {
        self.0.created.load(Ordering::Relaxed)
    }
}

/// A user's value that may panic in whatever is done to it. It is an error, a message, a state, a payload, whatever is needed.
pub(crate) struct Faulty {
    pub(crate) faults: Faults,
    /// The number of panics that its `Drop` leads to: one that is text, after payloads that panic in their `Drop`.
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
        if self.faults.strikes(of) { self.throw(place) } else { self }
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

/// Drops a value that may panic, and the payloads of its panics, one after the other.
pub(crate) fn drop_safely<T>(value: T) {
    let mut dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    while let Err(payload) = dropped {
        dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    }
}

/// Runs code that may panic with what is meant; `None` if it does.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).map_err(drop_safely).ok()
}

/// Polls a future with wakers that panic at random, when they have woken. tokio's timers do not stand them: for what waits
/// for things of the library only.
pub(crate) async fn with_faulty_waker<F: Future>(faults: Faults, future: F) -> F::Output {
    struct FaultyWaker(Waker, Faults);

    impl Wake for FaultyWaker {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.wake_by_ref();
            self.1.strike(Place::Waker, 4);
        }
    }

    let mut future = pin!(future);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(FaultyWaker(cx.waker().clone(), faults.clone())));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// The places of panics that are not meant, on any thread. Failed assertions of these files are not among them.
static UNEXPECTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns the panics of the library's own code so far.
pub(crate) fn unexpected_panics() -> Vec<String> {
    UNEXPECTED.lock().expect("not poisoned").clone()
}

/// Prints panics as before, but for those that are meant.
fn report_only_what_is_not_meant() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            if is_meant(panic.payload()) {
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

fn is_meant(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Faulty>() || payload.downcast_ref::<&str>() == Some(&FAULT)
}
