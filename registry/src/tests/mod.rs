//! What only a look inside can tell: that nothing is left of those who have ended, whatever else went on.

#[cfg(not(model))]
mod crash;
#[cfg(not(model))]
mod leftovers;
#[cfg(model)]
mod loom_names;
#[cfg(model)]
mod loom_tables;
#[cfg(not(model))]
mod text;
#[cfg(not(model))]
mod waiting;
