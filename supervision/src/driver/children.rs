//! The children of a supervisor, as its driver handles them: by key.

use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Label, OpenError as Shut, Parent};
use perennial_actors::{ExitReason, Pid, StartError, System};

use super::inbox::{Inbox, News, Watched, pack};
use super::node::SupervisorNode;
use super::totals::Books;
use crate::engine::{Engine, Event, Key, Run};
use crate::link::Link;
use crate::nesting;
use crate::node::{Birth, Node};

/// Starts, watches and stops children.
pub(super) struct Children {
    node: SupervisorNode,
    system: System,
    label: Label,
    inbox: Arc<Inbox>,
    watched: Arc<Watched>,
    any_watched: bool,
    link: Link,
    /// The child whose start all others that are down wait for.
    awaited: Option<Key>,
}

impl Children {
    pub(super) fn new(node: SupervisorNode, system: System, inbox: Arc<Inbox>, link: Link) -> Self {
        let label = node.label();
        let watched = Arc::new(Watched(inbox.clone()));
        let any_watched = node.book().plan.children.iter().any(|child| child.policy.liveness.is_some());
        node.handle().set_awaited_child(None);
        Self { node, system, label, inbox, watched, any_watched, link, awaited: None }
    }

    /// Starts a child. If that fails at once, the event that says so.
    pub(super) fn start(&mut self, key: Key, run: Run) -> Option<Event> {
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
    pub(super) fn await_start(&mut self, awaited: Option<Key>, has_ended: bool) {
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

    fn is_watched(&self, key: Key) -> bool {
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
        key: Key,
        run: Run,
        child: &dyn Node,
        parent: &Arc<dyn Parent>,
    ) -> Result<Pid, ExitReason> {
        let birth = || Birth { parent: parent.clone(), run: pack(key, run), link: Some(self.link.clone()) };
        let start = || child.start(birth());
        let started = match start() {
            // It was down for good, or is new.
            Err(StartError::NotOpen(Shut::Closed)) => {
                nesting::adopt(child, &self.node.handle(), &self.node.drop_counters());
                nesting::open(child, &self.system, &self.path(key)).map_err(ExitReason::failed)?;
                start()
            }
            other => other,
        };
        started.map_err(|error| match error {
            StartError::Failed(reason) => reason,
            error => ExitReason::failed(error),
        })
    }

    pub(super) fn stop(&self, key: Key, reason: ExitReason, drains: bool) {
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
    pub(super) fn count_dropped(&self, key: Key, messages: u64) {
        let is_leaving = || self.node.book().engine.as_ref().is_some_and(Engine::is_leaving);
        if messages > 0 && is_leaving() && self.get(key).is_some_and(|child| child.counts_dropped()) {
            self.node.drop_counters().add_messages(messages);
        }
    }

    /// Tells a child that it is stopped in order, before it is.
    fn dismiss(&self, key: Key, child: &dyn Node, drains: bool) {
        if child.hears_dismissal() {
            let is_dismissed =
                self.node.book().engine.as_ref().is_some_and(|engine| engine.is_dismissed(key));
            if is_dismissed {
                child.dismiss(drains);
            }
        }
    }

    pub(super) fn kill(&self, key: Key) {
        if let Some(child) = self.get(key) {
            self.dismiss(key, &*child, false);
            let _ = child.handle().kill();
        }
    }

    pub(super) fn abandon(&self, key: Key) {
        let Some(child) = self.get(key) else { return };
        if child.handle().pid().is_some_and(|pid| child.abandon(pid)) {
            Books::of(&self.system).abandoned();
        }
    }

    /// Returns for how long the child has been in a handler, and whether it is suspended.
    pub(super) fn look(&self, key: Key, run: Run) -> Option<Event> {
        let (child, pid) = (self.get(key)?, self.node.book().pid_of(key)?);
        let handle = child.handle();
        let busy = handle.busy_for().filter(|(of, _)| *of == pid).map(|(_, busy)| busy);
        Some(Event::Looked { key, run, busy, suspensions: handle.suspensions() })
    }

    /// Asks a child, in a task of its own. The answer, or that there was none, comes through the inbox. A child that is
    /// suspended is not asked: questions would pile up in its mailbox.
    pub(super) fn probe(&self, key: Key, run: Run, question: u32) {
        let awake = self.get(key).filter(|child| !child.handle().suspensions().is_suspended);
        let Some(answer) = awake.and_then(|child| child.probe()) else { return };
        let inbox = self.inbox.clone();
        tokio::spawn(async move { inbox.put(News::Probed(key, run, question, answer.await)) });
    }

    /// Says why the child is down, and in how long it is begun again.
    pub(super) fn announce(&self, key: Key, reason: ExitReason, retry_in: Duration) {
        if let Some(child) = self.get(key) {
            child.announce(reason, retry_in);
        }
    }

    pub(super) fn close(&self, key: Key, reason: &ExitReason) {
        if let Some(child) = self.get(key) {
            self.node.drop_counters().add_messages(nesting::close(&*child, reason));
        }
    }

    pub(super) fn forget(&self, key: Key, reason: &ExitReason) {
        let dismissed = self.node.book().dismiss(key);
        if let Some(child) = dismissed {
            self.node.drop_counters().add_messages(nesting::close(&*child.node, reason));
        }
    }

    pub(super) fn id_of(&self, key: Key) -> Arc<str> {
        self.node.book().spec(key).map_or_else(|| "".into(), |spec| spec.id.clone())
    }

    /// Where a child stands in the tree.
    pub(super) fn path(&self, key: Key) -> Label {
        self.label.child(self.id_of(key))
    }

    pub(super) const fn label(&self) -> &Label {
        &self.label
    }

    fn get(&self, key: Key) -> Option<Arc<dyn Node>> {
        self.node.book().node_of(key)
    }
}
