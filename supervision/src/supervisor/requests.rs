//! Requests to a supervisor, and their answers.

use perennial_actors::{Address, Pid, Reply};
use tokio::runtime;

use crate::boxed::boxed;
use crate::driver::{Answer, DriverMsg, ManagementRequest, Query, Specs, SupervisorNode};
use crate::engine::{Request, RequestError};
use crate::error::ChildError;
use crate::tree::ChildStart;

/// Reads the state of a running supervisor.
pub(super) async fn query<T: Send + 'static>(
    node: &SupervisorNode,
    query: impl FnOnce(Reply<T>) -> Query + Send,
) -> Result<T, ChildError> {
    let answer = node.address().call(|reply| DriverMsg::Query(query(reply))).no_timeout().await;
    answer.map_err(|_| ChildError::ShuttingDown)
}

/// Sends a request to a supervisor and waits for the answer. A supervisor that is gone, or ends
/// without answering, is shutting down.
pub(super) async fn send(to: &Address<DriverMsg>, request: Request, specs: Specs) -> Answer {
    let request = |reply| DriverMsg::Request(Box::new(ManagementRequest { request, specs, reply }));
    let answer = to.call(request).no_timeout().await;
    answer.unwrap_or_else(|_| Answer::refused(RequestError::ShuttingDown))
}

/// Returns the outcome of a successful start. A child without an incarnation has declined.
pub(super) fn child_start(pid: Option<Pid>) -> ChildStart {
    pid.map_or(ChildStart::Ignored, ChildStart::Started)
}

/// Runs a change to its end, also if the returned future is dropped. Returns `None` if the runtime
/// ends first.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    match runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn(boxed(change)).await.ok(),
        Err(_) => Some(change.await),
    }
}
