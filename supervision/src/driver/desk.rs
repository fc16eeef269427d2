//! Requests and their answers: what is asked becomes an event for the engine, and what that decides becomes an answer.

use std::collections::HashMap;

use perennial_actors::{ExitReason, Reply};

use super::book::policy;
use super::inbox::{Ask, Which};
use super::node::SupervisorNode;
use crate::engine::{Event, Granted, Key, Refusal, Request, Target, Ticket};
use crate::error::{ChangeError, ChildError, NotStarted};
use crate::nesting;
use crate::node::OpenError;
use crate::spec::{ChildSpec, Plan};
use crate::tree::ChildStart;

/// The requests of a dead supervisor. To drop it tells their callers that the supervisor is gone.
pub(super) struct Unanswered {
    _pending: HashMap<Ticket, Pending>,
}

/// Where requests wait for their answers.
pub(super) struct Desk {
    node: SupervisorNode,
    pending: HashMap<Ticket, Pending>,
    next_ticket: u64,
}

/// Who waits, and for what.
enum Pending {
    Start { child: Option<ChildSpec>, key: Option<Key>, reply: Reply<Result<ChildStart, NotStarted>> },
    Done(Reply<Result<(), ChildError>>),
    Restart(Reply<Result<ChildStart, ChildError>>),
    Delete(Reply<Result<ChildSpec, ChildError>>),
    Change { plan: Plan, reply: Reply<Result<(), ChangeError>> },
}

impl Desk {
    pub(super) fn new(node: SupervisorNode) -> Self {
        Self { node, pending: HashMap::new(), next_ticket: 0 }
    }

    /// Gives out the requests that wait.
    pub(super) fn close(&mut self) -> Unanswered {
        Unanswered { _pending: std::mem::take(&mut self.pending) }
    }

    /// The event that a request is, unless it can be answered at once.
    pub(super) fn take(&mut self, ask: Ask) -> Option<Event> {
        let (request, pending) = match ask {
            Ask::Look(look) => {
                let answer = look(&self.node.book());
                answer();
                return None;
            }
            Ask::Start(child, reply) => {
                let checked = self.node.book().plan.check_child(&child, self.node.id());
                if let Err(error) = checked {
                    reply.send(Err(NotStarted::Spec(error)));
                    return None;
                }
                let request = Request::Start { id: child.id.clone(), policy: child.policy.clone() };
                (request, Pending::Start { child: Some(child), key: None, reply })
            }
            Ask::Terminate(which, reply) => match self.target(which) {
                Some(target) => (Request::Terminate(target), Pending::Done(reply)),
                None => {
                    reply.send(Err(ChildError::NotFound));
                    return None;
                }
            },
            Ask::Restart(id, reply) => (Request::Restart(Target::Id(id)), Pending::Restart(reply)),
            Ask::Delete(id, reply) => (Request::Delete(Target::Id(id)), Pending::Delete(reply)),
            Ask::Change(plan, reply) => self.change(plan, reply)?,
        };
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.pending.insert(ticket, pending);
        Some(Event::Asked { ticket, request })
    }

    fn target(&self, which: Which) -> Option<Target> {
        match which {
            Which::Id(id) => Some(Target::Id(id)),
            Which::Pid(pid) => self.node.book().key_of(pid).map(Target::Key),
        }
    }

    /// Another plan, which is taken over when the engine grants it: then it is known who is there.
    fn change(&self, plan: Plan, reply: Reply<Result<(), ChangeError>>) -> Option<(Request, Pending)> {
        if let Err(error) = plan.check(self.node.id()) {
            reply.send(Err(ChangeError::Spec(error)));
            return None;
        }
        let children = plan.children.iter().map(|child| (child.id.clone(), child.policy.clone())).collect();
        let request = Request::Change { policy: policy(&plan, 0), children };
        Some((request, Pending::Change { plan, reply }))
    }

