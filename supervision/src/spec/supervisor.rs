//! What a supervisor has to know to run.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::child::ChildSpec;
use super::error::SpecError;
use crate::policy::{AutoShutdown, Intensity, Restart, RestartLimit, Strategy, SupervisorKind};

/// How long a child that was killed may take to die before it is abandoned, unless set otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a supervisor has to know to run, whichever incarnation of it does.
#[derive(Debug)]
pub(crate) struct SupervisorSpec {
    pub(crate) kind: SupervisorKind,
    pub(crate) intensity: RestartLimit,
    pub(crate) kill_grace: Duration,
    pub(crate) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    pub(crate) fn ordered() -> Self {
        let kind =
            SupervisorKind::Static { strategy: Strategy::default(), auto_shutdown: AutoShutdown::default() };
        Self::new(kind, Intensity::default().into())
    }

    pub(crate) fn dynamic() -> Self {
        Self::new(SupervisorKind::Dynamic { max_children: usize::MAX }, RestartLimit::PerChildren)
    }

    const fn new(kind: SupervisorKind, intensity: RestartLimit) -> Self {
        Self { kind, intensity, kill_grace: PATIENCE, children: Vec::new() }
    }

    /// The first thing that is wrong with it, or below.
    pub(crate) fn check(&self, supervisor: &Arc<str>) -> Result<(), SpecError> {
        self.check_as(self.kind, supervisor)
    }

    /// The same, for a supervisor that is to be of another kind than it says yet.
    pub(crate) fn check_as(&self, kind: SupervisorKind, supervisor: &Arc<str>) -> Result<(), SpecError> {
        if matches!(self.intensity, RestartLimit::Fixed(intensity) if intensity.period.is_zero()) {
            return Err(SpecError::ZeroPeriod { supervisor: supervisor.clone() });
        }
        let mut ids = HashSet::new();
        for child in &self.children {
            check_child(kind, child, supervisor)?;
            if !ids.insert(&child.id) {
                return Err(SpecError::DuplicateId { supervisor: supervisor.clone(), id: child.id.clone() });
            }
        }
        Ok(())
    }

    /// What is wrong with a child of this supervisor.
    pub(crate) fn check_child(&self, child: &ChildSpec, supervisor: &Arc<str>) -> Result<(), SpecError> {
        check_child(self.kind, child, supervisor)
    }
}

fn check_child(kind: SupervisorKind, child: &ChildSpec, supervisor: &Arc<str>) -> Result<(), SpecError> {
    if let Some(error) = &child.error {
        return Err((**error).clone());
    }
    let id = child.id.clone();
    if child.policy.significant {
        if child.policy.restart == Restart::Permanent {
            return Err(SpecError::SignificantPermanent { id });
        }
        let heeded = matches!(kind, SupervisorKind::Static { auto_shutdown, .. } if auto_shutdown != AutoShutdown::Never);
        if !heeded {
            return Err(SpecError::SignificantForNothing { supervisor: supervisor.clone(), id });
        }
    }
    match &child.policy.liveness {
        Some(liveness) if liveness.is_impossible() => Err(SpecError::ZeroLiveness { id }),
        _ => Ok(()),
    }
}
