//! A supervisor: a group of children, and what to do when one of them ends.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::child::ChildSpec;
use super::error::SpecError;
use super::policy::{Intensity, Restart, Strategy};

/// The spec of a supervisor, which may be the root of a tree or a child of another.
///
/// Unless set otherwise it restarts one for one, gives up at the second restart within 5 seconds, and is permanent as a
/// child. As a child it is always given as long as it takes to stop: it has children of its own to wait for.
#[must_use = "a supervisor does nothing until it is started"]
pub struct Supervisor {
    pub(crate) plan: Plan,
    pub(crate) restart: Restart,
}

/// What a supervisor needs to know to run.
pub(crate) struct Plan {
    pub(crate) id: Arc<str>,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) patience: Duration,
    pub(crate) children: Vec<ChildSpec>,
}

/// How long a child that was killed may take to die before it is abandoned, unless set otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

impl Supervisor {
    /// A supervisor without children.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            plan: Plan {
                id: id.into(),
                strategy: Strategy::default(),
                intensity: Intensity::default(),
                patience: PATIENCE,
                children: Vec::new(),
            },
            restart: Restart::default(),
        }
    }

    /// Sets who is restarted with a child that is.
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.plan.strategy = strategy;
        self
    }

    /// Sets how many restarts within how long it takes before it gives up.
    pub const fn intensity(mut self, restarts: u32, period: Duration) -> Self {
        self.plan.intensity = Intensity { restarts, period };
        self
    }

    /// Adds a child, which is started after those before it and stopped before them.
    pub fn child(mut self, child: impl Into<ChildSpec>) -> Self {
        self.plan.children.push(child.into());
        self
    }

    /// Adds children in order.
    pub fn children(mut self, children: impl IntoIterator<Item = impl Into<ChildSpec>>) -> Self {
        self.plan.children.extend(children.into_iter().map(Into::into));
        self
    }

    /// Sets which of its own ends call for a restart, when it is a child. It ends with a clean reason when it gives up: a
    /// transient supervisor then stays down, as in OTP.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Sets how long a child that was killed may take to die before its mailbox is taken away from it; 5 seconds
    /// unless set. Code that never awaits cannot be killed; OTP has no such thing.
    pub const fn abandon_after(mut self, patience: Duration) -> Self {
        self.plan.patience = patience;
        self
    }

    /// Whether it could be started. Starting it checks the same, first.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, here or below.
    pub fn check(&self) -> Result<(), SpecError> {
        self.plan.check()
    }
}

impl Plan {
    fn check(&self) -> Result<(), SpecError> {
        if self.intensity.period.is_zero() {
            return Err(SpecError::ZeroPeriod { supervisor: self.id.clone() });
        }
        let mut ids = HashSet::new();
        for child in &self.children {
            if let Some(error) = &child.error {
                return Err(error.clone());
            }
            if !ids.insert(&child.id) {
                return Err(SpecError::DuplicateId { supervisor: self.id.clone(), id: child.id.clone() });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("id", &self.plan.id)
            .field("strategy", &self.plan.strategy)
            .field("children", &self.plan.children)
            .finish_non_exhaustive()
    }
}
