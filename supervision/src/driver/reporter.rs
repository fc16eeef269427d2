//! Telling what a supervisor does: to the log, to subscribers, to the totals, and to the shutdown report.

use perennial_actors::{Pid, System};
use tracing::field::{DisplayValue, display};

use super::children::Children;
use super::node::SupervisorNode;
use super::totals::Books;
use crate::engine::{Key, Report as Found, Sign as Seen};
use crate::report::{Report, Sign, What, topic};

/// Tells what a supervisor does.
pub(super) struct Reporter {
    node: SupervisorNode,
    system: System,
    supervisor: Pid,
}

impl Reporter {
    pub(super) const fn new(node: SupervisorNode, system: System, supervisor: Pid) -> Self {
        Self { node, system, supervisor }
    }

    pub(super) fn report(&self, found: Found, children: &Children) {
        let supervisor = self.supervisor;
        // Only if somebody listens are the fields of an event computed.
        match found {
            Found::Started { key } => {
                tracing::debug!(
                    %supervisor, path = children.path(key), pid = self.pid(key),
                    "child started"
                );
                self.of_child(key, children, || What::Started);
            }
            Found::Terminated { key, reason } => {
                tracing::info!(
                    %supervisor, path = children.path(key), pid = self.pid(key), %reason,
                    "child ended"
                );
                self.of_child(key, children, || What::Terminated { reason });
            }
            Found::StartFailed { key, reason } => {
                tracing::warn!(
                    %supervisor, path = children.path(key), pid = self.pid(key), %reason,
                    "child did not start"
                );
                self.of_child(key, children, || What::StartFailed { reason });
            }
            Found::Restarting { key, reason, restarts_left, delay } => {
                tracing::info!(
                    %supervisor, path = children.path(key), pid = self.pid(key), %reason, restarts_left, ?delay,
                    "supervisor restarts a child"
                );
                Books::of(&self.system).restarted();
                self.of_child(key, children, || What::Restarting { reason, restarts_left, delay });
            }
            Found::ShutdownError { key, reason } => {
                tracing::warn!(
                    %supervisor, path = children.path(key), pid = self.pid(key), %reason,
                    "child was stopped, and ended otherwise"
                );
                self.of_child(key, children, || What::ShutdownError { reason });
            }
            Found::Unresponsive { key, sign } => {
                tracing::warn!(
                    %supervisor, path = children.path(key), pid = self.pid(key), ?sign,
                    "child does not get on"
                );
                self.of_child(key, children, || What::Unresponsive { sign: sign.into() });
            }
            Found::Late { key, abandoned } => self.late(key, abandoned, children),
            Found::GaveUp { key } => self.gave_up(key, children),
        }
    }

    /// The newest incarnation of a child, for the log.
    fn pid(&self, key: Key) -> Option<DisplayValue<Pid>> {
        self.node.book().pid_of(key).map(display)
    }

    fn late(&self, key: Key, abandoned: bool, children: &Children) {
        let path = children.path(key);
        tracing::warn!(
            supervisor = %self.supervisor, path, pid = self.pid(key), abandoned,
            "child did not stop in time"
        );
        self.node.book().is_late(key, path.into(), abandoned);
        self.of_child(key, children, || if abandoned { What::Abandoned } else { What::Killed });
    }

    fn gave_up(&self, key: Key, children: &Children) {
        let child = children.id_of(key);
        let path = children.label();
        tracing::error!(
            supervisor = %self.supervisor, %path, %child,
            "supervisor gives up: too many restarts"
        );
        Books::of(&self.system).gave_up();
        self.node.book().gave_up = true;
        let (supervisor, path) = (self.supervisor, path.clone());
        topic(&self.system).tell(|| Report {
            supervisor,
            path,
            pid: Some(supervisor),
            what: What::GaveUp { child },
        });
    }

    fn of_child(&self, key: Key, children: &Children, what: impl FnOnce() -> What) {
        topic(&self.system).tell(|| Report {
            supervisor: self.supervisor,
            path: children.path(key).into(),
            pid: self.node.book().pid_of(key),
            what: what(),
        });
    }
}

impl From<Seen> for Sign {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Handler(time) => Self::Handler(time),
            Seen::Probe(misses) => Self::Probe(misses),
        }
    }
}
