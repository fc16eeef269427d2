//! The operations of a driver on the children of its supervisor, by key.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{AttachError as Shut, Label, Parent};
use perennial_actors::{ExitReason, Pid, SpawnError, System};

use super::inbox::{DriverMsg, Inbox, LivenessInbox, pack};
use super::node::SupervisorNode;
use super::stats::Stats;
use crate::engine::{ChildKey, Engine, Event, StartId};
use crate::link::RactorLink;
use crate::nesting;
use crate::node::{ChildNode, StartParams};

/// Starts, checks and stops the children of one supervisor.
pub(super) struct Children {
    node: SupervisorNode,
    system: System,
    label: Label,
    inbox: Arc<Inbox>,
    watched: Arc<LivenessInbox>,
    any_watched: bool,
    link: RactorLink,
    /// The child whose start all other stopped children wait for.
    awaited: Option<ChildKey>,
}

impl Children {
    pub(super) fn new(node: SupervisorNode, system: System, inbox: Arc<Inbox>, link: RactorLink) -> Self {
        let label = node.label();
        let watched = Arc::new(LivenessInbox(inbox.clone()));
        let any_watched = node.state().plan.children.iter().any(|child| child.policy.liveness.is_some());
        node.handle().set_awaited_child(None);
        Self { node, system, label, inbox, watched, any_watched, link, awaited: None }
    }

    /// Starts a child. Returns the event of a start that failed at once.
    pub(super) fn start(&mut self, key: ChildKey, run: StartId) -> Option<Event> {
        let child = self.get(key)?;
        self.any_watched |= self.is_watched(key);
        let parent: Arc<dyn Parent> =
            if self.any_watched { self.watched.clone() } else { self.inbox.clone() };
        match self.begin(key, run, &*child, &parent) {
            Ok(pid) => {
                self.node.state().began(key, pid);
                None
            }
            Err(reason) => Some(Event::StartFailed { key, run, reason }),
        }
    }

    /// Records the child whose start all other stopped children wait for, before that start begins.
    /// If a child has exited, wakes the awaited child. Changes nothing if the awaited child has not
    /// been added yet.
    pub(super) fn await_start(&mut self, awaited: Option<ChildKey>, has_ended: bool) {
        let supervisor = || self.node.handle();
        if self.awaited != awaited {
            let child = awaited.and_then(|key| self.get(key)).map(|child| child.handle());
            if awaited.is_some() && child.is_none() {
                return;
            }
            supervisor().set_awaited_child(child.as_ref());
            self.awaited = awaited;
        } else if has_ended && awaited.is_some() {
            supervisor().wake_awaited_child();
        }
    }

    fn is_watched(&self, key: ChildKey) -> bool {
        let state = self.node.state();
        let child = state.engine.as_ref().and_then(|engine| engine.view(key));
        child.is_some_and(|child| child.policy.liveness.is_some())
    }

    /// Returns `true` if any child has or had liveness checks.
    pub(super) const fn has_watched(&self) -> bool {
        self.any_watched
    }

    fn begin(
        &self,
        key: ChildKey,
        run: StartId,
        child: &dyn ChildNode,
        parent: &Arc<dyn Parent>,
    ) -> Result<Pid, ExitReason> {
        let params =
            || StartParams { parent: parent.clone(), run: pack(key, run), link: Some(self.link.clone()) };
        let start = || child.start(params());
        let started = match start() {
            // The child was closed, or is new.
            Err(SpawnError::NotOpen(Shut::Closed)) => {
                nesting::adopt(child, &self.node.handle(), &self.node.drop_counters());
                nesting::open(child, &self.system, &self.path(key)).map_err(ExitReason::failed)?;
                start()
            }
            other => other,
        };
        started.map_err(|error| match error {
            SpawnError::Failed(reason) => reason,
            error => ExitReason::failed(error),
        })
    }

