//! Monitors of one actor.

use std::time::Duration;

use perennial::prelude::*;

use crate::ran;

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Each of the actors is watched so many times; the monitors are dropped in the order in which they were set.
pub(crate) async fn monitors_taken_back(actors: usize, monitors: usize) -> Duration {
    let system = System::new();
    let mut watched = Vec::new();
    for _ in 0..actors {
        let actor = system.spawn::<Idle>(()).await.expect("it starts");
        watched.extend((0..monitors).map(|_| actor.monitor()));
    }
    let begun = ran();
    watched.into_iter().for_each(drop);
    ran() - begun
}
