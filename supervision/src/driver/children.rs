//! The operations of a driver on the children of its supervisor, by key.

use std::sync::Arc;

use perennial_actors::host::{AttachError, Label, catch_panic};
use perennial_actors::{ExitReason, Pid, SpawnError};

use super::inbox::{DriverMsg, pack};
use super::reports::Stats;
use super::run::Driver;
use crate::engine::{ChildKey, Event, StartId};
use crate::log;
use crate::nesting;
use crate::node::{ChildNode, StartParams};
use crate::policy::RestartCondition;

impl Driver {
    /// Starts a child. Returns the event of a start that failed at once.
    pub(super) fn start(&mut self, key: ChildKey, run: StartId) -> Option<Event> {
        let (child, is_watched) = {
            let state = self.node.state();
            (state.node_of(key)?, state.is_watched(key))
        };
        if is_watched {
            self.inbox.set_watched();
        }
        match self.start_incarnation(key, run, &*child) {
            Ok(pid) => {
                self.node.state().began(key, pid);
                self.expects_report = true;
                None
            }
            Err(SpawnError::Failed(reason)) => Some(Event::StartFailed { key, run, reason }),
            Err(error) => Some(Event::StartFailed { key, run, reason: ExitReason::failed(error) }),
        }
    }

    fn start_incarnation(
        &mut self,
        key: ChildKey,
        run: StartId,
        child: &dyn ChildNode,
    ) -> Result<Pid, SpawnError> {
        match self.begin(key, run, child) {
            // The child was closed, or is new.
            Err(SpawnError::NotOpen(AttachError::Closed)) => {
                nesting::adopt(child, &self.node.handle(), &self.node.drop_counters());
                let path = self.shared_path(key);
                let opened = nesting::open(child, &self.system, &path);
                opened.map_err(|error| SpawnError::Failed(ExitReason::failed(error)))?;
                self.begin(key, run, child)
            }
            started => started,
        }
    }

    fn begin(&self, key: ChildKey, run: StartId, child: &dyn ChildNode) -> Result<Pid, SpawnError> {
        let (parent, link) = (self.inbox.clone(), Some(self.link.clone()));
        child.start(StartParams { parent, run: pack(key, run), link })
    }

    /// Records the child whose start all other stopped children wait for, before that start begins.
    /// If a child has exited, wakes the awaited child. Changes nothing if the awaited child has not
    /// been added yet.
    pub(super) fn await_start(&mut self, awaited: Option<ChildKey>, has_ended: bool) {
        if self.awaited != awaited {
            let child = awaited.and_then(|key| self.child(key)).map(|child| child.handle());
            if awaited.is_some() && child.is_none() {
                return;
            }
            self.node.handle().set_awaited_child(child.as_ref());
            self.awaited = awaited;
        } else if has_ended && awaited.is_some() {
            self.node.handle().wake_awaited_child();
        }
    }

    pub(super) fn stop_child(&self, key: ChildKey, reason: ExitReason, drains: bool) {
        let Some(child) = self.child(key) else { return };
        self.notify_stop(key, &*child, drains);
        if drains {
            child.drain(reason);
        } else {
            // If the child has exited by itself, its exit is in the inbox.
            let _ = child.handle().stop(reason);
        }
    }

    pub(super) fn kill(&self, key: ChildKey) {
        let Some(child) = self.child(key) else { return };
        self.notify_stop(key, &*child, false);
        let _ = child.handle().kill();
    }

    /// Runs the stop hook of a child that is about to be stopped in order.
    fn notify_stop(&self, key: ChildKey, child: &dyn ChildNode, drains: bool) {
        if child.has_stop_hook() && self.node.state().is_stopped_in_order(key) {
            child.notify_stop(drains);
        }
    }

    pub(super) fn abandon(&self, key: ChildKey) {
        let Some(child) = self.child(key) else { return };
        if child.handle().pid().is_some_and(|pid| child.abandon(pid)) {
            Stats::of(&self.system).abandoned();
        }
    }

    /// Counts the messages that were dropped with an incarnation of a child, if the supervisor is
    /// stopping.
    pub(super) fn count_dropped(&self, key: ChildKey, messages: u64) {
        if messages > 0
            && self.node.state().is_stopping()
            && self.child(key).is_some_and(|child| child.counts_dropped())
        {
            self.node.drop_counters().add_messages(messages);
        }
    }

    /// Returns how long the current handler of the child has been running, the time since its last
    /// ping, and its suspensions.
    pub(super) fn check_busy(&self, key: ChildKey, run: StartId) -> Option<Event> {
        let (child, pid) = (self.child(key)?, self.node.state().pid_of(key)?);
        let handle = child.handle();
        let busy = handle.busy_for().filter(|(of, _)| *of == pid).map(|(_, busy)| busy);
        let (last_ping, suspensions) = (handle.last_ping(), handle.suspensions());
        Some(Event::BusyChecked { key, run, busy, last_ping, suspensions })
    }

    /// Probes a child in a task of its own. The outcome arrives through the inbox. A suspended
    /// child is not probed: the probes would pile up in its mailbox.
    pub(super) fn probe(&self, key: ChildKey, run: StartId, probe_id: u32) {
        let active = self.child(key).filter(|child| !child.handle().suspensions().is_suspended);
        let Some(answer) = active.and_then(|child| child.probe()) else { return };
        let inbox = self.inbox.clone();
        tokio::spawn(async move { inbox.put(DriverMsg::Probed(key, run, probe_id, answer.await)) });
    }

    /// Evaluates the condition of a child in a task of its own, because it is the user's code. A
    /// condition that panics restarts the child. The outcome arrives through the inbox.
    pub(super) fn check_condition(
        &self,
        key: ChildKey,
        generation: u32,
        condition: RestartCondition,
        reason: ExitReason,
    ) {
        let (inbox, system, path) = (self.inbox.clone(), self.system.clone(), self.path(key));
        tokio::spawn(async move {
            let restarts = catch_panic(Some(&system), || condition.evaluate(&reason));
            let restarts = restarts.unwrap_or_else(|panic| {
                log::condition_panicked(&system, path.to_shared(), panic);
                true
            });
            inbox.put(DriverMsg::ConditionChecked { key, generation, restarts });
        });
    }

    pub(super) fn close(&self, key: ChildKey, reason: &ExitReason) {
        if let Some(child) = self.child(key) {
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

    /// Returns the path of a child that is opened. Children that are opened one after the other and
    /// share their id share the path too.
    fn shared_path(&mut self, key: ChildKey) -> Label {
        let id = self.id_of(key);
        match &self.last_path {
            Some((last, path)) if Arc::ptr_eq(last, &id) => path.clone(),
            _ => {
                let path = self.label.child(id.clone());
                self.last_path = Some((id, path.clone()));
                path
            }
        }
    }

    pub(super) fn child(&self, key: ChildKey) -> Option<Arc<dyn ChildNode>> {
        self.node.state().node_of(key)
    }
}
