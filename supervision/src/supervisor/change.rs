//! Changing the spec of a supervisor that runs.

use super::builder::Supervisor;
use super::handle::{SupervisorHandle, ask};
use crate::driver::ManagementRequest;
use crate::error::ChangeError;

impl SupervisorHandle {
    /// Takes over another spec, now and for all incarnations that follow: OTP's `code_change`.
    ///
    /// What it says of the supervisor holds at once. Children that are known by their ids run on, with their mailboxes, and are treated as it
    /// says from now on; what they *are* does not change, for which they have to be deleted and started anew. Children that
    /// are new are taken in and not started: see [`restart_child`](Self::restart_child). Children that it does not mention stay, until
    /// the supervisor is restarted. Its own id, and how it is treated as a child, are left alone.
    ///
    /// # Errors
    ///
    /// If the spec is wrong, or the supervisor gone.
    pub async fn change(&self, supervisor: Supervisor) -> Result<(), ChangeError> {
        let plan = supervisor.into_plan();
        ask(&self.0, |reply| ManagementRequest::Change(plan, reply))
            .await
            .unwrap_or(Err(ChangeError::ShuttingDown))
    }
}
