//! Conditions on the exit reason, which decide whether a child restarts.

use std::fmt;
use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::Foreign;

/// The user's function of a condition.
type ConditionFn = dyn Fn(&ExitReason) -> bool + Send + Sync;

/// A condition that decides whether a child restarts. It is the user's code.
#[derive(Clone)]
pub(crate) struct RestartCondition(Arc<Foreign<Box<ConditionFn>>>);

impl RestartCondition {
    pub(crate) fn new(condition: impl Fn(&ExitReason) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Foreign::new(Box::new(condition))))
    }

    /// Evaluates the condition, which may panic and block.
    pub(crate) fn evaluate(&self, reason: &ExitReason) -> bool {
        (**self.0)(reason)
    }
}

impl PartialEq for RestartCondition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for RestartCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestartCondition(..)")
    }
}
