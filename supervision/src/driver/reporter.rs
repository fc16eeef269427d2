//! Telling what a supervisor does: to the log, to subscribers, to the totals, and to the shutdown report.

use perennial_actors::{ExitReason, Pid, StartError, System};

use super::children::Children;
use super::node::SupervisorNode;
use super::totals::Books;
use crate::engine::{Key, Report as Found, Sign as Seen};
use crate::log;
use crate::node::OpenError;
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
        let (system, child) = (&self.system, |key| move || self.named(key, children));
        // Only if somebody listens are the fields of an event computed.
        match found {
            Found::Started { key } => {
                log::child_started(system, child(key));
                self.of_child(key, children, || What::Started);
            }
            Found::Terminated { key, reason } => {
                log::child_ended(system, child(key), &reason);
                self.of_child(key, children, || What::Terminated { reason });
            }
            Found::StartFailed { key, reason } => {
                log::child_did_not_start(system, child(key), &reason, is_logged_by_incarnation(&reason));
                self.of_child(key, children, || What::StartFailed { reason });
            }
            Found::Restarting { key, reason, restarts_left, delay } => {
                log::child_restarts(system, child(key), &reason, restarts_left, delay);
                Books::of(&self.system).restarted();
                self.of_child(key, children, || What::Restarting { reason, restarts_left, delay });
            }
            Found::ShutdownError { key, reason } => {
                log::child_ended_otherwise(system, child(key), &reason);
                self.of_child(key, children, || What::ShutdownError { reason });
            }
            Found::Unresponsive { key, sign } => {
                log::child_hangs(system, child(key), Sign::from(sign));
                self.of_child(key, children, || What::Unresponsive { sign: sign.into() });
            }
            Found::Late { key, abandoned } => self.late(key, abandoned, children),
            Found::GaveUp { key } => self.gave_up(key, children),
        }
    }

    /// A child, as the log names it.
    fn named(&self, key: Key, children: &Children) -> log::Child {
        log::Child {
            supervisor: self.supervisor,
            label: children.label().clone(),
            id: children.id_of(key),
            pid: self.node.book().pid_of(key),
        }
    }

    fn late(&self, key: Key, abandoned: bool, children: &Children) {
        let path = children.path(key).to_shared();
        log::child_is_late(&self.system, || self.named(key, children), abandoned);
        self.node.book().is_late(key, path, abandoned);
        self.of_child(key, children, || if abandoned { What::Abandoned } else { What::Killed });
    }

    fn gave_up(&self, key: Key, children: &Children) {
        let child = children.id_of(key);
        let path = children.label().to_shared();
        log::supervisor_gives_up(&self.system, self.supervisor, &path, &child);
        Books::of(&self.system).gave_up();
        self.node.book().gave_up = true;
        let supervisor = self.supervisor;
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
            path: children.path(key).to_shared(),
            pid: self.node.book().pid_of(key),
            what: what(),
        });
    }
}

/// Returns `true` if the start of an incarnation failed for this reason, so that its own line says so. Without an incarnation,
/// because the child could not be opened, there is no such line.
fn is_logged_by_incarnation(reason: &ExitReason) -> bool {
    let Some(error) = reason.error() else { return reason.is_crash() };
    let could_not_begin =
        matches!(error.downcast_ref(), Some(StartError::NoRuntime | StartError::NotOpen(_)));
    !could_not_begin && !error.is::<OpenError>()
}

impl From<Seen> for Sign {
    fn from(seen: Seen) -> Self {
        match seen {
            Seen::Handler(time) => Self::Handler(time),
            Seen::Probe(misses) => Self::Probe(misses),
        }
    }
}
