//! The mailbox alone, without an actor and without a runtime, and its lock protocol under loom.

#[cfg(not(model))]
mod capacity;
#[cfg(not(model))]
mod checked;
#[cfg(not(model))]
mod lifecycle;
#[cfg(model)]
mod loom_capacity;
#[cfg(model)]
mod loom_peek;
#[cfg(model)]
mod loom_protocol;
#[cfg(model)]
mod loom_taken;
#[cfg(not(model))]
mod operations;
#[cfg(not(model))]
mod order;
#[cfg(not(model))]
mod outcomes;
#[cfg(not(model))]
mod overflow;
#[cfg(not(model))]
mod peek;
#[cfg(not(model))]
mod permits;
#[cfg(not(model))]
mod reference;
#[cfg(not(model))]
mod reference_capacity;
#[cfg(not(model))]
mod samples;
#[cfg(not(model))]
mod taken;
#[cfg(not(model))]
mod traces;
#[cfg(not(model))]
mod wait_queue;

use super::{DetachEffects, Mailbox};
use crate::exit::ExitReason;

impl<M> Mailbox<M> {
    /// Returns the effects of [`detach_into`](Self::detach_into).
    fn detach(&self, incarnation: u32, reason: &ExitReason) -> Option<DetachEffects<M>> {
        let mut effects = DetachEffects::new();
        self.detach_into(incarnation, reason, &mut effects).then_some(effects)
    }

    /// Returns the effects of [`close_into`](Self::close_into).
    fn close(&self, reason: &ExitReason) -> Option<DetachEffects<M>> {
        let mut effects = DetachEffects::new();
        self.close_into(reason, &mut effects).then_some(effects)
    }
}
