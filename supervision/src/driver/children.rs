//! The children of a supervisor, as its driver handles them: by key.

use std::sync::Arc;

use perennial_actors::host::OpenError as Shut;
use perennial_actors::{Event as Happening, ExitReason, Pid, StartError, System};

use super::inbox::{Inbox, pack};
use super::node::SupervisorNode;
use super::totals::Books;
use crate::engine::{Event, Key, Report, Run};
use crate::spec::ChildSpec;
use crate::tree::Straggler;

/// Starts, stops and reports children.
pub(super) struct Children {
    node: SupervisorNode,
    system: System,
    supervisor: Pid,
    label: Arc<str>,
    inbox: Arc<Inbox>,
}

impl Children {
    pub(super) fn new(node: SupervisorNode, system: System, supervisor: Pid, inbox: Arc<Inbox>) -> Self {
        let label = node.address().handle().label().unwrap_or_else(|| node.id().clone());
        Self { node, system, supervisor, label, inbox }
    }

    pub(super) fn key_of(&self, id: &str) -> Option<Key> {
        let index = self.node.children().iter().position(|child| *child.id == *id)?;
        Some(Key(index as u32))
    }

    pub(super) fn id_of(&self, key: Key) -> Arc<str> {
        self.get(key).map_or_else(|| "".into(), |child| child.id.clone())
    }

    /// Starts a child. If that fails at once, the event that says so.
    pub(super) fn start(&self, key: Key, run: Run) -> Option<Event> {
        let child = self.get(key)?;
        let start = || child.node.start(self.inbox.clone(), pack(key, run));
        let started = match start() {
            // It was down for good, and is called back.
            Err(StartError::NotOpen(Shut::Closed)) => {
                match child.node.open(&self.system, &self.path(child)) {
                    Ok(()) => start(),
                    Err(error) => return Some(failed(key, run, ExitReason::failed(error))),
                }
            }
            other => other,
        };
        started.err().map(|error| failed(key, run, ExitReason::failed(error)))
    }

    pub(super) fn stop(&self, key: Key) {
        if let Some(child) = self.get(key) {
            // If it has ended by itself, its end is in the inbox.
            let _ = child.node.handle().stop(ExitReason::shutdown());
        }
    }

    pub(super) fn kill(&self, key: Key) {
        if let Some(child) = self.get(key) {
            let _ = child.node.handle().kill();
        }
    }

    pub(super) fn abandon(&self, key: Key) {
        let Some(child) = self.get(key) else { return };
        if child.node.handle().pid().is_some_and(|pid| child.node.abandon(pid)) {
            Books::of(&self.system).abandoned();
        }
    }

    pub(super) fn close(&self, key: Key, reason: &ExitReason) {
        if let Some(child) = self.get(key) {
            child.node.close(reason);
        }
    }

    /// Tells whoever wants to know.
    pub(super) fn report(&self, report: &Report) {
        let (supervisor, label) = (self.supervisor, &*self.label);
        match report {
            Report::Restarting { key, reason } => {
                let child = self.id_of(*key);
                tracing::info!(%supervisor, label, %child, %reason, "supervisor restarts a child");
                Books::of(&self.system).restarted();
                self.system.publish(|| Happening::Restarting { supervisor, child, reason: reason.clone() });
            }
            Report::GaveUp { key } => {
                let child = self.id_of(*key);
                tracing::error!(%supervisor, label, %child, "supervisor gives up: too many restarts");
                Books::of(&self.system).gave_up();
                let label = self.label.clone();
                self.system.publish(|| Happening::GaveUp { supervisor, label, child });
            }
            Report::Late { key, abandoned } => {
                let Some(child) = self.get(*key) else { return };
                let path = self.path(child);
                tracing::warn!(%supervisor, path, abandoned, "child did not stop in time");
                let straggler = Straggler { path: path.into(), abandoned: *abandoned };
                self.node.book().stragglers.push(straggler);
            }
        }
    }

    fn get(&self, key: Key) -> Option<&ChildSpec> {
        self.node.children().get(key.0 as usize)
    }

    fn path(&self, child: &ChildSpec) -> String {
        format!("{}/{}", self.label, child.id)
    }
}

const fn failed(key: Key, run: Run, reason: ExitReason) -> Event {
    Event::StartFailed { key, run, reason }
}
