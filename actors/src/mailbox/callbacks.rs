//! The observations of the callbacks that run.
//!
//! They are here, and not in the task of the incarnation, because they are rare. The flag says
//! whether the attached incarnation has one. An abandoned incarnation may still have its own.

use std::sync::Arc;

use super::observed::ObservedState;
use super::shared::{Mailbox, OBSERVED};
use super::state::MailboxState;
use crate::spans::Observation;

impl<M> MailboxState<M> {
    pub(super) fn observed(&self) -> Option<&ObservedState> {
        self.cold()?.observed.as_deref()
    }

    pub(super) fn observed_mut(&mut self) -> Option<&mut ObservedState> {
        self.cold_mut()?.observed.as_deref_mut()
    }

    pub(super) fn observed_or_init(&mut self) -> &mut ObservedState {
        self.cold_or_init().observed.get_or_insert_default()
    }
}

impl<M> Mailbox<M> {
    /// Stores the observation of the callback that this incarnation begins. Returns one that must
    /// be dropped: the previous one, or this one if the mailbox was taken away.
    #[must_use]
    pub(crate) fn set_observation(
        &self,
        incarnation: u32,
        observation: Arc<Observation>,
    ) -> Option<Arc<Observation>> {
        let Some(mut state) = self.lock_attached(incarnation) else { return Some(observation) };
        self.flags.set(OBSERVED);
        let callbacks = &mut state.observed_or_init().callbacks;
        match callbacks.iter_mut().find(|(of, _)| *of == incarnation) {
            Some((_, previous)) => Some(std::mem::replace(previous, observation)),
            None => {
                callbacks.push((incarnation, observation));
                None
            }
        }
    }

    /// Returns the observation of this incarnation.
    pub(crate) fn observation(&self, incarnation: u32) -> Option<Arc<Observation>> {
        let state = self.state.lock();
        let callbacks = &state.observed()?.callbacks;
        callbacks.iter().find(|(of, _)| *of == incarnation).map(|(_, observation)| observation.clone())
    }

    /// Takes the observation of this incarnation out.
    pub(crate) fn take_observation(&self, incarnation: u32) -> Option<Arc<Observation>> {
        let mut state = self.state.lock();
        let is_attached = state.attached_incarnation() == Some(incarnation);
        let callbacks = &mut state.observed_mut()?.callbacks;
        let at = callbacks.iter().position(|(of, _)| *of == incarnation)?;
        let (_, observation) = callbacks.swap_remove(at);
        if is_attached {
            self.flags.clear(OBSERVED);
        }
        Some(observation)
    }

    /// Returns `true` if the attached incarnation has an observation.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.flags.has(OBSERVED)
    }

    /// Returns `true` if this incarnation may have an observation, also if it is not attached.
    #[inline]
    pub(crate) fn may_be_observed(&self, incarnation: u32) -> bool {
        !self.flags.is_unobserved(incarnation)
    }
}
