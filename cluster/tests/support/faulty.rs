//! An engine that loses, doubles, reorders and damages packets.

use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use perennial_cluster::{Engine, EngineSession, Inbox, MemoryEngine, NodeId, OpenFuture, Priority};

/// Of a hundred packets, how many have which fault. Its clones are the same.
#[derive(Clone)]
pub(crate) struct Faults(Arc<Mutex<(Rng, Rates)>>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) lose: u32,
    pub(crate) double: u32,
    pub(crate) reorder: u32,
    pub(crate) damage: u32,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new((Rng::with_seed(seed), Rates::default()))))
    }

    pub(crate) fn set(&self, rates: Rates) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = rates;
    }
}

/// A network in memory, with faults of one node's sending.
pub(crate) struct Faulty {
    pub(crate) engine: MemoryEngine,
    pub(crate) faults: Faults,
}

impl Engine for Faulty {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            let inner = self.engine.open(own, inbox).await?;
            let (faults, held) = (self.faults.clone(), Mutex::new(None));
            let session: Box<dyn EngineSession> = Box::new(FaultySession { inner, faults, held });
            Ok(session)
        })
    }
}

struct FaultySession {
    inner: Box<dyn EngineSession>,
    faults: Faults,
    /// A packet that goes after the next one.
    held: Mutex<Option<(NodeId, Vec<u8>)>>,
}

/// A network in memory, whose sessions panic when they are dropped.
pub(crate) struct Brittle(pub(crate) MemoryEngine);

impl Engine for Brittle {
    fn open(&self, own: NodeId, inbox: Inbox) -> OpenFuture<'_> {
        Box::pin(async move {
            let session: Box<dyn EngineSession> = Box::new(BrittleSession(self.0.open(own, inbox).await?));
            Ok(session)
        })
    }
}

struct BrittleSession(Box<dyn EngineSession>);

impl EngineSession for BrittleSession {
    fn send(&self, to: &NodeId, priority: Priority, packet: Vec<u8>) {
        self.0.send(to, priority, packet);
    }
}

impl Drop for BrittleSession {
    fn drop(&mut self) {
        panic!("the session is brittle");
    }
}

impl EngineSession for FaultySession {
    fn send(&self, to: &NodeId, priority: Priority, mut packet: Vec<u8>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut faults = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rng, rates) = &mut *faults;
        let mut happens = |percent: u32| rng.u32(0..100) < percent;
        let (is_lost, is_doubled, is_held) =
            (happens(rates.lose), happens(rates.double), happens(rates.reorder));
        if happens(rates.damage) {
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..packet.len());
                packet[at] = rng.u8(..);
            }
        }
        drop(faults);
        if is_held {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((to.clone(), packet));
        } else if !is_lost {
            if is_doubled {
                self.inner.send(to, priority, packet.clone());
            }
            self.inner.send(to, priority, packet);
        }
        if let Some((to, packet)) = held {
            self.inner.send(&to, Priority::Stream, packet);
        }
    }
}
