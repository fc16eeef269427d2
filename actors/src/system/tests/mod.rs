//! Tests of the inside: what a test from outside cannot bring about, or cannot see.

#[cfg(not(model))]
mod broadcast;
#[cfg(not(model))]
mod kept_slots;
#[cfg(model)]
mod loom_broadcast;
#[cfg(model)]
mod loom_call_slot;
#[cfg(not(model))]
mod throttle;
#[cfg(not(model))]
mod timeouts;
#[cfg(not(model))]
mod timer_wheel;
#[cfg(not(model))]
mod wheel;
