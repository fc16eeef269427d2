//! The time of a binding: that of the wall clock, and after every binding that was seen before.

/// A hybrid clock. Of two bindings, one that was made with the other in view is the later one,
/// whatever the clocks of their machines say.
#[derive(Debug, Default)]
pub(crate) struct HybridClock(u64);

impl HybridClock {
    /// Returns the time of a binding that is made now, in milliseconds since 1970.
    pub(crate) fn next(&mut self, wall: u64) -> u64 {
        self.0 = wall.max(self.0.saturating_add(1));
        self.0
    }

    /// Takes note of the time of a binding elsewhere.
    pub(crate) fn observe(&mut self, time: u64) {
        self.0 = self.0.max(time);
    }
}
