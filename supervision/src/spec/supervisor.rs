//! The spec of a supervisor, and the values that it accepts as a list of children.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::child::ChildSpec;
use super::error::SpecError;
use crate::policy::{AutoShutdown, Intensity, Restart, RestartLimit, Strategy, SupervisorKind};

/// The default time after a kill until a child that has not exited is abandoned.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// The settings and the children with which every incarnation of a supervisor starts.
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
        Self { kind, intensity, kill_grace: KILL_GRACE, children: Vec::new() }
    }

    /// Returns the first error in this spec or below it.
    pub(crate) fn check(&self, supervisor: &Arc<str>) -> Result<(), SpecError> {
        if matches!(self.intensity, RestartLimit::Fixed(intensity) if intensity.period.is_zero()) {
            return Err(SpecError::ZeroPeriod { supervisor: supervisor.clone() });
        }
        let mut ids = HashSet::new();
        for child in &self.children {
            self.check_child(child, supervisor)?;
            if !ids.insert(&child.id) {
                return Err(SpecError::DuplicateId { supervisor: supervisor.clone(), id: child.id.clone() });
            }
        }
        Ok(())
    }

    /// Checks a child of this supervisor.
    pub(crate) fn check_child(&self, child: &ChildSpec, supervisor: &Arc<str>) -> Result<(), SpecError> {
        if let Some(error) = &child.error {
            return Err((**error).clone());
        }
        let id = child.id.clone();
        if child.policy.significant {
            if child.policy.restart == Restart::Permanent {
                return Err(SpecError::SignificantPermanent { id });
            }
            let is_used = matches!(self.kind, SupervisorKind::Static { auto_shutdown, .. } if auto_shutdown != AutoShutdown::Never);
            if !is_used {
                return Err(SpecError::SignificantForNothing { supervisor: supervisor.clone(), id });
            }
        }
        if child.policy.start_limit.as_ref().is_some_and(|limit| limit.is_impossible()) {
            return Err(SpecError::ZeroStartLimit { id });
        }
        if child.policy.has_idle_deadline() {
            return Err(SpecError::HandlerDeadlineOfTask { id });
        }
        match &child.policy.liveness {
            Some(liveness) if liveness.is_impossible() => Err(SpecError::ZeroLiveness { id }),
            _ => Ok(()),
        }
    }
}

/// A list of children: an array or an iterator of one type, or a tuple of up to 12 types, each of
/// which converts into a [`ChildSpec`].
///
/// `L` is inferred. It is `()` for arrays and iterators, and the type itself for tuples.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of children",
    note = "a list of children is an array or an iterator of one type, or a tuple of up to 12 types",
    note = "each of these types has to be `Into<ChildSpec>`"
)]
pub trait IntoChildren<L = ()> {
    /// Appends the children to `list`, in order.
    fn add_to(self, list: &mut Vec<ChildSpec>);
}

impl<C: IntoIterator<Item: Into<ChildSpec>>> IntoChildren for C {
    fn add_to(self, list: &mut Vec<ChildSpec>) {
        list.extend(self.into_iter().map(Into::into));
    }
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Into<ChildSpec>, $($rest: Into<ChildSpec>),*> IntoChildren<($first, $($rest,)*)>
            for ($first, $($rest,)*)
        {
            #[allow(non_snake_case)]
            fn add_to(self, list: &mut Vec<ChildSpec>) {
                let ($first, $($rest,)*) = self;
                list.extend([$first.into(), $($rest.into()),*]);
            }
        }

        tuples!($($rest)*);
    };
    () => {};
}

tuples!(A B C D E F G H I J K L);
