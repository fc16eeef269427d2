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
// A request is the library's own.
#[allow(private_bounds)]
pub trait ChildGroup: Clone + fmt::Debug + Send + Sync + 'static {
    /// The identification of a child in requests: its id or its pid.
    type ChildId: Into<Target>;
}

impl From<Arc<str>> for Target {
    fn from(id: Arc<str>) -> Self {
        Self::Id(id)
    }
}

impl From<Pid> for Target {
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
