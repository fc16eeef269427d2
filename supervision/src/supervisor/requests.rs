//! Requests to a supervisor, and their answers.

use perennial_actors::{Address, OwnedArgs, Reply};
use tokio::runtime;

use crate::driver::{DriverMsg, ManagementRequest, SupervisorNode, SupervisorState};
use crate::error::{ChildError, StartChildError, StartChildErrorKind, StartOnceError};
use crate::spec::{Child, ChildSpec};
use crate::tree::ChildStart;

/// Starts a child. In a dynamic supervisor it has the restart type that its spec names for that
/// case.
pub(super) async fn start_child(
    node: &SupervisorNode,
    child: ChildSpec,
) -> Result<ChildStart, StartChildError> {
    let mut sent = child.share();
    if node.is_dynamic() {
        sent.policy.restart = sent.restart_if_dynamic;
    }
    let started = ask(node, |reply| ManagementRequest::Start(sent, reply))
        .await
        .unwrap_or(Err(StartChildErrorKind::ShuttingDown));
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

/// Sends a request to a supervisor and waits for the answer. Returns `None` if the supervisor is
/// gone or ends without answering.
pub(super) async fn ask<T: Send + 'static>(
    node: &SupervisorNode,
    request: impl FnOnce(Reply<T>) -> ManagementRequest + Send,
) -> Option<T> {
    let address = node.address();
    address.call(|reply| DriverMsg::Request(Box::new(request(reply)))).no_timeout().await.ok()
}

/// Reads the state of a running supervisor with `read`.
pub(super) async fn query<T: Send + 'static>(
    node: &SupervisorNode,
    read: impl FnOnce(&SupervisorState) -> T + Send + 'static,
) -> Result<T, ChildError> {
    let request = |reply: Reply<T>| {
        ManagementRequest::Query(Box::new(move |state| {
            let answer = read(state);
            Box::new(move || reply.send(answer))
        }))
    };
    ask(node, request).await.ok_or(ChildError::ShuttingDown)
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
