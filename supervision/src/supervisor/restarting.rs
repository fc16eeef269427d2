//! Restarting a child of any supervisor, for what knows a tree and not its types.

use std::sync::Arc;

use super::requests::{child_start, send};
use crate::driver::{Answer, DriverMsg, Specs};
use crate::engine::{Request, Target};
use crate::error::ChildError;
use crate::policy::Restart;
use crate::tree::{ChildStart, Tree};

impl Tree {
    /// Stops a child of this supervisor, if it runs, and starts it again. OTP's `terminate_child`
    /// and `restart_child`, in one. The child is that with this id now, which may be another one
    /// than in the snapshot. It counts for no intensity.
    ///
    /// # Errors
    ///
    /// [`ChildError::NotFound`] if there is no such child, and for children that no supervisor
    /// keeps once they are stopped: temporary ones, and those of a dynamic supervisor. Otherwise
    /// see [`ChildError`]. A child that was stopped and could not be started again stays stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the child may stay stopped.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
let before = app.tree().children[0].pid;
let started = app.tree().restart_child("clock").await?;
assert!(started.pid() > before);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn restart_child(&self, id: &str) -> Result<ChildStart, ChildError> {
        let is_kept = |child: &&Self| *child.id == *id && child.restart != Restart::Temporary;
        let child = self.children.iter().find(is_kept).ok_or(ChildError::NotFound)?;
        let supervisor = self.handle.address::<DriverMsg>().ok_or(ChildError::NotFound)?;
        let target = |id: &Arc<str>| Target::Id(id.clone());
        send(&supervisor, Request::Terminate(target(&child.id)), Specs::None).await.result?;
        let restart = Request::Restart(target(&child.id));
        let Answer { result, pid, .. } = send(&supervisor, restart, Specs::None).await;
        Ok(result.map(|_| child_start(pid))?)
    }
}
