//! Tests of the network: its parts, and what access control refuses.

mod access;
mod certificates;
mod parts;