    pub(super) fn stop(&self, key: ChildKey, reason: ExitReason, drains: bool) {
        let Some(child) = self.get(key) else { return };
        self.notify_stop(key, &*child, drains);
        if drains {
            child.drain(reason);
        } else {
            // If the child has exited by itself, its exit is in the inbox.
            let _ = child.handle().stop(reason);
        }
    }

    /// Counts the messages that were dropped with an incarnation of a child, if the supervisor is
    /// stopping.
    pub(super) fn count_dropped(&self, key: ChildKey, messages: u64) {
        let is_stopping = || self.node.state().engine.as_ref().is_some_and(Engine::is_stopping_or_ended);
        if messages > 0 && is_stopping() && self.get(key).is_some_and(|child| child.counts_dropped()) {
            self.node.drop_counters().add_messages(messages);
        }
    }

    /// Runs the stop hook of a child that is about to be stopped in order.
    fn notify_stop(&self, key: ChildKey, child: &dyn ChildNode, drains: bool) {
        if child.has_stop_hook() {
            let is_stopped_in_order =
                self.node.state().engine.as_ref().is_some_and(|engine| engine.is_stopped_in_order(key));
            if is_stopped_in_order {
                child.notify_stop(drains);
            }
        }
    }

    pub(super) fn kill(&self, key: ChildKey) {
        if let Some(child) = self.get(key) {
            self.notify_stop(key, &*child, false);
            let _ = child.handle().kill();
        }
    }

    pub(super) fn abandon(&self, key: ChildKey) {
        let Some(child) = self.get(key) else { return };
        if child.handle().pid().is_some_and(|pid| child.abandon(pid)) {
            Stats::of(&self.system).abandoned();
        }
    }

    /// Returns how long the current handler of the child has been running, and its suspensions.
    pub(super) fn check_busy(&self, key: ChildKey, run: StartId) -> Option<Event> {
        let (child, pid) = (self.get(key)?, self.node.state().pid_of(key)?);
        let handle = child.handle();
        let busy = handle.busy_for().filter(|(of, _)| *of == pid).map(|(_, busy)| busy);
        Some(Event::BusyChecked { key, run, busy, suspensions: handle.suspensions() })
    }

    /// Probes a child in a task of its own. The outcome arrives through the inbox. A suspended
    /// child is not probed: the probes would pile up in its mailbox.
    pub(super) fn probe(&self, key: ChildKey, run: StartId, probe_id: u32) {
        let active = self.get(key).filter(|child| !child.handle().suspensions().is_suspended);
        let Some(answer) = active.and_then(|child| child.probe()) else { return };
        let inbox = self.inbox.clone();
        tokio::spawn(async move { inbox.put(DriverMsg::Probed(key, run, probe_id, answer.await)) });
    }

    /// Sets why the child is not running, and in how long its next incarnation starts.
    pub(super) fn set_pending_restart(&self, key: ChildKey, reason: ExitReason, retry_in: Duration) {
        if let Some(child) = self.get(key) {
            child.set_pending_restart(reason, retry_in);
        }
    }

    pub(super) fn close(&self, key: ChildKey, reason: &ExitReason) {
        if let Some(child) = self.get(key) {
            self.node.drop_counters().add_messages(nesting::close(&*child, reason));
        }
    }

    pub(super) fn forget(&self, key: ChildKey, reason: &ExitReason) {
        let removed = self.node.state().remove(key);
        if let Some(child) = removed {
            self.node.drop_counters().add_messages(nesting::close(&*child.node, reason));
        }
    }

    pub(super) fn id_of(&self, key: ChildKey) -> Arc<str> {
        self.node.state().spec(key).map_or_else(|| "".into(), |spec| spec.id.clone())
    }

    /// Returns the path of a child in the tree.
    pub(super) fn path(&self, key: ChildKey) -> Label {
        self.label.child(self.id_of(key))
    }

    pub(super) const fn label(&self) -> &Label {
        &self.label
    }

    fn get(&self, key: ChildKey) -> Option<Arc<dyn ChildNode>> {
        self.node.state().node_of(key)
    }
}
