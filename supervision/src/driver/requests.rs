//! The pending management requests: a request becomes an event for the engine, and the engine's
//! result becomes the answer.

use std::collections::HashMap;

use perennial_actors::{ExitReason, Reply};

use super::inbox::{ChildRef, ManagementRequest};
use super::node::SupervisorNode;
use super::state::policy;
use crate::engine::{ChildKey, Event, Request, RequestError, RequestId, RequestOk, Target};
use crate::error::{ChangeError, ChildError, StartChildErrorKind};
use crate::nesting;
use crate::node::OpenError;
use crate::spec::{ChildSpec, SupervisorSpec};
use crate::tree::ChildStart;

/// The pending requests of a killed supervisor. Dropping them reports to their callers that the
/// supervisor has exited.
pub(super) struct UnansweredRequests {
    _pending: HashMap<RequestId, Pending>,
}

/// The requests that wait for their answers.
pub(super) struct PendingRequests {
    node: SupervisorNode,
    pending: HashMap<RequestId, Pending>,
    next_id: u64,
}

/// A pending request and the channel for its answer.
enum Pending {
    Start {
        child: Option<ChildSpec>,
        key: Option<ChildKey>,
        reply: Reply<Result<ChildStart, StartChildErrorKind>>,
    },
    Done(Reply<Result<(), ChildError>>),
    Restart(Reply<Result<ChildStart, ChildError>>),
    Delete(Reply<Result<ChildSpec, ChildError>>),
    Change {
        plan: SupervisorSpec,
        reply: Reply<Result<(), ChangeError>>,
    },
}

impl PendingRequests {
    pub(super) fn new(node: SupervisorNode) -> Self {
        Self { node, pending: HashMap::new(), next_id: 0 }
    }

    /// Takes all pending requests.
    pub(super) fn close(&mut self) -> UnansweredRequests {
        UnansweredRequests { _pending: std::mem::take(&mut self.pending) }
    }

    /// Returns the event for a request, or `None` if the request was answered at once.
    pub(super) fn take(&mut self, request: ManagementRequest) -> Option<Event> {
        let (request, pending) = match request {
            ManagementRequest::Query(query) => {
                let answer = query(&self.node.state());
                answer();
                return None;
            }
            ManagementRequest::Start(child, reply) => {
                let checked = self.node.state().plan.check_child(&child, self.node.id());
                if let Err(error) = checked {
                    reply.send(Err(StartChildErrorKind::Spec(error)));
                    return None;
                }
                let request = Request::Start { id: child.id.clone(), policy: child.policy.clone() };
                (request, Pending::Start { child: Some(child), key: None, reply })
            }
            ManagementRequest::Terminate(child, reply) => match self.target(child) {
                Some(target) => (Request::Terminate(target), Pending::Done(reply)),
                None => {
                    reply.send(Err(ChildError::NotFound));
                    return None;
                }
            },
            ManagementRequest::Restart(id, reply) => {
                (Request::Restart(Target::Id(id)), Pending::Restart(reply))
            }
            ManagementRequest::Delete(id, reply) => (Request::Delete(Target::Id(id)), Pending::Delete(reply)),
            ManagementRequest::Change(plan, reply) => self.change(plan, reply)?,
        };
        let ticket = RequestId(self.next_id);
        self.next_id += 1;
        self.pending.insert(ticket, pending);
        Some(Event::Request { ticket, request })
    }

    fn target(&self, child: ChildRef) -> Option<Target> {
        match child {
            ChildRef::Id(id) => Some(Target::Id(id)),
            ChildRef::Pid(pid) => self.node.state().key_of(pid).map(Target::Key),
        }
    }

    /// Converts a change of the spec. The new spec is applied when the engine accepts it: only then
    /// is it known which children exist.
    fn change(
        &self,
        plan: SupervisorSpec,
        reply: Reply<Result<(), ChangeError>>,
    ) -> Option<(Request, Pending)> {
        if let Err(error) = plan.check(self.node.id()) {
            reply.send(Err(ChangeError::Spec(error)));
            return None;
        }
        let children = plan.children.iter().map(|child| (child.id.clone(), child.policy.clone())).collect();
        let request = Request::Change { policy: policy(&plan, 0), children };
        Some((request, Pending::Change { plan, reply }))
    }

