//! The children of a supervisor, as its driver handles them: by key.

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

/// Starts, watches and stops children.
pub(super) struct Children {
    node: SupervisorNode,
    system: System,
    label: Label,
    inbox: Arc<Inbox>,
    watched: Arc<LivenessInbox>,
    any_watched: bool,
    link: RactorLink,
    /// The child whose start all others that are down wait for.
    awaited: Option<ChildKey>,
}

impl Children {
    pub(super) fn new(node: SupervisorNode, system: System, inbox: Arc<Inbox>, link: RactorLink) -> Self {
        let label = node.label();
        let watched = Arc::new(LivenessInbox(inbox.clone()));
        let any_watched = node.book().plan.children.iter().any(|child| child.policy.liveness.is_some());
        node.handle().set_awaited_child(None);
        Self { node, system, label, inbox, watched, any_watched, link, awaited: None }
    }

    /// Starts a child. If that fails at once, the event that says so.
    pub(super) fn start(&mut self, key: ChildKey, run: StartId) -> Option<Event> {
        let child = self.get(key)?;
        self.any_watched |= self.is_watched(key);
        let parent: Arc<dyn Parent> =
            if self.any_watched { self.watched.clone() } else { self.inbox.clone() };
        match self.begin(key, run, &*child, &parent) {
            Ok(pid) => {
                self.node.book().began(key, pid);
                None
            }
            Err(reason) => Some(Event::StartFailed { key, run, reason }),
        }
    }

    /// Records the child whose start all others that are down wait for, before that start begins. If a child has ended, wakes the
    /// child that is awaited. Changes nothing if the awaited child is not admitted yet.
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
        let book = self.node.book();
        let child = book.engine.as_ref().and_then(|engine| engine.sight(key));
        child.is_some_and(|child| child.policy.liveness.is_some())
    }

    /// Whether any child was or is to be watched.
    pub(super) const fn watches(&self) -> bool {
        self.any_watched
    }

    fn begin(
        &self,
        key: ChildKey,
        run: StartId,
        child: &dyn ChildNode,
        parent: &Arc<dyn Parent>,
    ) -> Result<Pid, ExitReason> {
        let birth =
            || StartParams { parent: parent.clone(), run: pack(key, run), link: Some(self.link.clone()) };
        let start = || child.start(birth());
        let started = match start() {
            // It was down for good, or is new.
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
        self.dismiss(key, &*child, drains);
        if drains {
            child.drain(reason);
        } else {
            // If it has ended by itself, its end is in the inbox.
            let _ = child.handle().stop(reason);
        }
    }

    /// Counts the messages that went down with an incarnation of a child while the supervisor stops.
    pub(super) fn count_dropped(&self, key: ChildKey, messages: u64) {
        let is_leaving = || self.node.book().engine.as_ref().is_some_and(Engine::is_leaving);
        if messages > 0 && is_leaving() && self.get(key).is_some_and(|child| child.counts_dropped()) {
            self.node.drop_counters().add_messages(messages);
        }
    }

    /// Tells a child that it is stopped in order, before it is.
    fn dismiss(&self, key: ChildKey, child: &dyn ChildNode, drains: bool) {
        if child.hears_dismissal() {
            let is_dismissed =
                self.node.book().engine.as_ref().is_some_and(|engine| engine.is_dismissed(key));
            if is_dismissed {
                child.release(drains);
            }
        }
    }

    pub(super) fn kill(&self, key: ChildKey) {
        if let Some(child) = self.get(key) {
            self.dismiss(key, &*child, false);
            let _ = child.handle().kill();
        }
    }

    pub(super) fn abandon(&self, key: ChildKey) {
        let Some(child) = self.get(key) else { return };
        if child.handle().pid().is_some_and(|pid| child.abandon(pid)) {
            Stats::of(&self.system).abandoned();
        }
    }

    /// Returns for how long the child has been in a handler, and whether it is suspended.
    pub(super) fn look(&self, key: ChildKey, run: StartId) -> Option<Event> {
        let (child, pid) = (self.get(key)?, self.node.book().pid_of(key)?);
        let handle = child.handle();
        let busy = handle.busy_for().filter(|(of, _)| *of == pid).map(|(_, busy)| busy);
        Some(Event::BusyChecked { key, run, busy, suspensions: handle.suspensions() })
    }

    /// Asks a child, in a task of its own. The answer, or that there was none, comes through the inbox. A child that is
    /// suspended is not asked: questions would pile up in its mailbox.
    pub(super) fn probe(&self, key: ChildKey, run: StartId, question: u32) {
        let awake = self.get(key).filter(|child| !child.handle().suspensions().is_suspended);
        let Some(answer) = awake.and_then(|child| child.probe()) else { return };
        let inbox = self.inbox.clone();
        tokio::spawn(async move { inbox.put(DriverMsg::Probed(key, run, question, answer.await)) });
    }

    /// Says why the child is down, and in how long it is begun again.
    pub(super) fn announce(&self, key: ChildKey, reason: ExitReason, retry_in: Duration) {
        if let Some(child) = self.get(key) {
            child.announce(reason, retry_in);
        }
    }

    pub(super) fn close(&self, key: ChildKey, reason: &ExitReason) {
        if let Some(child) = self.get(key) {
            self.node.drop_counters().add_messages(nesting::close(&*child, reason));
        }
    }

    pub(super) fn forget(&self, key: ChildKey, reason: &ExitReason) {
        let dismissed = self.node.book().remove(key);
        if let Some(child) = dismissed {
            self.node.drop_counters().add_messages(nesting::close(&*child.node, reason));
        }
    }

    pub(super) fn id_of(&self, key: ChildKey) -> Arc<str> {
        self.node.book().spec(key).map_or_else(|| "".into(), |spec| spec.id.clone())
    }

    /// Where a child stands in the tree.
    pub(super) fn path(&self, key: ChildKey) -> Label {
        self.label.child(self.id_of(key))
    }

    pub(super) const fn label(&self) -> &Label {
        &self.label
    }

    fn get(&self, key: ChildKey) -> Option<Arc<dyn ChildNode>> {
        self.node.book().node_of(key)
    }
}
