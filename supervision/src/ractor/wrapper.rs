//! The ractor actor that is run in place of a user's: it does what that does, and writes down what ractor would not tell.

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

/// A user's actor. Ractor runs this, so what happens inside a callback is known here, with its type.
pub(super) struct Wrapper<A: Actor>(pub(super) Arc<HostShared<A>>);

impl<A: Actor> Actor for Wrapper<A> {
    type Msg = A::Msg;
    type State = StopReasonSender;
    type Arguments = (Guarded<A::Arguments>, StopReasonSender);

    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        (args, farewell): Self::Arguments,
    ) -> Result<StopReasonSender, ActorProcessingErr> {
        let mut visit = self.visit(&myself);
        let args = args.into_inner().ok_or(Gone)?;
        let started = run(visit.house, |actor| actor.pre_start(myself, args)).await;
        let started = started.map(|state| visit.state = Some(Guarded::new(Box::new(state))));
        visit.end(started)?;
        Ok(farewell)
    }

    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut visit = self.visit(&myself);
        let owner = visit.cell.clone();
        let state = &mut **visit.state.as_deref_mut().ok_or(Gone)?;
        let done = run(visit.house, |actor| actor.post_start(myself, state)).await;
        visit.end(done)?;
        self.hang_bell(owner).await;
        Ok(())
    }

    /// A message that came by its ractor reference, or one that it was called to.
    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut visit = self.visit(&myself);
        let state = &mut **visit.state.as_deref_mut().ok_or(Gone)?;
        let done = run(visit.house, |actor| actor.handle(myself, message, state)).await;
        visit.end(done)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        farewell: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        match doorbell::sound(self.0.bell().as_ref(), &event) {
            Some(DoorbellEvent::Ring) => {
                if let Some(message) = self.0.take() {
                    self.handle(myself, message, farewell).await?;
                    self.0.handled();
                }
                Ok(())
            }
            Some(DoorbellEvent::Gone) => {
                self.hang_bell(myself.get_cell()).await;
                Ok(())
            }
            None => {
                let mut visit = self.visit(&myself);
                let state = &mut **visit.state.as_deref_mut().ok_or(Gone)?;
                let done = run(visit.house, |actor| actor.handle_supervisor_evt(myself, event, state)).await;
                visit.end(done)
            }
        }
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        _: &mut StopReasonSender,
    ) -> Result<(), ActorProcessingErr> {
        let mut visit = self.visit(&myself);
        let state = &mut **visit.state.as_deref_mut().ok_or(Gone)?;
        let done = run(visit.house, |actor| actor.post_stop(myself, state)).await;
        if done.is_ok() {
            self.0.say_good_bye();
            self.0.note_below(&visit.cell);
        }
        visit.end(done)
    }
}

impl<A: Actor> Wrapper<A> {
    fn visit(&self, myself: &ActorRef<A::Msg>) -> CallbackGuard<'_, A> {
        CallbackGuard {
            house: &self.0,
            cell: myself.get_cell(),
            state: self.0.take_state(),
            returned: false,
            goes_on: false,
        }
    }

    async fn hang_bell(&self, owner: ActorCell) {
        // If it cannot be hung, the actor is on its way out and takes no more messages.
        if let Some(bell) = doorbell::hang(owner).await {
            self.0.hang(bell);
        }
    }
}

/// One callback of an actor, which may be the last: it may fail, or be killed where it awaits.
struct CallbackGuard<'a, A: Actor> {
    house: &'a HostShared<A>,
    cell: ActorCell,
    state: Option<State<A>>,
    returned: bool,
    goes_on: bool,
}

impl<A: Actor> CallbackGuard<'_, A> {
    /// What ractor is to know of how it ended.
    fn end(mut self, done: Result<(), ExitReason>) -> Result<(), ActorProcessingErr> {
        (self.returned, self.goes_on) = (true, done.is_ok());
        done.map_err(|reason| {
            self.house.fail(&reason);
            ReportedFailure(reason).into()
        })
    }
}

impl<A: Actor> Drop for CallbackGuard<'_, A> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.house.store_state(state);
        }
        if !self.returned {
            self.house.fail(&ExitReason::Killed);
        }
        if !self.goes_on {
            self.house.note_below(&self.cell);
        }
    }
}

/// Runs a callback; the reason if it fails.
async fn run<'a, A, T, F>(
    house: &'a HostShared<A>,
    callback: impl FnOnce(&'a A) -> F,
) -> Result<T, ExitReason>
where
    A: Actor,
    F: Future<Output = Result<T, ActorProcessingErr>>,
{
    let code = catch_panic(Some(&house.system), || callback(&house.actor))?;
    catch_panics(Some(house.system.clone()), code).await?.map_err(ExitReason::failed)
}

/// What ractor is told of a failure that is known here.
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

/// Not reached: ractor makes no callback after one that failed.
#[derive(Debug, thiserror::Error)]
#[error("the state of the actor is gone")]
struct Gone;
