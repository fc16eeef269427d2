//! The requests for each child that wait for their answers, in the order of arrival.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::{Request, RequestId, Target};

#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, VecDeque<RequestId>>);

impl Lines {
    /// A request has come. Children of a dynamic supervisor have no ids that would be theirs alone.
    pub(super) fn join(&mut self, ticket: RequestId, request: &Request, is_dynamic: bool) {
        let is_new_there = is_dynamic && matches!(request, Request::Start { .. });
        if let Some(child) = child_of(request).filter(|_| !is_new_there) {
            self.0.entry(child).or_default().push_back(ticket);
        }
    }

    /// A request is answered. It is the first of its line, unless all of them are refused.
    pub(super) fn leave(&mut self, ticket: RequestId, request: &Request, is_refused: bool) {
        let Some(line) = child_of(request).and_then(|child| self.0.get_mut(&child)) else { return };
        let Some(at) = line.iter().position(|waiting| *waiting == ticket) else { return };
        assert!(at == 0 || is_refused, "{request:?} is answered before {at} others that came first");
        line.remove(at);
    }
}

/// Returns which child a request concerns, if it concerns one.
fn child_of(request: &Request) -> Option<String> {
    match request {
        Request::Start { id, .. } => Some(id.to_string()),
        Request::Terminate(target) | Request::Restart(target) | Request::Delete(target) => {
            Some(match target {
                Target::Id(id) => id.to_string(),
                Target::Key(key) => format!("{key:?}"),
            })
        }
        Request::Change { .. } => None,
    }
}
