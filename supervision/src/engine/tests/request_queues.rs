//! The unanswered requests for each child, in the order of arrival.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::{Request, RequestId, Target};

#[derive(Default)]
pub(super) struct RequestQueues(BTreeMap<String, VecDeque<RequestId>>);

impl RequestQueues {
    /// Records a request. Starts of a dynamic supervisor's children are left out, because ids are
    /// not unique there.
    pub(super) fn push(&mut self, ticket: RequestId, request: &Request, is_dynamic: bool) {
        let is_new_there = is_dynamic && matches!(request, Request::Start { .. });
        if let Some(child) = child_of(request).filter(|_| !is_new_there) {
            self.0.entry(child).or_default().push_back(ticket);
        }
    }

    /// Records an answer. It must be the answer to the oldest request for the child, unless all are
    /// refused.
    pub(super) fn pop(&mut self, ticket: RequestId, request: &Request, is_refused: bool) {
        let Some(queue) = child_of(request).and_then(|child| self.0.get_mut(&child)) else { return };
        let Some(at) = queue.iter().position(|waiting| *waiting == ticket) else { return };
        assert!(at == 0 || is_refused, "{request:?} is answered before {at} others that came first");
        queue.remove(at);
    }
}

/// Returns the child that a request concerns, if there is one.
fn child_of(request: &Request) -> Option<String> {
    match request {
        Request::Start { id, .. } => Some(id.to_string()),
        Request::Terminate(target)
        | Request::Restart(target)
        | Request::Delete(target)
        | Request::ResetFailed(target) => Some(match target {
            Target::Id(id) => id.to_string(),
            Target::Key(key) => format!("{key:?}"),
            Target::Pid(pid) => pid.to_string(),
        }),
        Request::Change { .. } => None,
    }
}
