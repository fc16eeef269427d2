//! Looking at a store from outside: selecting jobs, payloads as text for people, and what a person
//! changes.

mod change;
mod select;
mod text;

pub use change::{JobChange, set_paused};
pub use select::Selection;
pub use text::{escape, payload_text};

#[cfg(test)]
mod tests;
