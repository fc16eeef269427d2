//! Unit tests of the supervisor module.

mod repeats;
