//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod actions;
mod api;
mod handle_times;
mod hostile;
mod keys;
mod letters;
mod nodes;
mod openapi;
mod pools;
mod registry;
mod stores;
mod stream;
mod support;
