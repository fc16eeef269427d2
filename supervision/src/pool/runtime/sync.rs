//! The locks of a pool's queue. Under `--cfg model` they are those of loom, so that the model
//! checks the same protocol that runs in production.

#[cfg(model)]
use loom::sync as imp;
#[cfg(not(model))]
use std::sync as imp;

pub(crate) use imp::{Mutex, MutexGuard};
