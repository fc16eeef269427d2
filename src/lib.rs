//! facade
pub use perennial_actors::*;
