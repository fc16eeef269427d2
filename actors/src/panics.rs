//! The locations of panics. The payload of a panic carries no location; only a panic hook receives
//! it.
//!
//! The hook stores each location with the thread that panicked, under a number. A guarded section
//! records the next number when it begins. If the section ends with a panic, it takes the last
//! location from that number on. So a panic without a location, as `resume_unwind` makes it, never
//! gets the location of an older panic. A thread keeps few locations, and they are dropped with the
//! thread.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic;

/// The number of locations that a thread keeps. More than one: a panic may be caught while another
/// unwinds.
const KEPT: usize = 8;

thread_local! {
    /// The number of the next location of this thread.
    static NEXT: Cell<u64> = const { Cell::new(0) };
    /// The locations that no guarded section has taken yet, with their numbers, in order.
    static LOCATIONS: RefCell<Vec<(u64, String)>> = const { RefCell::new(Vec::new()) };
}

/// Records where panics happen, for [`Panic::location`](crate::Panic::location).
///
/// A panic hook belongs to the whole process, so a library does not set one by itself. An
/// application that wants locations installs this once and gives it to its systems. The log line of
/// a crash and the [`ExitReason`](crate::ExitReason) then contain the location.
///
/// A panic that [`resume_unwind`](std::panic::resume_unwind) passes on from another thread has no
/// location, because no hook is called for it. It does not get the location of an older panic,
/// unless code in the same poll of the actor's task has caught that one.
///
/// # Examples
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
    /// Installs a panic hook that records the location and then calls the previous hook.
    ///
    /// Each thread keeps at most the last 8 locations, until it ends.
    #[must_use]
    pub fn install() -> Self {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if let Some(location) = info.location() {
                record(location.to_string());
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

/// Stores a location, and drops the oldest if there are too many. Does nothing in a thread that is
/// ending.
fn record(location: String) {
    let number = NEXT.get();
    NEXT.set(number + 1);
    let _ = LOCATIONS.try_with(|locations| {
        let Ok(mut locations) = locations.try_borrow_mut() else { return };
        if locations.len() == KEPT {
            locations.remove(0);
        }
        locations.push((number, location));
    });
}

/// A section of code whose panics are caught at its end.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    first: u64,
}

impl Section {
    /// Begins a section on this thread. Earlier locations do not belong to it.
    pub(crate) fn begin() -> Self {
        Self { first: NEXT.get() }
    }

    /// Returns the location of the panic that ended the section, if the hook recorded it. Drops all
    /// locations of the section.
    pub(crate) fn location(self) -> Option<String> {
        // The usual case: no hook is installed, so no location was recorded.
        if NEXT.get() == self.first {
            return None;
        }
        let take = |locations: &RefCell<Vec<(u64, String)>>| {
            let mut locations = locations.try_borrow_mut().ok()?;
            let own = locations.partition_point(|(number, _)| *number < self.first);
            locations.drain(own..).next_back().map(|(_, location)| location)
        };
        LOCATIONS.try_with(take).ok().flatten()
    }
}