    /// Records the key of a child that a request adds.
    pub(super) fn add_child(&mut self, key: ChildKey, ticket: RequestId) {
        let mut state = self.node.state();
        let child = match self.pending.get_mut(&ticket) {
            Some(Pending::Start { child, key: added_key, .. }) => {
                *added_key = Some(key);
                child.take()
            }
            Some(Pending::Change { plan, .. }) => {
                let id = state.engine.as_ref().and_then(|engine| Some(engine.view(key)?.id.clone()));
                plan.children.iter().find(|child| Some(&child.id) == id.as_ref()).map(ChildSpec::share)
            }
            _ => None,
        };
        let replaced = child.and_then(|child| state.insert(key, child));
        drop(state);
        drop(replaced);
    }

    pub(super) fn answer(&mut self, ticket: RequestId, result: Result<RequestOk, RequestError>) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        match pending {
            Pending::Start { key, reply, .. } => {
                // The child was added only to be started.
                let not_started_child =
                    key.filter(|_| result.is_err()).and_then(|key| self.node.state().remove(key));
                if let (Some(child), Err(error)) = (not_started_child, &result) {
                    nesting::close(&*child.node, &close_reason(error));
                }
                reply.send(self.started(result).map_err(|error| self.not_started(error)));
            }
            Pending::Done(reply) => reply.send(result.map(drop).map_err(child_error)),
            Pending::Restart(reply) => reply.send(self.started(result).map_err(child_error)),
            Pending::Delete(reply) => {
                let deleted = result.map_err(child_error).and_then(|ok| match ok {
                    RequestOk::Deleted(key) => self.node.state().transfer(key).ok_or(ChildError::NotFound),
                    _ => Err(ChildError::NotFound),
                });
                reply.send(deleted);
            }
            Pending::Change { plan, reply } => {
                if result.is_ok() {
                    let replaced = self.node.state().adopt_plan(plan);
                    drop(replaced);
                }
                reply.send(result.map(drop).map_err(|_| ChangeError::ShuttingDown));
            }
        }
    }

    fn started(&self, result: Result<RequestOk, RequestError>) -> Result<ChildStart, RequestError> {
        result.map(|ok| match ok {
            RequestOk::Started(key) => {
                self.node.state().pid_of(key).map_or(ChildStart::Ignored, ChildStart::Started)
            }
            RequestOk::Ignored | RequestOk::Done | RequestOk::Deleted(_) => ChildStart::Ignored,
        })
    }

    fn not_started(&self, error: RequestError) -> StartChildErrorKind {
        match error {
            RequestError::AlreadyStarted(key) | RequestError::Running(key) => {
                let state = self.node.state();
                state
                    .pid_of(key)
                    .map_or(StartChildErrorKind::AlreadyPresent, StartChildErrorKind::AlreadyStarted)
            }
            RequestError::AlreadyPresent | RequestError::Restarting => StartChildErrorKind::AlreadyPresent,
            RequestError::MaxChildren => StartChildErrorKind::MaxChildren,
            RequestError::StartFailed(reason) => {
                match reason.error().and_then(|error| error.downcast_ref::<OpenError>()) {
                    Some(error) => StartChildErrorKind::Open(error.clone()),
                    None => StartChildErrorKind::Failed(reason),
                }
            }
            RequestError::ShuttingDown | RequestError::NotFound => StartChildErrorKind::ShuttingDown,
        }
    }
}

/// Returns the reason with which the mailbox of a child is closed that did not start.
fn close_reason(error: &RequestError) -> ExitReason {
    match error {
        RequestError::StartFailed(reason) => reason.clone(),
        _ => ExitReason::shutdown(),
    }
}

fn child_error(error: RequestError) -> ChildError {
    match error {
        RequestError::Running(_) | RequestError::AlreadyStarted(_) => ChildError::Running,
        RequestError::Restarting | RequestError::AlreadyPresent => ChildError::Restarting,
        RequestError::StartFailed(reason) => ChildError::StartFailed(reason),
        RequestError::ShuttingDown => ChildError::ShuttingDown,
        RequestError::NotFound | RequestError::MaxChildren => ChildError::NotFound,
    }
}
