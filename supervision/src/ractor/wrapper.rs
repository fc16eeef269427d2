//! The ractor actor that runs in place of a user's actor. It calls the user's actor and records
//! what ractor does not report.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use perennial_actors::ExitReason;
use perennial_actors::host::{Guarded, catch_panic, catch_panics};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::doorbell::{self, DoorbellEvent};
use super::host_shared::{HostShared, State};
use crate::link::StopReasonSender;

/// The wrapper of a user's actor. Ractor runs it, so the result of every callback is known here,
/// with its type.
pub(super) struct Wrapper<A: Actor>(pub(super) Arc<HostShared<A>>);

impl<A: Actor> Actor for Wrapper<A> {
    type Msg = A::Msg;
    type State = StopReasonSender;
    type Arguments = (Guarded<A::Arguments>, StopReasonSender);

    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        (args, reason_sender): Self::Arguments,
    ) -> Result<StopReasonSender, ActorProcessingErr> {
        let mut callback = self.begin_callback(&myself);
        let args = args.into_inner().ok_or(Gone)?;
        let started = run(callback.shared, |actor| actor.pre_start(myself, args)).await;
        let started = started.map(|state| callback.state = Some(Guarded::new(Box::new(state))));
        callback.end(started)?;
        Ok(reason_sender)
    }

    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut callback = self.begin_callback(&myself);
        let owner = callback.cell.clone();
        let state = &mut **callback.state.as_deref_mut().ok_or(Gone)?;
        let done = run(callback.shared, |actor| actor.post_start(myself, state)).await;
        callback.end(done)?;
        self.attach_doorbell(owner).await;
        Ok(())
    }

    /// Handles a message that was sent to the ractor reference, or one that the doorbell announced.
    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut callback = self.begin_callback(&myself);
        let state = &mut **callback.state.as_deref_mut().ok_or(Gone)?;
        let done = run(callback.shared, |actor| actor.handle(myself, message, state)).await;
        callback.end(done)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        reason_sender: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        match doorbell::classify(self.0.doorbell().as_ref(), &event) {
            Some(DoorbellEvent::Ring) => {
                if let Some(message) = self.0.take() {
                    self.handle(myself, message, reason_sender).await?;
                    self.0.handled();
                }
                Ok(())
            }
            Some(DoorbellEvent::Gone) => {
                self.attach_doorbell(myself.get_cell()).await;
                Ok(())
            }
            None => {
                let mut callback = self.begin_callback(&myself);
                let state = &mut **callback.state.as_deref_mut().ok_or(Gone)?;
                let done =
                    run(callback.shared, |actor| actor.handle_supervisor_evt(myself, event, state)).await;
                callback.end(done)
            }
        }
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut callback = self.begin_callback(&myself);
        let state = &mut **callback.state.as_deref_mut().ok_or(Gone)?;
        let done = run(callback.shared, |actor| actor.post_stop(myself, state)).await;
        if done.is_ok() {
            self.0.set_stopped_cleanly();
            self.0.record_descendants(&callback.cell);
        }
        callback.end(done)
    }
}

impl<A: Actor> Wrapper<A> {
    fn begin_callback(&self, myself: &ActorRef<A::Msg>) -> CallbackGuard<'_, A> {
        CallbackGuard {
            shared: &self.0,
            cell: myself.get_cell(),
            state: self.0.take_state(),
            returned: false,
            succeeded: false,
        }
    }

    async fn attach_doorbell(&self, owner: ActorCell) {
        // Without a doorbell the actor is ending, and handles no more messages.
        if let Some(doorbell) = doorbell::spawn(owner).await {
            self.0.set_doorbell(doorbell);
        }
    }
}

/// One callback of an actor. Its drop records how it ended, also if it failed or was killed at an
/// await.
struct CallbackGuard<'a, A: Actor> {
    shared: &'a HostShared<A>,
    cell: ActorCell,
    state: Option<State<A>>,
    returned: bool,
    succeeded: bool,
}

impl<A: Actor> CallbackGuard<'_, A> {
    /// Ends the callback. Returns the result for ractor.
    fn end(mut self, done: Result<(), ExitReason>) -> Result<(), ActorProcessingErr> {
        (self.returned, self.succeeded) = (true, done.is_ok());
        done.map_err(|reason| {
            self.shared.fail(&reason);
            ReportedFailure(reason).into()
        })
    }
}

impl<A: Actor> Drop for CallbackGuard<'_, A> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.shared.store_state(state);
        }
        if !self.returned {
            self.shared.fail(&ExitReason::Killed);
        }
        if !self.succeeded {
            self.shared.record_descendants(&self.cell);
        }
    }
}

/// Runs a callback. Returns the exit reason if it fails.
async fn run<'a, A, T, F>(
    shared: &'a HostShared<A>,
    callback: impl FnOnce(&'a A) -> F,
) -> Result<T, ExitReason>
where
    A: Actor,
    F: Future<Output = Result<T, ActorProcessingErr>>,
{
    let code = catch_panic(Some(&shared.system), || callback(&shared.actor))?;
    catch_panics(Some(shared.system.clone()), code).await?.map_err(ExitReason::failed)
}

/// The error that ractor gets for a failure that is recorded here.
#[derive(Debug)]
struct ReportedFailure(ExitReason);

impl fmt::Display for ReportedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ReportedFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error().map(|error| error as &(dyn Error + 'static))
    }
}

/// The error of a callback without a state. Not reached: ractor runs no callback after a failed
/// one.
#[derive(Debug, thiserror::Error)]
#[error("the state of the actor is gone")]
struct Gone;
