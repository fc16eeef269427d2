//! Tests with access to private items: ended actors leave nothing behind, under any interleaving.

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
