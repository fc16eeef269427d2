//! Tasks of one type.

use std::pin::Pin;

/// A future whose type does not tell what it does.
pub(crate) type BoxedFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Boxes a future that is to be a task of its own.
///
/// A runtime's code for tasks is compiled for each type of future that it is given. Of the tasks
/// that every type of worker would have, which are few while a program runs, that is most of what a
/// user's build would spend on a pool.
pub(crate) fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> BoxedFuture<T> {
    Box::pin(future)
}
