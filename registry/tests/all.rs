//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod foreign;
mod foreign_locks;
mod foreign_unwinding;
mod given_back;
mod gone;
mod groups;
mod keys_duplicate;
mod keys_shown;
mod keys_unique;
mod listeners;
mod log;
mod names;
mod no_timers;
mod support;
mod topics;
mod turns;
