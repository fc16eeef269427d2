//! Inspecting a running actor: suspend, resume, read and replace its state. OTP's `sys`.

use std::any::{Any, type_name};

use tokio::sync::oneshot;

use super::errors::{InspectError, NoProcessError};
use super::handle::ActorHandle;
use crate::caught::catch_panic;
use crate::control::{ControlSignal, InspectState};
use crate::foreign::ignore_panic;

/// The result of an inspection.
type InspectResult<T> = Result<T, InspectError>;

impl ActorHandle {
    /// Suspends the running incarnation after the current message: it acts only on signals until it
    /// is [resumed](Self::resume).
    ///
    /// Messages queue, calls wait, timers and piped futures wait too. Stops, kills, exit signals
    /// and monitors take effect. No message that is sent after this returns is handled before the
    /// actor is resumed. A second suspension has no effect, and the next incarnation is not
    /// suspended.
    ///
    /// The supervisor does not treat it as unresponsive: liveness probes and handler deadlines
    /// begin anew when it is resumed.
    ///
    /// A suspended supervisor acts only on a stop or a kill; it restarts its children when it is
    /// resumed. A suspended task is not polled. A stop resumes either of them, so that it can end.
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"counter.handle().suspend()?;
counter.cast(Msg::Add(2))?;
assert_eq!(counter.handle().get_state::<u64>().await?, 0);
counter.handle().resume()?;
assert_eq!(counter.call(Msg::Get).await?, 2);")]
    pub fn suspend(&self) -> Result<(), NoProcessError> {
        self.process().send_control(None, ControlSignal::Suspend).then_some(()).ok_or(NoProcessError)
    }

    /// Resumes the running incarnation. Does nothing if it is not [suspended](Self::suspend).
    ///
    /// # Errors
    ///
    /// [`NoProcessError`] if no incarnation is running.
    #[doc = actor_example!(r"counter.handle().suspend()?;
counter.handle().resume()?;
assert_eq!(counter.call(Msg::Get).await?, 0);")]
    pub fn resume(&self) -> Result<(), NoProcessError> {
        self.process().send_control(None, ControlSignal::Resume).then_some(()).ok_or(NoProcessError)
    }

    /// Returns a copy of the state that the actor [offers](crate::Actor::debug_state), also while
    /// it is suspended.
    ///
    /// The copy is taken between two messages and ahead of all queued messages. It resolves when
    /// the current message is handled; if that handler hangs, this hangs too, so set a timeout.
    ///
    /// # Errors
    ///
    /// See [`InspectError`]. Supervisors, tasks and ractor actors offer no state:
    /// [`NotOffered`](InspectError::NotOffered).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed by reading the state.
    #[doc = actor_example!(r"assert_eq!(counter.handle().get_state::<u64>().await?, 0);")]
    pub async fn get_state<S: Any + Clone + Send>(&self) -> InspectResult<S> {
        self.inspect(|state: &mut S| state.clone()).await
    }

    /// Replaces the state that the actor [offers](crate::Actor::debug_state) with the result of
    /// `replace`. If `replace` panics, the state stays unchanged and the actor continues.
    ///
    /// # Errors
    ///
    /// See [`InspectError`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the state may have been replaced or may still be replaced.
    #[doc = actor_example!(r"counter.handle().replace_state(|n: &u64| n + 40).await?;
assert_eq!(counter.call(Msg::Get).await?, 40);")]
    pub async fn replace_state<S: Any + Send>(
        &self,
        replace: impl FnOnce(&S) -> S + Send + 'static,
    ) -> InspectResult<()> {
        self.inspect(move |state: &mut S| *state = replace(state)).await
    }

    async fn inspect<S: Any, T: Send + 'static>(
        &self,
        inspect: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> InspectResult<T> {
        let (sender, result) = oneshot::channel();
        let signal = ControlSignal::Inspect(InspectState(Box::new(move |state| {
            // If the future was dropped, the result is dropped here.
            ignore_panic(|| drop(sender.send(inspect_state(state, inspect))));
        })));
        if !self.process().send_control(None, signal) {
            return Err(InspectError::NoProcess);
        }
        result.await.unwrap_or(Err(InspectError::NoProcess))
    }
}

fn inspect_state<S: Any, T>(
    state: Option<&mut (dyn Any + Send)>,
    inspect: impl FnOnce(&mut S) -> T,
) -> InspectResult<T> {
    let state = state.ok_or(InspectError::NotOffered)?;
    let state = state.downcast_mut().ok_or(InspectError::WrongType { wanted: type_name::<S>() })?;
    // `inspect` computes the new state before it is assigned, so a panic leaves the old state
    // intact.
    catch_panic(None, || inspect(state)).map_err(|_| InspectError::Panicked)
}
