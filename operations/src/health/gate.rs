//! Gates: what keeps a tree from being ready beside its children.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use perennial_actors::System;
use perennial_actors::host::sync::Mutex;

/// A condition for the readiness of the trees of a system, beside their children: a readiness gate
/// of Kubernetes.
///
/// It is closed until it is opened. The trees are not ready while a gate is closed. A gate that is
/// dropped is gone: an actor that keeps one in its state has one as long as its incarnation lives,
/// and while the actor is down, that is the reason.
///
/// # Examples
///
/// ```
/// use perennial_actors::System;
/// use perennial_operations::{Health, ReadinessGate};
/// use perennial_supervision::Supervisor;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let app = Supervisor::new("app").start(&system).await?;
/// let cache = ReadinessGate::new(&system, "cache");
/// assert_eq!(Health::of(&app).await.to_string(), "not ready: cache is closed");
/// cache.set_open(true);
/// assert!(Health::of(&app).await.is_ready());
/// # assert!(app.shutdown().await.is_clean());
/// # Ok(())
/// # }
/// ```
#[must_use = "the gate is gone when it is dropped"]
pub struct ReadinessGate {
    system: System,
    number: u64,
}

/// The gates of one system.
#[derive(Default)]
pub(super) struct Gates(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    /// The names, and whether the gates are open.
    gates: BTreeMap<u64, (Arc<str>, bool)>,
}

impl ReadinessGate {
    /// Creates a closed gate for all trees of a system. The name is that in the reasons.
    pub fn new(system: &System, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let mut table = Gates::of(system).0.lock();
        let number = table.next;
        table.next += 1;
        table.gates.insert(number, (name, false));
        drop(table);
        Self { system: system.clone(), number }
    }

    /// Opens or closes the gate.
    pub fn set_open(&self, open: bool) {
        if let Some((_, is_open)) = Gates::of(&self.system).0.lock().gates.get_mut(&self.number) {
            *is_open = open;
        }
    }
}

impl Gates {
    pub(super) fn of(system: &System) -> &Self {
        system.extension(Self::default)
    }

    /// Returns the names of the closed gates, the oldest first.
    pub(super) fn closed(&self) -> Vec<Arc<str>> {
        let table = self.0.lock();
        table.gates.values().filter(|(_, is_open)| !is_open).map(|(name, _)| name.clone()).collect()
    }
}

impl Drop for ReadinessGate {
    fn drop(&mut self) {
        let removed = Gates::of(&self.system).0.lock().gates.remove(&self.number);
        drop(removed);
    }
}

impl fmt::Debug for ReadinessGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadinessGate").field("number", &self.number).finish_non_exhaustive()
    }
}
