//! Stopping one child: tell it, kill it when its time is up, abandon it when it does not even die.

use perennial_actors::ExitReason;

use super::core::Engine;
use super::types::{Action, Cause, Key, Refusal, Report, Run, State, Ticket, Time};
use crate::spec::Shutdown;

impl Engine {
    /// Tells a child to stop, in the way that its spec says. Does nothing if it is on its way.
    pub(super) fn stop(&mut self, key: Key) {
        let Some(entry) = self.children.get(key) else { return };
        let shutdown = entry.policy.shutdown;
        let (run, waiting) = match &entry.state {
            State::Running { run } | State::Starting { run, cause: Cause::Round | Cause::Restart, .. } => {
                (*run, None)
            }
            State::Starting { run, cause: Cause::Request(ticket), .. } => (*run, Some(*ticket)),
            State::Stopped | State::Ended { .. } | State::Restarting { .. } | State::Stopping { .. } => {
                return;
            }
        };
        if let Some(ticket) = waiting {
            self.answer(ticket, Err(Refusal::ShuttingDown));
        }
        match shutdown {
            Shutdown::BrutalKill => self.kill(key, run, false, Vec::new()),
            Shutdown::Timeout(time) => self.tell(key, run, Some(self.now + time)),
            Shutdown::Infinity => self.tell(key, run, None),
        }
    }

    fn tell(&mut self, key: Key, run: Run, deadline: Option<Time>) {
        let state = State::Stopping { run, killed: false, late: false, tickets: Vec::new() };
        self.children.set(key, state, deadline);
        self.actions.push(Action::Stop { key });
    }

    fn kill(&mut self, key: Key, run: Run, late: bool, tickets: Vec<Ticket>) {
        let deadline = self.patience(key);
        self.children.set(key, State::Stopping { run, killed: true, late, tickets }, deadline);
        self.actions.push(Action::Kill { key });
    }

    fn patience(&self, key: Key) -> Option<Time> {
        let patience = self.children.get(key)?.policy.patience?;
        Some(self.now + patience)
    }

    /// OTP's `terminate_child`.
    pub(super) fn terminate(&mut self, key: Key, ticket: Ticket) {
        let Some(entry) = self.children.get(key) else { return self.answer(ticket, Err(Refusal::NotFound)) };
        if !entry.is_live() {
            self.put_down(key, &ExitReason::shutdown());
            return self.answer(ticket, Ok(()));
        }
        self.stop(key);
        if let Some(State::Stopping { tickets, .. }) =
            self.children.get_mut(key).map(|entry| &mut entry.state)
        {
            tickets.push(ticket);
        }
    }

    /// A child that was to stop is gone.
    pub(super) fn on_stopped(&mut self, key: Key, abandoned: bool) {
        let Some(entry) = self.children.get_mut(key) else { return };
        let State::Stopping { late, tickets, .. } = &mut entry.state else { return };
        let (late, tickets) = (*late, std::mem::take(tickets));
        if late || abandoned {
            self.actions.push(Action::Report(Report::Late { key, abandoned }));
        }
        if tickets.is_empty() {
            self.children.set(key, State::Stopped, None);
        } else {
            self.put_down(key, &ExitReason::shutdown());
        }
        for ticket in tickets {
            self.answer(ticket, Ok(()));
        }
        self.advance();
    }

    /// Deals with every deadline that has passed.
    pub(super) fn on_tick(&mut self) {
        while let Some(key) = self.children.overdue(self.now) {
            let Some(entry) = self.children.get_mut(key) else { return };
            match &mut entry.state {
                State::Starting { run, cause, late: false } => {
                    let state = State::Starting { run: *run, cause: *cause, late: true };
                    let deadline = self.patience(key);
                    self.children.set(key, state, deadline);
                    self.actions.push(Action::Kill { key });
                }
                State::Starting { cause, late: true, .. } => {
                    let cause = *cause;
                    self.actions.push(Action::Abandon { key });
                    self.actions.push(Action::Report(Report::Late { key, abandoned: true }));
                    self.children.set(key, State::Stopped, None);
                    self.start_failed(key, cause, ExitReason::StartTimedOut);
                }
                State::Stopping { run, killed: false, tickets, .. } => {
                    let (run, tickets) = (*run, std::mem::take(tickets));
                    self.kill(key, run, true, tickets);
                }
                State::Stopping { killed: true, .. } => {
                    self.actions.push(Action::Abandon { key });
                    self.on_stopped(key, true);
                }
                State::Stopped | State::Running { .. } | State::Ended { .. } | State::Restarting { .. } => {
                    // None of these has a deadline.
                    return;
                }
            }
        }
    }
}
