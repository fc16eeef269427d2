//! The mailbox by itself, without any actor.
