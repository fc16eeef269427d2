//! What children are told, and what comes of it.

use std::time::Duration;

use crate::engine::{Key, Run};

/// Something that a child was told or asked, and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Task {
    Start(Key, Run),
    End(Key, Run),
    Look(Key, Run),
    Probe(Key, Run, u32),
}

/// What comes of a task.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Well,
    /// Not at all, too late, or with an error.
    Badly,
    /// The start is declined, or the look finds this.
    Otherwise(Duration),
}
