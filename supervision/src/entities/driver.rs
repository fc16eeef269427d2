//! The task that drives the entities: a child of the user's tree.

use std::fmt::Display;
use std::sync::Arc;

use perennial_actors::host::Label;
use perennial_actors::{Actor, ExitReason};

use super::shared::Shared;
use crate::task::TaskContext;

/// Drives the entities until it is told to stop, and then until all of them have ended.
pub(super) async fn drive<K, A>(shared: Arc<Shared<K, A>>, ctx: TaskContext) -> Result<(), ExitReason>
where
    K: Clone + Display + Send + Sync + 'static,
    A: Actor,
{
    let stopped = ctx.stopped();
    if shared.begin(ctx.system(), Label::root(ctx.handle().label().unwrap_or_default())) {
        // The owner of the driver closes it when no incarnation will follow.
        let closed = Arc::downgrade(&shared);
        ctx.handle().on_close(move || closed.upgrade().iter().for_each(|shared| shared.close()));
    }
    let drive = async {
        loop {
            turn(&shared).await;
        }
    };
    tokio::select! {
        biased;
        _ = stopped => {}
        () = drive => {}
    }
    shared.begin_stop();
    while !shared.is_quiet() {
        turn(&shared).await;
    }
    Ok(())
}

/// Does one turn, and waits until there is something to do.
async fn turn<K, A>(shared: &Shared<K, A>)
where
    K: Clone + Display + Send + Sync + 'static,
    A: Actor,
{
    match shared.run_pending() {
        Some(due) => drop(tokio::time::timeout(due, shared.inbox.notified()).await),
        None => shared.inbox.notified().await,
    }
}
