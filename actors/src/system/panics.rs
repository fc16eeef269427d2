//! Where panics happened. The payload that an unwinding carries has no place in it; only a panic hook is told.

use std::collections::HashMap;
use std::panic;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use crate::sync::Mutex;

/// Remembers where the last panic of each thread happened, so that [`Panic::location`](crate::Panic::location) can tell.
///
/// A panic hook belongs to the whole process, so a library does not set one unasked: an application that wants
/// locations installs this once and gives it to its systems.
///
/// ```
/// use perennial_actors::{PanicLocations, System};
///
/// let system = System::builder().panic_locations(PanicLocations::install()).build();
/// # let _ = system;
/// ```
#[derive(Clone)]
pub struct PanicLocations(Arc<Mutex<HashMap<ThreadId, String>>>);

impl PanicLocations {
    /// Sets a panic hook that remembers the place and then does what the hook before it did.
    #[must_use]
    pub fn install() -> Self {
        let locations = Self(Arc::new(Mutex::new(HashMap::new())));
        let remembered = locations.clone();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if let Some(location) = info.location() {
                remembered.0.lock().insert(thread::current().id(), location.to_string());
            }
            before(info);
        }));
        locations
    }

    /// Where this thread panicked last; it is forgotten with that.
    pub(crate) fn take(&self) -> Option<String> {
        self.0.lock().remove(&thread::current().id())
    }
}

impl std::fmt::Debug for PanicLocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PanicLocations")
    }
}
