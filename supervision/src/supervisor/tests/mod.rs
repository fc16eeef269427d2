//! Unit tests of the supervisor module.

mod repeats;
mod shared_settings;
