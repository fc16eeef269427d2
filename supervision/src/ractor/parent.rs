//! A tree below a ractor actor.

use perennial_actors::System;
use ractor::ActorCell;

use crate::driver::{Root, SupervisorNode, start_tied};
use crate::error::StartError;
use crate::supervisor::{App, DynamicHandle, DynamicSupervisor, Supervisor, SupervisorHandle};

impl Supervisor {
    /// Starts the tree below a ractor actor; ready when every child of it is up, in order.
    ///
    /// From then on `parent` is sent what ractor sends of any actor that is linked to it; its end, and what it does by ractor's means to
    /// what is linked to it, reach the tree: see the [module](crate::ractor).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, what has started is stopped again.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start); also if `parent` has ended meanwhile. Then nothing of the tree
    /// runs, and `parent` is sent nothing. A tree that was up and has ended by then has started all
    /// the same: `parent` is sent both, and [`App::join`] tells the end.
    pub async fn start_under(
        self,
        system: &System,
        parent: impl Into<ActorCell>,
    ) -> Result<App<SupervisorHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system, parent.into()).await?, handle))
    }
}

impl DynamicSupervisor {
    /// Starts it below a ractor actor: see [`Supervisor::start_under`].
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start); also if `parent` has ended.
    pub async fn start_under(
        self,
        system: &System,
        parent: impl Into<ActorCell>,
    ) -> Result<App<DynamicHandle>, StartError> {
        let (node, handle) = self.into_root();
        Ok(App::new(start(node, system, parent.into()).await?, handle))
    }
}

async fn start(
    node: SupervisorNode,
    system: &System,
    parent: ActorCell,
) -> Result<std::sync::Arc<Root>, StartError> {
    // Not before it is up, as with ractor's own: a parent that is sent the end of something that never started would, by ractor's
    // default, end with it.
    start_tied(node, system, move |link| link.link_to(&parent)).await
}
