//! When a network is opened again: nothing has come from a peer for long, although it is there.
//!
//! Time is counted in ticks, so a process that was stopped does not take the others for silent.

/// The ticks in a lease.
pub(super) const TICKS: u32 = 4;

/// The ticks until the network is opened again for the first time: five leases.
const FIRST: u32 = 5 * TICKS;

/// The most ticks between two openings: a peer that is itself stuck costs the others little.
const MAX: u32 = 64 * FIRST;

/// For how long one peer has said nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// The ticks since the latest packet, or since the peer was seen.
    ticks: u32,
    /// A packet has come.
    was_heard: bool,
}

impl Silence {
    pub(super) const fn end(&mut self) {
        *self = Self { ticks: 0, was_heard: true };
    }

    pub(super) const fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
    }
}

/// The ticks that a peer may be silent. They double with each opening that has not helped.
#[derive(Debug)]
pub(super) struct Watchdog {
    patience: u32,
}

impl Watchdog {
    pub(super) const fn new() -> Self {
        Self { patience: FIRST }
    }

    /// Looks at the peers that this node sends to. Returns `true` if the network has to be opened
    /// again.
    pub(super) fn must_reopen(&mut self, peers: &[Silence]) -> bool {
        let longest = peers.iter().map(|silence| silence.ticks).max().unwrap_or(0);
        if longest >= self.patience {
            self.patience = self.patience.saturating_mul(2).min(MAX);
            return true;
        }
        let is_well = |silence: &Silence| silence.was_heard && silence.ticks < FIRST;
        if !peers.is_empty() && peers.iter().all(is_well) {
            self.patience = FIRST;
        }
        false
    }
}
