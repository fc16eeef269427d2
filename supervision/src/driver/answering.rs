//! Asking the supervisors of a tree whether they handle their messages.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::CallError;
use tokio::task::JoinSet;

use super::inbox::{DriverMsg, Query};
use crate::policy::ChildKind;
use crate::tree::{ChildState, Tree};

impl Tree {
    /// Asks each supervisor of the tree that runs or stops, all at once. Returns the paths of those
    /// that have not answered within `timeout`, in the order of the tree.
    ///
    /// A supervisor answers at once, also while its children start or stop. A missing answer says
    /// that its task does not get to run: something blocks the threads of the runtime. A supervisor
    /// that ended or was replaced since the snapshot is not among them.
    ///
    /// Must be called in a tokio runtime with timers.
    ///
    #[doc = supervision_example!(
        r#"let app = Supervisor::new("app").child(clock("clock")).start(&System::new()).await?;
let second = std::time::Duration::from_secs(1);
assert!(app.tree().unresponsive_supervisors(second).await.is_empty());
# assert!(app.shutdown().await.is_clean());"#
    )]
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    pub async fn unresponsive_supervisors(&self, timeout: Duration) -> Vec<Arc<str>> {
        let mut calls = JoinSet::new();
        for (number, node) in self.walk().enumerate() {
            let is_asked = matches!(node.state, ChildState::Running | ChildState::Stopping);
            if node.kind != ChildKind::Supervisor || !is_asked {
                continue;
            }
            let (Some(supervisor), Some(pid)) = (node.handle.address::<DriverMsg>(), node.pid) else {
                continue;
            };
            calls.spawn(async move {
                let call = supervisor.call(|reply| DriverMsg::Query(Query::Ping(reply)));
                let answer = call.timeout(timeout).await;
                let timed_out =
                    matches!(answer, Err(CallError::TimedOut(_))) && supervisor.pid() == Some(pid);
                timed_out.then(|| (number, supervisor.handle().label()))
            });
        }
        let mut late = Vec::new();
        while let Some(result) = calls.join_next().await {
            late.extend(result.ok().flatten());
        }
        late.sort_unstable_by_key(|(number, _)| *number);
        late.into_iter().filter_map(|(_, path)| path).collect()
    }
}
