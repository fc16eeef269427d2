//! The kinds of children, which are the type parameter of builders and handles.

use std::fmt;
use std::sync::Arc;

use perennial_actors::Pid;

use crate::engine::Target;

/// The kind of the children of a supervisor: [`Static`], [`Dynamic`] or
/// [`Partitioned`](crate::Partitioned).
///
/// It is the type parameter of a [`SupervisorBuilder`](crate::SupervisorBuilder) and of a
/// [`SupervisorHandle`](crate::SupervisorHandle). It decides how a request identifies a child, and
/// which methods there are besides those of every supervisor.
pub trait ChildGroup: Clone + fmt::Debug + Send + Sync + 'static {
    /// The identification of a child in requests: its id or its pid.
    type ChildId: Into<ChildRef>;
}

/// The child that a request concerns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChildRef {
    /// The child with this id.
    Id(Arc<str>),
    /// The child with this incarnation.
    Pid(Pid),
}

impl ChildRef {
    /// Returns the child as the engine names it.
    pub(super) fn target(child: impl Into<Self>) -> Target {
        match child.into() {
            Self::Id(id) => Target::Id(id),
            Self::Pid(pid) => Target::Pid(pid),
        }
    }
}

impl From<Arc<str>> for ChildRef {
    fn from(id: Arc<str>) -> Self {
        Self::Id(id)
    }
}

impl From<Pid> for ChildRef {
    fn from(pid: Pid) -> Self {
        Self::Pid(pid)
    }
}

/// The children of a [`Supervisor`](crate::Supervisor): a fixed list in start order, each with a
/// unique id.
#[derive(Clone, Copy, Debug)]
pub struct Static;

impl ChildGroup for Static {
    type ChildId = Arc<str>;
}

/// The children of a [`DynamicSupervisor`](crate::DynamicSupervisor): they come and go, and none
/// depends on another.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic;

impl ChildGroup for Dynamic {
    type ChildId = Pid;
}
