//! A tree below a ractor actor.

use perennial_actors::System;
use ractor::ActorCell;

use crate::driver::start_tied;
use crate::error::StartError;
use crate::supervisor::{App, ChildGroup, SupervisorBuilder, SupervisorHandle};

impl<G: ChildGroup> SupervisorBuilder<G> {
    /// Starts the tree below a ractor actor. Resolves once all children have started, in order.
    ///
    /// From then on `parent` receives the events that ractor sends for any linked actor. The end of
    /// `parent` affects the tree, and so does what it does by ractor's means to its linked actors:
    /// see the [module](crate::ractor).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it resolves, the part that has started is stopped again.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); also if `parent` has ended meanwhile. Then no part of the
    /// tree runs, and `parent` receives no event. If the tree starts and ends at once, this still
    /// succeeds: `parent` receives both events, and [`App::join`] returns the exit reason.
    ///
    /// # Examples
    ///
    /// ```
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{Child, Supervisor};
    /// # use ractor::{Actor, ActorProcessingErr, ActorRef};
    /// # struct Root;
    /// # impl Actor for Root {
    /// #     type Msg = ();
    /// #     type State = ();
    /// #     type Arguments = ();
    /// #     async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (root, _) = Actor::spawn(None, Root, ()).await?;
    /// let app = Supervisor::new("app").start_under(&System::new(), root.clone()).await?;
    /// assert_eq!(app.supervisor().count_children().await?.specs, 0);
    /// assert!(app.shutdown().await.is_clean());
    /// # root.stop(None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_under(
        self,
        system: &System,
        parent: impl Into<ActorCell>,
    ) -> Result<App<SupervisorHandle<G>>, StartError> {
        let parent = parent.into();
        let (node, handle) = self.into_root();
        // The link is made after the start, as ractor does for its own actors. A parent that
        // receives the end of an actor that never started would, by ractor's default, end too.
        let root = start_tied(node, system, move |link| link.link_to(&parent)).await?;
        Ok(App::new(root, handle))
    }
}
