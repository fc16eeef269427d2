//! Requests and their answers: what is asked becomes an event for the engine, and what that decides becomes an answer.

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

/// The requests of a dead supervisor. To drop it tells their callers that the supervisor is gone.
pub(super) struct Unanswered {
    _pending: HashMap<RequestId, Pending>,
}

/// Where requests wait for their answers.
pub(super) struct PendingRequests {
    node: SupervisorNode,
    pending: HashMap<RequestId, Pending>,
    next_ticket: u64,
}

/// Who waits, and for what.
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
        Self { node, pending: HashMap::new(), next_ticket: 0 }
    }

    /// Gives out the requests that wait.
    pub(super) fn close(&mut self) -> Unanswered {
        Unanswered { _pending: std::mem::take(&mut self.pending) }
    }

    /// The event that a request is, unless it can be answered at once.
    pub(super) fn take(&mut self, ask: ManagementRequest) -> Option<Event> {
        let (request, pending) = match ask {
            ManagementRequest::Query(look) => {
                let answer = look(&self.node.book());
                answer();
                return None;
            }
            ManagementRequest::Start(child, reply) => {
                let checked = self.node.book().plan.check_child(&child, self.node.id());
                if let Err(error) = checked {
                    reply.send(Err(StartChildErrorKind::Spec(error)));
                    return None;
                }
                let request = Request::Start { id: child.id.clone(), policy: child.policy.clone() };
                (request, Pending::Start { child: Some(child), key: None, reply })
            }
            ManagementRequest::Terminate(which, reply) => match self.target(which) {
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
        let ticket = RequestId(self.next_ticket);
        self.next_ticket += 1;
        self.pending.insert(ticket, pending);
        Some(Event::Request { ticket, request })
    }

    fn target(&self, which: ChildRef) -> Option<Target> {
        match which {
            ChildRef::Id(id) => Some(Target::Id(id)),
            ChildRef::Pid(pid) => self.node.book().key_of(pid).map(Target::Key),
        }
    }

    /// Another plan, which is taken over when the engine grants it: then it is known who is there.
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

    /// A child that was brought has a key now.
    pub(super) fn admit(&mut self, key: ChildKey, ticket: RequestId) {
        let mut book = self.node.book();
        let child = match self.pending.get_mut(&ticket) {
            Some(Pending::Start { child, key: admitted, .. }) => {
                *admitted = Some(key);
                child.take()
            }
            Some(Pending::Change { plan, .. }) => {
                let id = book.engine.as_ref().and_then(|engine| Some(engine.sight(key)?.id.clone()));
                plan.children.iter().find(|child| Some(&child.id) == id.as_ref()).map(ChildSpec::share)
            }
            _ => None,
        };
        let replaced = child.and_then(|child| book.insert(key, child));
        drop(book);
        drop(replaced);
    }

    pub(super) fn answer(&mut self, ticket: RequestId, result: Result<RequestOk, RequestError>) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        match pending {
            Pending::Start { key, reply, .. } => {
                // It was taken in only to be started.
                let unwanted = key.filter(|_| result.is_err()).and_then(|key| self.node.book().remove(key));
                if let (Some(child), Err(refusal)) = (unwanted, &result) {
                    nesting::close(&*child.node, &why(refusal));
                }
                reply.send(self.started(result).map_err(|refusal| self.not_started(refusal)));
            }
            Pending::Done(reply) => reply.send(result.map(drop).map_err(child_error)),
            Pending::Restart(reply) => reply.send(self.started(result).map_err(child_error)),
            Pending::Delete(reply) => {
                let deleted = result.map_err(child_error).and_then(|granted| match granted {
                    RequestOk::Deleted(key) => self.node.book().give_away(key).ok_or(ChildError::NotFound),
                    _ => Err(ChildError::NotFound),
                });
                reply.send(deleted);
            }
            Pending::Change { plan, reply } => {
                if result.is_ok() {
                    let displaced = self.node.book().adopt_plan(plan);
                    drop(displaced);
                }
                reply.send(result.map(drop).map_err(|_| ChangeError::ShuttingDown));
            }
        }
    }

    fn started(&self, result: Result<RequestOk, RequestError>) -> Result<ChildStart, RequestError> {
        result.map(|granted| match granted {
            RequestOk::Started(key) => {
                self.node.book().pid_of(key).map_or(ChildStart::Ignored, ChildStart::Started)
            }
            RequestOk::Ignored | RequestOk::Done | RequestOk::Deleted(_) => ChildStart::Ignored,
        })
    }

    fn not_started(&self, refusal: RequestError) -> StartChildErrorKind {
        match refusal {
            RequestError::AlreadyStarted(key) | RequestError::Running(key) => {
                let book = self.node.book();
                book.pid_of(key)
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

/// What those are told who wait in the mailbox of a child that was not started.
fn why(refusal: &RequestError) -> ExitReason {
    match refusal {
        RequestError::StartFailed(reason) => reason.clone(),
        _ => ExitReason::shutdown(),
    }
}

fn child_error(refusal: RequestError) -> ChildError {
    match refusal {
        RequestError::Running(_) | RequestError::AlreadyStarted(_) => ChildError::Running,
        RequestError::Restarting | RequestError::AlreadyPresent => ChildError::Restarting,
        RequestError::StartFailed(reason) => ChildError::StartFailed(reason),
        RequestError::ShuttingDown => ChildError::ShuttingDown,
        RequestError::NotFound | RequestError::MaxChildren => ChildError::NotFound,
    }
}
