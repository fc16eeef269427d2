//! Threads that take turns: each waits between two steps until it is resumed, so that a test
//! decides their order.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use crate::control::ControlSignal;
use crate::exit::ExitReason;
use crate::mailbox::{AnyMailbox, Interest, MailboxConfig};
use crate::pid::Pid;
use crate::process::{Identity, Process};
use crate::system::System;
use crate::system::{AnyProcess, ProcessInfo, ProcessState, RelationsLock, StartOrderSlot, Work};
use crate::target::Target;

/// Lets one thread run at a time.
pub(super) struct Turns {
    resumed: Vec<Mutex<Receiver<()>>>,
    paused: Sender<Paused>,
}

/// A thread has completed a step.
struct Paused {
    is_finished: bool,
}

impl Turns {
    /// Returns the turns of this many threads, and their scheduler.
    pub(super) fn new(threads: usize) -> (Self, Scheduler) {
        let (paused, pauses) = channel();
        let (resume, resumed): (Vec<_>, Vec<_>) = (0..threads).map(|_| channel()).unzip();
        let resumed = resumed.into_iter().map(Mutex::new).collect();
        (Self { resumed, paused }, Scheduler { resume, pauses })
    }

    /// Ends a step. Does nothing on a thread that does not take part.
    pub(super) fn pause(&self) {
        let own = thread::current().name().and_then(|name| name.parse::<usize>().ok());
        if let Some(resumed) = own.and_then(|own| self.resumed.get(own)) {
            self.paused.send(Paused { is_finished: false }).expect("the scheduler waits");
            self.wait(resumed);
        }
    }

    fn wait(&self, resumed: &Mutex<Receiver<()>>) {
        resumed
            .lock()
            .expect("no thread panics under it")
            .recv()
            .expect("the scheduler resumes every thread");
    }

    /// Runs code on a new thread that takes part under this number.
    pub(super) fn spawn<'s>(
        &'s self,
        scope: &'s thread::Scope<'s, '_>,
        number: usize,
        code: impl FnOnce() + Send + 's,
    ) {
        let thread = thread::Builder::new().name(number.to_string());
        let run = move || {
            self.wait(&self.resumed[number]);
            let _finished = FinishedOnDrop(&self.paused);
            code();
        };
        thread.spawn_scoped(scope, run).expect("there is room for a thread");
    }
}

/// Reports that a thread has finished, even if it panics.
struct FinishedOnDrop<'a>(&'a Sender<Paused>);

impl Drop for FinishedOnDrop<'_> {
    fn drop(&mut self) {
        // The scheduler may have panicked.
        let _ = self.0.send(Paused { is_finished: true });
    }
}

/// Decides which thread runs.
pub(super) struct Scheduler {
    resume: Vec<Sender<()>>,
    pauses: Receiver<Paused>,
}

impl Scheduler {
    /// Resumes the threads in this order, and then in any order, until all have finished.
    pub(super) fn run(self, order: &[u8]) {
        let mut running: Vec<Sender<()>> = self.resume;
        let mut order = order.iter();
        while !running.is_empty() {
            let next = order.next().map_or(0, |random| usize::from(*random)) % running.len();
            running[next].send(()).expect("it waits");
            if self.pauses.recv().expect("it is alive").is_finished {
                running.remove(next);
            }
        }
    }
}

/// A point where a thread that ends an incarnation pauses: after it has taken the mailbox away and
/// before it takes the links, and again after it has taken the links and before it notifies any of
/// them.
pub(super) struct PausePoint {
    process: Arc<Process<()>>,
    turns: Arc<Turns>,
}

impl PausePoint {
    /// Creates a pause point. It must be created before any other process of its system, so that it
    /// is notified first.
    pub(super) fn new(system: &System, turns: &Arc<Turns>) -> Arc<Self> {
        Arc::new(Self { process: incarnation(system), turns: turns.clone() })
    }

    pub(super) fn attach_to(self: &Arc<Self>, process: &Arc<Process<()>>) {
        let pause_point: Arc<dyn AnyProcess> = self.clone();
        assert!(process.link(FIRST, &pause_point, false));
        let waker = Waker::from(self.clone());
        assert!(process.queue.poll(FIRST, Interest::Messages, &waker).is_pending());
    }
}

impl Wake for PausePoint {
    fn wake(self: Arc<Self>) {
        self.turns.pause();
    }
}

/// The number of every incarnation here.
pub(super) const FIRST: u32 = 1;

/// Returns a process with an attached incarnation that no task runs.
pub(super) fn incarnation(system: &System) -> Arc<Process<()>> {
    let identity = Identity::<()>::new(MailboxConfig::default());
    identity.open(system, || "one of them".into());
    assert_eq!(identity.process.queue.attach(), Ok(FIRST));
    identity.process.clone()
}

impl AnyProcess for PausePoint {
    fn start_order(&self) -> &StartOrderSlot {
        self.process.start_order()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }

    fn message_type(&self) -> &'static str {
        AnyProcess::message_type(&*self.process)
    }

    fn mailbox(&self) -> &dyn AnyMailbox {
        self.process.mailbox()
    }

    fn target_of(&self, message_type: &'static str) -> Target {
        self.process.target_of(message_type)
    }

    fn waits_for_this_task(&self) -> bool {
        self.process.waits_for_this_task()
    }

    fn system_key(&self) -> Option<usize> {
        AnyProcess::system_key(&*self.process)
    }

    fn log(&self) -> Option<&crate::log::LogQueue> {
        AnyProcess::log(&*self.process)
    }

    fn label(&self) -> Option<Arc<str>> {
        AnyProcess::label(&*self.process)
    }

    fn state(&self) -> ProcessState {
        AnyProcess::state(&*self.process)
    }

    fn identity(&self) -> u64 {
        self.process.identity()
    }

    fn info(&self) -> ProcessInfo {
        self.process.info()
    }

    fn suspensions(&self) -> crate::system::Suspensions {
        self.process.suspensions()
    }

    fn busy_for(&self) -> Option<(Pid, Duration)> {
        self.process.busy_for()
    }

    fn ping(&self, incarnation: u32) {
        self.process.ping(incarnation);
    }

    fn last_ping(&self) -> Option<Duration> {
        self.process.last_ping()
    }

    fn send_control(&self, expected: Option<u32>, signal: ControlSignal) -> bool {
        AnyProcess::send_control(&*self.process, expected, signal)
    }

    fn drain(&self, _: ExitReason) -> bool {
        unreachable!("nothing drains it")
    }

    fn pending_restart(&self) -> Option<(ExitReason, Duration)> {
        self.process.pending_restart()
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<Work> {
        self.process.poll_idle(waker)
    }

    fn relations(&self) -> &RelationsLock {
        self.process.relations()
    }

    fn link_ended(&self, _: u32, _: Pid, _: &ExitReason) {
        self.turns.pause();
    }
}
