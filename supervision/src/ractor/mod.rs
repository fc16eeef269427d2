//! Ractor actors in a tree.

mod bell;
mod child;
mod desk;
mod hosted;
mod life;
mod under;

pub use crate::error::TreeEnded;
