//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod crash_reports;
mod deadlocks;
mod following;
mod health;
mod support;
