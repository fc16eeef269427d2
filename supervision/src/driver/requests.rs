//! The management requests of handles: the engine decides them, and the driver moves the specs that
//! they bring and take.

use perennial_actors::ExitReason;

use super::inbox::{Answer, ManagementRequest, Specs};
use super::run::Driver;
use crate::engine::{ChildKey, Event, Request, RequestError, RequestId, RequestOk, Target};
use crate::nesting;
use crate::spec::ChildSpec;

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
        let ticket = self.next_ticket;
        self.next_ticket = RequestId(ticket.0 + 1);
        self.pending.insert(ticket, (specs, reply));
        Some(Event::Request { ticket, request })
    }

    /// Adds the child of a request under this key.
    pub(super) fn add_child(&mut self, key: ChildKey, ticket: RequestId) {
        let Some((specs, _)) = self.pending.get_mut(&ticket) else { return };
        let mut state = self.node.state();
        let child = if let Specs::Supervisor(plan) = specs {
            let id = state.engine.as_ref().and_then(|engine| Some(engine.view(key)?.id));
            plan.children.iter().find(|child| Some(&child.id) == id).map(ChildSpec::share)
        } else if let Specs::Child(child) = std::mem::replace(specs, Specs::Added(key)) {
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
        let Some((specs, reply)) = self.pending.remove(&ticket) else { return };
        let mut answer = Answer { result, pid: None, deleted: None };
        if let (Ok(_), Specs::Added(key)) = (&answer.result, &specs) {
            self.node.state().join_spec(*key);
        }
        match (&answer.result, specs) {
            (Ok(RequestOk::Deleted(key)), _) => answer.deleted = self.node.state().transfer(*key),
            (Ok(_), Specs::Supervisor(plan)) => {
                let mut replaced = None;
                self.change_status(|state| replaced = Some(state.adopt_plan(plan)));
                drop(replaced);
            }
            (Err(error), Specs::Added(key)) => {
                let not_started = self.node.state().remove(key);
                if let Some(child) = not_started {
                    nesting::close(&*child.node, &close_reason(error));
                }
            }
            (Ok(RequestOk::Started(key)), _)
            | (Err(RequestError::AlreadyStarted(key) | RequestError::Running(key)), _) => {
                answer.pid = self.node.state().pid_of(*key);
            }
            _ => {}
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
