//! The mailbox by itself, without any actor and without a runtime.

mod checked;
mod ends;
mod fates;
mod lookout;
mod order;
mod overflow;
mod places;
mod reference;
mod reference_room;
mod room;
mod traces;
