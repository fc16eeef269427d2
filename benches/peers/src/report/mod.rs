//! The results of the race: as JSON for programs, as text for a terminal, and as tables and plots
//! for the documentation.

mod data;
mod document;
mod durable;
mod markdown;
mod plot;
mod text;

pub use data::Report;
pub use document::write;
pub use text::{aligned, table};
