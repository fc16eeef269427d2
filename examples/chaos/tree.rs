//! Who supervises whom.
//!
//! ```text
//! index            rest for one: without the journal's keeper nothing else may go on
//! ├─ collector
//! └─ indexing      one for one: takes in what the pool gives up
//!    ├─ hashers    a pool: gives up soon, and what waits in it waits through that
//!    │  ├─ 0
//!    │  ├─ 1
//!    │  ├─ ...
//!    │  └─ foreman
//!    └─ walker
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perennial::pool::{Pool, PoolHandle};
use perennial::prelude::*;

use super::collector::{self, COLLECTOR, Collector};
use super::files::Scope;
use super::hasher::{self, Hasher, Job};
use super::journal::Journal;
use super::options::Sabotage;
use super::target::Target;
use super::trap::Rig;
use super::walker::{self, WALKER, Walker};