    /// A child that was brought has a key now.
    pub(super) fn admit(&mut self, key: Key, ticket: Ticket) {
        let mut book = self.node.book();
        let child = match self.pending.get_mut(&ticket) {
            Some(Pending::Start { child, key: admitted, .. }) => {
                *admitted = Some(key);
                child.take()
            }
            Some(Pending::Change { plan, .. }) => {
                let id = book.engine.as_ref().and_then(|engine| Some(engine.sight(key)?.id.clone()));
                plan.children.iter().find(|child| Some(&child.id) == id.as_ref()).map(ChildSpec::twin)
            }
            _ => None,
        };
        let replaced = child.and_then(|child| book.admit(key, child));
        drop(book);
        drop(replaced);
    }

    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Granted, Refusal>) {
        let Some(pending) = self.pending.remove(&ticket) else { return };
        match pending {
            Pending::Start { key, reply, .. } => {
                // It was taken in only to be started.
                let unwanted = key.filter(|_| result.is_err()).and_then(|key| self.node.book().dismiss(key));
                if let (Some(child), Err(refusal)) = (unwanted, &result) {
                    nesting::close(&*child.node, &why(refusal));
                }
                reply.send(self.started(result).map_err(|refusal| self.not_started(refusal)));
            }
            Pending::Done(reply) => reply.send(result.map(drop).map_err(child_error)),
            Pending::Restart(reply) => reply.send(self.started(result).map_err(child_error)),
            Pending::Delete(reply) => {
                let deleted = result.map_err(child_error).and_then(|granted| match granted {
                    Granted::Deleted(key) => self.node.book().give_away(key).ok_or(ChildError::NotFound),
                    _ => Err(ChildError::NotFound),
                });
                reply.send(deleted);
            }
            Pending::Change { plan, reply } => {
                if result.is_ok() {
                    let displaced = self.node.book().take_over(plan);
                    drop(displaced);
                }
                reply.send(result.map(drop).map_err(|_| ChangeError::ShuttingDown));
            }
        }
    }

    fn started(&self, result: Result<Granted, Refusal>) -> Result<ChildStart, Refusal> {
        result.map(|granted| match granted {
            Granted::Started(key) => {
                self.node.book().pid_of(key).map_or(ChildStart::Ignored, ChildStart::Started)
            }
            Granted::Ignored | Granted::Done | Granted::Deleted(_) => ChildStart::Ignored,
        })
    }

    fn not_started(&self, refusal: Refusal) -> NotStarted {
        match refusal {
            Refusal::AlreadyStarted(key) | Refusal::Running(key) => {
                let book = self.node.book();
                book.pid_of(key).map_or(NotStarted::AlreadyPresent, NotStarted::AlreadyStarted)
            }
            Refusal::AlreadyPresent | Refusal::Restarting => NotStarted::AlreadyPresent,
            Refusal::MaxChildren => NotStarted::MaxChildren,
            Refusal::StartFailed(reason) => {
                match reason.error().and_then(|error| error.downcast_ref::<OpenError>()) {
                    Some(error) => NotStarted::Open(error.clone()),
                    None => NotStarted::Failed(reason),
                }
            }
            Refusal::ShuttingDown | Refusal::NotFound => NotStarted::ShuttingDown,
        }
    }
}

/// What those are told who wait in the mailbox of a child that was not started.
fn why(refusal: &Refusal) -> ExitReason {
    match refusal {
        Refusal::StartFailed(reason) => reason.clone(),
        _ => ExitReason::shutdown(),
    }
}

fn child_error(refusal: Refusal) -> ChildError {
    match refusal {
        Refusal::Running(_) | Refusal::AlreadyStarted(_) => ChildError::Running,
        Refusal::Restarting | Refusal::AlreadyPresent => ChildError::Restarting,
        Refusal::StartFailed(reason) => ChildError::StartFailed(reason),
        Refusal::ShuttingDown => ChildError::ShuttingDown,
        Refusal::NotFound | Refusal::MaxChildren => ChildError::NotFound,
    }
}
