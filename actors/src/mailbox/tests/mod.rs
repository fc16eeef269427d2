//! The mailbox by itself, without any actor and without a runtime; and what its ends agree on, under loom.

#[cfg(not(model))]
mod checked;
#[cfg(not(model))]
mod ends;
#[cfg(not(model))]
mod fates;
#[cfg(not(model))]
mod lookout;
#[cfg(model)]
mod loom_peek;
#[cfg(model)]
mod loom_protocol;
#[cfg(not(model))]
mod order;
#[cfg(not(model))]
mod overflow;
#[cfg(not(model))]
mod places;
#[cfg(not(model))]
mod reference;
#[cfg(not(model))]
mod reference_room;
#[cfg(not(model))]
mod room;
#[cfg(not(model))]
mod traces;
#[cfg(not(model))]
mod waiting;
