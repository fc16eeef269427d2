//! The places of panics. The payload that an unwinding carries has no place in it; only a panic hook is told.
//!
//! The hook keeps each place with the thread that panicked, under a number. A guarded section begins with the number that comes next, and
//! asks for a place only if the section ends with a panic: then it is the last one from that number on. So a place of an older panic is
//! never taken for that of a panic without one, as `resume_unwind` makes them. A thread keeps few places, and they end with it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic;

/// The number of places that a thread keeps. More than one, because a panic may be caught inside while another one unwinds.
const KEPT: usize = 8;

thread_local! {
    /// The number of the next place of this thread.
    static NEXT: Cell<u64> = const { Cell::new(0) };
    /// The places that no guarded section has asked for yet, with their numbers, in order.
    static PLACES: RefCell<Vec<(u64, String)>> = const { RefCell::new(Vec::new()) };
}

/// Remembers where panics happened, so that [`Panic::location`](crate::Panic::location) can tell.
///
/// A panic hook belongs to the whole process, so a library does not set one unasked: an application that wants
/// locations installs this once and gives it to its systems.
///
/// A panic that [`resume_unwind`](std::panic::resume_unwind) passes on from another thread has no location, because no hook is called for
/// it. It is not given that of an older panic, unless code that the same poll of the actor's task ran has caught one.
///
/// With it, the log line of a crash and [`ExitReason`](crate::ExitReason) have the place of the panic.
///
/// ```
/// use perennial_actors::{PanicLocations, System};
///
/// let system = System::builder().panic_locations(PanicLocations::install()).build();
/// # let _ = system;
/// ```
#[derive(Clone)]
pub struct PanicLocations(());

impl PanicLocations {
    /// Sets a panic hook that remembers the place and then does what the hook before it did.
    ///
    /// Each thread keeps the last 8 places at most, until it ends.
    #[must_use]
    pub fn install() -> Self {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if let Some(location) = info.location() {
                keep(location.to_string());
            }
            before(info);
        }));
        Self(())
    }
}

impl fmt::Debug for PanicLocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PanicLocations")
    }
}

/// Keeps a place, and forgets the oldest if there are too many. Does nothing in a thread that is about to end.
fn keep(place: String) {
    let number = NEXT.get();
    NEXT.set(number + 1);
    let _ = PLACES.try_with(|places| {
        let Ok(mut places) = places.try_borrow_mut() else { return };
        if places.len() == KEPT {
            places.remove(0);
        }
        places.push((number, place));
    });
}

/// A section of code whose panics are caught at its end.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    first: u64,
}

impl Section {
    /// Begins a section on this thread. Places from before it are not its own.
    pub(crate) fn begin() -> Self {
        Self { first: NEXT.get() }
    }

    /// Returns the place of the panic that ended the section, if a hook was told of it, and forgets all places of the section.
    pub(crate) fn place(self) -> Option<String> {
        // No panic, no place: this is the usual case where nothing is installed.
        if NEXT.get() == self.first {
            return None;
        }
        let take = |places: &RefCell<Vec<(u64, String)>>| {
            let mut places = places.try_borrow_mut().ok()?;
            let own = places.partition_point(|(number, _)| *number < self.first);
            places.drain(own..).next_back().map(|(_, place)| place)
        };
        PLACES.try_with(take).ok().flatten()
    }
}
