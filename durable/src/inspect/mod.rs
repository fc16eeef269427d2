//! Looking at a store from outside: selecting jobs, and payloads as text for people.

mod select;
mod text;

pub use select::Selection;
pub use text::{escape, payload_text};

#[cfg(test)]
mod tests;
