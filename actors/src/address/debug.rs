//! Looking into an actor that runs: suspend, resume, get and replace its state. OTP's `sys`.

use std::any::{Any, type_name};

use tokio::sync::oneshot;

use super::errors::{InspectError, NoProcessError};
use super::handle::ActorHandle;
use crate::caught::catch_panic;
use crate::control::{ControlSignal, InspectState};
use crate::foreign::ignore_panic;

/// What a look at a state comes back with.
type InspectResult<T> = Result<T, InspectError>;

impl ActorHandle {
    /// Has the live incarnation handle nothing but signals, after the message in hand, until it is [resumed](Self::resume).
    ///
    /// Messages queue, calls wait, timers and piped futures wait too. Stops, kills, exit signals and monitors act. No message
    /// that is sent after this returns is handled before the suspension. To suspend twice is to suspend once, and the next
    /// incarnation is not suspended.
    ///
    /// Its supervisor does not take it for one that hangs: probes and handler deadlines begin anew when it is resumed.
    ///
    /// A supervisor deals with nothing but a stop or a kill then: children that end are restarted
    /// when it is resumed. A task is not polled. A stop resumes either, so that it can come to its
    /// end.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn suspend(&self) -> Result<(), NoProcessError> {
        self.process().send_control(None, ControlSignal::Suspend).then_some(()).ok_or(NoProcessError)
    }

    /// Lets it go on; does nothing if it was not [suspended](Self::suspend).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation lives.
    pub fn resume(&self) -> Result<(), NoProcessError> {
        self.process().send_control(None, ControlSignal::Resume).then_some(()).ok_or(NoProcessError)
    }

    /// A copy of the state that the actor [offers](crate::Actor::debug_state), taken between two messages and ahead of all that
    /// wait; also while it is suspended.
    ///
    /// Resolves as soon as the message in hand is handled. If that hangs, so does this: put a timeout around it.
    ///
    /// # Errors
    ///
    /// See [`InspectError`]. Supervisors, tasks and ractor actors offer no state:
    /// [`NotOffered`](InspectError::NotOffered).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed by looking.
    pub async fn get_state<S: Any + Clone + Send>(&self) -> InspectResult<S> {
        self.look(|state: &mut S| state.clone()).await
    }

    /// Replaces the state that the actor [offers](crate::Actor::debug_state) by what `replace` makes of it. If that panics, the
    /// state stays as it was and the actor goes on.
    ///
    /// # Errors
    ///
    /// See [`InspectError`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the state may have been replaced or may be yet.
    pub async fn replace_state<S: Any + Send>(
        &self,
        replace: impl FnOnce(&S) -> S + Send + 'static,
    ) -> InspectResult<()> {
        self.look(move |state: &mut S| *state = replace(state)).await
    }

    async fn look<S: Any, T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> InspectResult<T> {
        let (tell, seen) = oneshot::channel();
        let order = ControlSignal::Inspect(InspectState(Box::new(move |state| {
            // If nothing waits for it any more, what was seen is dropped here.
            ignore_panic(|| drop(tell.send(look_at(state, look))));
        })));
        if !self.process().send_control(None, order) {
            return Err(InspectError::NoProcess);
        }
        seen.await.unwrap_or(Err(InspectError::NoProcess))
    }
}

fn look_at<S: Any, T>(
    state: Option<&mut (dyn Any + Send)>,
    look: impl FnOnce(&mut S) -> T,
) -> InspectResult<T> {
    let state = state.ok_or(InspectError::NotOffered)?;
    let state = state.downcast_mut().ok_or(InspectError::WrongType { wanted: type_name::<S>() })?;
    // What is looked with computes the new state before it is put in place, so a panic leaves the old one whole.
    catch_panic(None, || look(state)).map_err(|_| InspectError::Panicked)
}
