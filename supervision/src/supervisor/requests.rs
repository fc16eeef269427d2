//! Requests to a supervisor, and their answers.

use std::sync::Arc;

use perennial_actors::{Address, OwnedArgs, Pid, Reply};
use tokio::runtime;

use crate::driver::{Answer, DriverMsg, ManagementRequest, Query, Specs, SupervisorNode};
use crate::engine::{Request, RequestError, Target};
use crate::error::{ChangeError, ChildError, StartChildError, StartChildErrorKind, StartOnceError};
use crate::spec::{Child, ChildSpec, SupervisorSpec};
use crate::tree::ChildStart;

/// Starts a child. In a dynamic supervisor it has the restart type that its spec names for that
/// case.
pub(super) async fn start_child(
    node: &SupervisorNode,
    child: ChildSpec,
) -> Result<ChildStart, StartChildError> {
    let started = match node.check_child(child.share()) {
        Ok(sent) => {
            let (request, specs) = Specs::of_child(sent);
            let Answer { result, pid, .. } = send(node, request, specs).await;
            result.map(|_| child_start(pid)).map_err(|error| StartChildErrorKind::new(error, pid))
        }
        Err(error) => Err(StartChildErrorKind::Spec(error)),
    };
    started.map_err(|kind| StartChildError { kind, child })
}

/// Starts a child that is started once. The error gives its arguments back unless they were taken.
pub(super) async fn start_once<M: Send + 'static, T: Send + 'static>(
    node: &SupervisorNode,
    child: Child<M, OwnedArgs<T>>,
) -> Result<Address<M>, StartOnceError<T>> {
    let (address, args) = (child.address(), child.args());
    let started = start_child(node, child.into()).await.map(drop);
    started.map(|()| address).map_err(|error| {
        let (id, kind) = (error.child.id().clone(), error.kind);
        StartOnceError { id, kind, args: args.take() }
    })
}

/// Stops a child.
pub(super) async fn terminate_child(node: &SupervisorNode, child: Target) -> Result<(), ChildError> {
    Ok(send(node, Request::Terminate(child), Specs::None).await.result.map(drop)?)
}

/// Starts a stopped child.
pub(super) async fn restart_child(node: &SupervisorNode, id: Arc<str>) -> Result<ChildStart, ChildError> {
    let Answer { result, pid, .. } = send(node, Request::Restart(Target::Id(id)), Specs::None).await;
    Ok(result.map(|_| child_start(pid))?)
}

/// Removes a stopped child and returns its spec.
pub(super) async fn delete_child(node: &SupervisorNode, id: Arc<str>) -> Result<ChildSpec, ChildError> {
    let Answer { result, deleted, .. } = send(node, Request::Delete(Target::Id(id)), Specs::None).await;
    result.map_err(ChildError::from).and(deleted.ok_or(ChildError::NotFound))
}

/// Replaces the spec of a supervisor.
pub(super) async fn change(node: &SupervisorNode, spec: SupervisorSpec) -> Result<(), ChangeError> {
    spec.check(node.id()).map_err(ChangeError::Spec)?;
    let (request, specs) = Specs::of_supervisor(spec);
    send(node, request, specs).await.result.map(drop).map_err(|_| ChangeError::ShuttingDown)
}

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
async fn send(node: &SupervisorNode, request: Request, specs: Specs) -> Answer {
    let request = |reply| DriverMsg::Request(Box::new(ManagementRequest { request, specs, reply }));
    let answer = node.address().call(request).no_timeout().await;
    answer.unwrap_or_else(|_| Answer::refused(RequestError::ShuttingDown))
}

/// Returns the outcome of a successful start. A child without an incarnation has declined.
fn child_start(pid: Option<Pid>) -> ChildStart {
    pid.map_or(ChildStart::Ignored, ChildStart::Started)
}

/// Runs a change to its end, also if the returned future is dropped. Returns `None` if the runtime
/// ends first.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    change: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    match runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn(change).await.ok(),
        Err(_) => Some(change.await),
    }
}
