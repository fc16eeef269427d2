//! Changing the spec of a running supervisor.

use super::handle::SupervisorHandle;
use super::ordered::Supervisor;
use super::requests::change;
use crate::error::ChangeError;

impl SupervisorHandle {
    /// Replaces the spec of the supervisor, for this incarnation and the following ones: OTP's
    /// `code_change`.
    ///
    /// - The settings of the supervisor apply at once.
    /// - A child whose id exists in both specs keeps running, with its mailbox. The policy of the
    ///   new spec applies to it from now on. Its code does not change: for that, delete it and
    ///   start it anew.
    /// - A child that is new is added and not started: see [`restart_child`](Self::restart_child).
    /// - A child that the new spec does not contain stays until the supervisor is restarted.
    /// - The id of the supervisor and its own policy as a child do not change.
    ///
    /// # Errors
    ///
    /// An invalid spec, or the supervisor is gone or shutting down.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("a")).start(&System::new()).await?;
let supervisor = app.supervisor();
supervisor.change(Supervisor::new("app").child(clock("a")).child(clock("b"))).await?;
supervisor.restart_child("b").await?;
assert_eq!(supervisor.count_children().await?.active, 2);
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub async fn change(&self, supervisor: Supervisor) -> Result<(), ChangeError> {
        change(&self.node, supervisor.spec).await
    }
}
