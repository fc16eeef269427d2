//! A hash that all nodes compute alike, whichever Rust they were built with.

use std::hash::{Hash, Hasher};

use perennial_actors::host::mix;

/// FNV-1a, whose result is mixed.
struct StableHasher(u64);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

/// Returns how strongly a key prefers a member. The one with the highest weight gets it.
pub(super) fn weight(member: impl Hash, key: &impl Hash) -> u64 {
    let mut hasher = StableHasher(0xcbf2_9ce4_8422_2325);
    member.hash(&mut hasher);
    // What follows is mixed with all of the member, so that similar members are not similar here.
    let mut hasher = StableHasher(hasher.finish());
    key.hash(&mut hasher);
    hasher.finish()
}
