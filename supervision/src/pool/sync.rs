//! The locks of a pool's queue, through one door: under `--cfg model` they are loom's, so that the very protocol that runs in production is
//! the one that is model-checked.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub(super) use imp::{Mutex, MutexGuard};
