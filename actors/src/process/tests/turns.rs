//! Threads that take turns: between two steps each waits until it is let go on, so that a test decides which order they take.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use crate::any_process::{AnyProcess, ProcessFlags, ProcessState, RelationsLock, StartOrderSlot, Work};
use crate::control::ControlSignal;
use crate::counters::MessageStats;
use crate::exit::ExitReason;
use crate::mailbox::{ExitCallback, ExitHook, MailboxConfig};
use crate::pid::Pid;
use crate::process::{Identity, Process};
use crate::system::System;

/// Lets one thread go on at a time.
pub(super) struct Turns {
    go: Vec<Mutex<Receiver<()>>>,
    stopped: Sender<Stopped>,
}

/// A thread has come to the end of a step.
struct Stopped {
    is_over: bool,
}

impl Turns {
    /// For so many threads, and who lets them go.
    pub(super) fn new(threads: usize) -> (Self, Conductor) {
        let (stopped, stops) = channel();
        let (let_go, go): (Vec<_>, Vec<_>) = (0..threads).map(|_| channel()).unzip();
        let go = go.into_iter().map(Mutex::new).collect();
        (Self { go, stopped }, Conductor { let_go, stops })
    }

    /// Ends a step. Does nothing on a thread that does not take part.
    pub(super) fn stop(&self) {
        let own = thread::current().name().and_then(|name| name.parse::<usize>().ok());
        if let Some(go) = own.and_then(|own| self.go.get(own)) {
            self.stopped.send(Stopped { is_over: false }).expect("the conductor waits");
            self.wait(go);
        }
    }

    fn wait(&self, go: &Mutex<Receiver<()>>) {
        go.lock().expect("nobody panics under it").recv().expect("the conductor lets everybody go on");
    }

    /// Runs code on a thread of its own that takes part as this number.
    pub(super) fn join_in<'s>(
        &'s self,
        scope: &'s thread::Scope<'s, '_>,
        number: usize,
        code: impl FnOnce() + Send + 's,
    ) {
        let thread = thread::Builder::new().name(number.to_string());
        let run = move || {
            self.wait(&self.go[number]);
            let _over = Over(&self.stopped);
            code();
        };
        thread.spawn_scoped(scope, run).expect("there is room for a thread");
    }
}

/// Says that a thread is over, also when it panics.
struct Over<'a>(&'a Sender<Stopped>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        // The conductor may have panicked.
        let _ = self.0.send(Stopped { is_over: true });
    }
}

/// Says who goes on.
pub(super) struct Conductor {
    let_go: Vec<Sender<()>>,
    stops: Receiver<Stopped>,
}

impl Conductor {
    /// Lets the threads go on in this order, and then in any, until all are over.
    pub(super) fn conduct(self, order: &[u8]) {
        let mut running: Vec<Sender<()>> = self.let_go;
        let mut order = order.iter();
        while !running.is_empty() {
            let next = order.next().map_or(0, |dice| usize::from(*dice)) % running.len();
            running[next].send(()).expect("it waits");
            if self.stops.recv().expect("it is alive").is_over {
                running.remove(next);
            }
        }
    }
}

/// A place where a thread that ends an incarnation stops: when it has taken the mailbox away and has yet to take what the
/// incarnation was linked to, and again when it has taken that and has yet to tell anybody.
pub(super) struct Bell {
    process: Arc<Process<()>>,
    turns: Arc<Turns>,
}

impl Bell {
    /// Hangs one on an incarnation. Made before any other process of its system, it is told first.
    pub(super) fn new(system: &System, turns: &Arc<Turns>) -> Arc<Self> {
        Arc::new(Self { process: incarnation(system), turns: turns.clone() })
    }

    pub(super) fn hang_on(self: &Arc<Self>, process: &Arc<Process<()>>) {
        let bell: Arc<dyn AnyProcess> = self.clone();
        assert!(process.link(FIRST, &bell, false));
        let waker = Waker::from(self.clone());
        assert!(process.queue.poll_next(FIRST, &mut Context::from_waker(&waker)).is_pending());
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.turns.stop();
    }
}

/// The number of every incarnation here.
pub(super) const FIRST: u32 = 1;

/// A process with an incarnation that nobody runs.
pub(super) fn incarnation(system: &System) -> Arc<Process<()>> {
    let identity = Identity::<()>::new(MailboxConfig::default());
    identity.open(system, || "one of them".into());
    assert_eq!(identity.process.queue.attach(), Ok(FIRST));
    identity.process.clone()
}

impl AnyProcess for Bell {
    fn start_order(&self) -> &StartOrderSlot {
        self.process.start_order()
    }

    fn is_vacant(&self) -> bool {
        self.process.is_vacant()
    }

    fn is_run_by(&self, task: tokio::task::Id) -> bool {
        self.process.is_run_by(task)
    }

    fn poke(&self) {
        self.process.poke();
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }

    fn message_type(&self) -> &'static str {
        AnyProcess::message_type(&*self.process)
    }

    fn system_key(&self) -> Option<usize> {
        AnyProcess::system_key(&*self.process)
    }

    fn log(&self) -> Option<crate::log::LogQueue> {
        AnyProcess::log(&*self.process)
    }

    fn names(&self) -> Vec<std::borrow::Cow<'static, str>> {
        AnyProcess::names(&*self.process)
    }

    fn label(&self) -> Option<Arc<str>> {
        AnyProcess::label(&*self.process)
    }

    fn state(&self) -> ProcessState {
        AnyProcess::state(&*self.process)
    }

    fn counters(&self) -> MessageStats {
        self.process.counters()
    }

    fn identity(&self) -> u64 {
        self.process.identity()
    }

    fn latest_incarnation(&self) -> u32 {
        AnyProcess::latest_incarnation(&*self.process)
    }

    fn flags(&self) -> ProcessFlags {
        self.process.flags()
    }

    fn suspensions(&self) -> crate::any_process::Suspensions {
        self.process.suspensions()
    }

    fn busy_for(&self) -> Option<(Pid, Duration)> {
        self.process.busy_for()
    }

    fn order(&self, meant: Option<u32>, order: ControlSignal) -> bool {
        AnyProcess::order(&*self.process, meant, order)
    }

    fn drain(&self, _: ExitReason) -> bool {
        unreachable!("nothing drains it")
    }

    fn kill(&self) -> bool {
        self.process.kill()
    }

    fn watch(&self, watcher: ExitCallback) -> Result<u64, ExitCallback> {
        self.process.watch(watcher)
    }

    fn unwatch(&self, id: u64) {
        self.process.unwatch(id);
    }

    fn watchers(&self) -> usize {
        self.process.watchers()
    }

    fn hook(&self, hook: ExitHook) -> Result<u64, ExitHook> {
        self.process.hook(hook)
    }

    fn remove_close_hook(&self, number: u64) -> bool {
        self.process.remove_close_hook(number)
    }

    fn has_close_hook(&self, number: u64) -> bool {
        self.process.has_close_hook(number)
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
        self.turns.stop();
    }
}
