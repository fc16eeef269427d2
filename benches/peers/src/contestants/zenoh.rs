//! zenoh, which perennial sends by between processes: the floor of its messages there.

use anyhow::bail;

use crate::work::{Contestant, Task};

/// zenoh in the race.
pub const CONTESTANT: Contestant = Contestant {
    name: "zenoh",
    can: |task| matches!(task, Task::Remote(_)),
    absence: || None,
    run: |task| match task {
        Task::Remote(remote) => remote.run("zenoh"),
        _ => bail!("zenoh has messages between processes only"),
    },
};
