//! The management requests of handles: the engine decides them, and the driver moves the specs that
//! they bring and take.

use std::collections::HashMap;

use perennial_actors::{ExitReason, Pid, Reply};

use super::run::Driver;
use super::state::policy;
use crate::engine::{ChildKey, Event, Request, RequestError, RequestId, RequestOk, Target};
use crate::nesting;
use crate::spec::{ChildSpec, SupervisorSpec};

/// A management request, as a handle sends it.
pub(crate) struct ManagementRequest {
    pub(crate) request: Request,
    pub(crate) specs: Specs,
    pub(crate) reply: Reply<Answer>,
}

/// The specs that a request brings. They have been checked.
#[derive(Default)]
pub(crate) enum Specs {
    #[default]
    None,
    /// The child to start.
    Child(ChildSpec),
    /// The new spec of the supervisor.
    Supervisor(SupervisorSpec),
}

/// The answer to a request: the decision of the engine, and the values that only the driver has.
pub(crate) struct Answer {
    pub(crate) result: Result<RequestOk, RequestError>,
    /// The latest incarnation of the child that the result names.
    pub(crate) pid: Option<Pid>,
    /// The spec of a deleted child.
    pub(crate) deleted: Option<ChildSpec>,
}

/// The requests that wait for their answers. Dropping them reports to their callers that the
/// supervisor has exited.
#[derive(Default)]
pub(super) struct PendingRequests {
    by_id: HashMap<RequestId, Pending>,
    next_id: u64,
}

struct Pending {
    specs: Specs,
    /// The child that the request has added.
    added: Option<ChildKey>,
    reply: Reply<Answer>,
}

impl Specs {
    /// Returns the request to add and start a child.
    pub(crate) fn of_child(child: ChildSpec) -> (Request, Self) {
        let request = Request::Start { id: child.id.clone(), policy: child.policy.clone() };
        (request, Self::Child(child))
    }

    /// Returns the request to replace the spec of a supervisor.
    pub(crate) fn of_supervisor(plan: SupervisorSpec) -> (Request, Self) {
        let children = plan.children.iter().map(|child| (child.id.clone(), child.policy.clone())).collect();
        (Request::Change { policy: policy(&plan, 0), children }, Self::Supervisor(plan))
    }
}

impl Answer {
    pub(crate) const fn refused(error: RequestError) -> Self {
        Self { result: Err(error), pid: None, deleted: None }
    }
}

impl Driver {
    /// Returns the event for a request, or `None` if the request was answered at once.
    pub(super) fn take_request(&mut self, request: ManagementRequest) -> Option<Event> {
        let ManagementRequest { mut request, specs, reply } = request;
        if let Request::Terminate(Target::Pid(pid)) = request {
            let key = self.node.state().key_of(pid);
            let Some(key) = key else {
                reply.send(Answer::refused(RequestError::NotFound));
                return None;
            };
            request = Request::Terminate(Target::Key(key));
        }
        let ticket = RequestId(self.pending.next_id);
        self.pending.next_id += 1;
        self.pending.by_id.insert(ticket, Pending { specs, added: None, reply });
        Some(Event::Request { ticket, request })
    }

    /// Adds the child of a request under this key.
    pub(super) fn add_child(&mut self, key: ChildKey, ticket: RequestId) {
        let Some(pending) = self.pending.by_id.get_mut(&ticket) else { return };
        let mut state = self.node.state();
        let child = if let Specs::Supervisor(plan) = &pending.specs {
            let id = state.engine.as_ref().and_then(|engine| Some(engine.view(key)?.id));
            plan.children.iter().find(|child| Some(&child.id) == id).map(ChildSpec::share)
        } else if let Specs::Child(child) = std::mem::take(&mut pending.specs) {
            pending.added = Some(key);
            Some(child)
        } else {
            None
        };
        let replaced = child.and_then(|child| state.insert(key, child));
        drop(state);
        drop(replaced);
    }

    /// Answers a request. A child that was added only to be started belongs to the caller again if
    /// it has not started.
    pub(super) fn answer(&mut self, ticket: RequestId, result: Result<RequestOk, RequestError>) {
        let Some(Pending { specs, added, reply }) = self.pending.by_id.remove(&ticket) else { return };
        let mut answer = Answer { result, pid: None, deleted: None };
        match &answer.result {
            Ok(RequestOk::Started(key))
            | Err(RequestError::AlreadyStarted(key) | RequestError::Running(key)) => {
                answer.pid = self.node.state().pid_of(*key);
            }
            Ok(RequestOk::Deleted(key)) => answer.deleted = self.node.state().transfer(*key),
            Err(error) => {
                let not_started = added.and_then(|key| self.node.state().remove(key));
                if let Some(child) = not_started {
                    nesting::close(&*child.node, &close_reason(error));
                }
            }
            Ok(RequestOk::Done | RequestOk::Ignored) => {}
        }
        if let (Ok(_), Specs::Supervisor(plan)) = (&answer.result, specs) {
            let replaced = self.node.state().adopt_plan(plan);
            drop(replaced);
        }
        reply.send(answer);
    }
}

/// Returns the reason with which the mailbox of a child is closed that did not start.
fn close_reason(error: &RequestError) -> ExitReason {
    match error {
        RequestError::StartFailed(reason) => reason.clone(),
        _ => ExitReason::shutdown(),
    }
}
