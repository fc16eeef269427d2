//! A job that is to be taken in, and one that was.

use std::sync::Arc;

use super::task::{Sink, Task, Terms};

/// A job that is to be taken in.
pub(super) struct Draft<J, T, E> {
    /// How it is to be treated, if not as every job of its pool.
    pub(super) terms: Option<Box<Terms>>,
    pub(super) job: J,
    pub(super) sink: Sink<T, E>,
}

/// A job that was taken in.
pub(super) type TaskOf<J, T, E> = Arc<Task<J, T, E>>;
