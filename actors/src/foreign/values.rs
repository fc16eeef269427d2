//! User values that the library stores. Their `Drop` may panic or block without harm to the
//! library.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use tokio::runtime::Handle;

use super::guards::{drop_each, ignore_panic};

/// Drops `value` under a guard, in a task of its own if there is a runtime here, else at once.
///
/// For code that must neither wait for a user's `Drop` nor be called back by it: a supervisor's
/// turn, or code that holds a lock. If the runtime is shut down before the task runs, the value is
/// dropped then.
pub fn dispose<T: Send + 'static>(value: T) {
    if !mem::needs_drop::<T>() {
        return;
    }
    let value = Guarded::new(value);
    in_own_task(Box::new(move || drop(value)));
}

/// Runs `code`, which is boxed: a runtime's code for tasks is compiled for each type of task, and
/// that of every value would be most of what a build spends on an actor.
fn in_own_task(code: Box<dyn FnOnce() + Send>) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move { code() })),
        Err(_) => code(),
    }
}

/// Runs `code` under a guard, in a task of its own if there is a runtime here, else at once.
pub(crate) fn run_elsewhere(code: impl FnOnce() + Send + 'static) {
    let code = Guarded::new(code);
    in_own_task(Box::new(move || code.into_inner().into_iter().for_each(ignore_panic)));
}

/// A value whose `Drop` may panic. It is dropped under a guard.
pub struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Takes the value out. Always returns `Some`.
    pub fn into_inner(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guarded(..)")
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("the value is taken by `drop` and `into_inner` only"),
        }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some(value) => value,
            None => unreachable!("the value is taken by `drop` and `into_inner` only"),
        }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if !mem::needs_drop::<T>() {
            return;
        }
        if let Some(value) = self.0.take() {
            ignore_panic(|| drop(value));
        }
    }
}

/// A future pinned on the stack and dropped there under a guard: the locals of a killed handler may
/// panic.
pub struct InPlace<'a, F>(Pin<&'a mut Option<F>>);

impl<'a, F> InPlace<'a, F> {
    /// Wraps a pinned future.
    pub const fn new(future: Pin<&'a mut Option<F>>) -> Self {
        Self(future)
    }

    /// Returns the future, or `None` if it was dropped.
    pub fn get(&mut self) -> Option<Pin<&mut F>> {
        self.0.as_mut().as_pin_mut()
    }
}

impl<F> fmt::Debug for InPlace<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InPlace(..)")
    }
}

impl<F> Drop for InPlace<'_, F> {
    fn drop(&mut self) {
        ignore_panic(|| self.0.set(None));
    }
}

/// A user value that the library shares or stores. Its last owner [disposes](dispose) of it.
pub struct Foreign<T: Send + 'static>(Guarded<T>);

impl<T: Send + 'static> Foreign<T> {
    /// Wraps a user's value.
    pub const fn new(value: T) -> Self {
        Self(Guarded::new(value))
    }

    /// Takes the value out. Always returns `Some`.
    pub fn into_inner(mut self) -> Option<T> {
        self.0.0.take()
    }
}

impl<T: Send + 'static> Deref for Foreign<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + 'static> Drop for Foreign<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.0.take() {
            dispose(value);
        }
    }
}

impl<T: Send + fmt::Debug + 'static> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Values that are dropped one by one, each under its own guard: two panics in one unwinding would
/// abort the process.
pub struct Each<T>(Vec<T>);

impl<T> Each<T> {
    /// Wraps values.
    #[must_use]
    pub const fn new(values: Vec<T>) -> Self {
        Self(values)
    }

    /// Adds a value at the end.
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// Takes the last value out.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Takes all values out.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<T> {
        mem::take(&mut self.0)
    }
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<T> Deref for Each<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Drop for Each<T> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() {
            drop_each(self.0.drain(..));
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Each<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Drops values in one separate task, each under its own guard. See [`dispose`].
pub fn dispose_each<T: Send + 'static>(values: Vec<T>) {
    if mem::needs_drop::<T>() && !values.is_empty() {
        dispose(Each::new(values));
    }
}
