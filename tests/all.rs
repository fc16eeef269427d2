//! The tests of what users see, in one program: each file is a module. What needs a process of its
//! own has a `[[test]]` in the manifest.

mod chat;
mod durations;
mod gone;
mod guide;
mod lifecycle;
mod names;
#[path = "support/pattern.rs"]
mod pattern;
mod pattern_celery;
mod pattern_kubernetes;
mod pattern_pools;
mod pattern_supervision;
mod pattern_systemd;
mod registry;
mod restarts;
mod snapshots;
mod supervision;
mod support;
