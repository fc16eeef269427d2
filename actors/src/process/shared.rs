//! What everybody who knows an actor shares.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task;

use super::condition::Condition;
use crate::counters::Counters;
use crate::exit::ExitReason;
use crate::foreign::drop_each;
use crate::label::Label;
use crate::log::LogQueue;
use crate::mailbox::{Hook, Mailbox, Queue, Watcher};
use crate::order::Order;
use crate::pid::Pid;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::system::{DeadLetter, DeadReason, Event, Place, System};
use crate::untyped::{AnyProcess, Conduct, Held, ProcessState, StartOrderSlot, Suspensions, Work};

/// One actor, whichever incarnation of it lives: its mailbox, and where it belongs.
pub(crate) struct Process<M: Send + 'static> {
    pub(crate) queue: Queue<M>,
    pub(crate) condition: Condition,
    pub(super) relations: Held,
    start_order: StartOrderSlot,
    home: OnceLock<Home>,
    /// Nothing owns it, so that nothing can start it again once it is closed.
    disowned: AtomicBool,
}

/// Where a process belongs. It has no home, and a closed mailbox, until it is first opened.
pub(crate) struct Home {
    pub(crate) system: System,
    pub(crate) label: Label,
    number: u64,
    place: Place,
}

impl<M: Send + 'static> Process<M> {
    pub(crate) fn new(settings: Mailbox) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(settings),
            condition: Condition::new(),
            relations: Mutex::new(None),
            start_order: Mutex::new(None),
            home: OnceLock::new(),
            disowned: AtomicBool::new(false),
        })
    }

    /// Settles in a system, if it has not done so before.
    pub(crate) fn settle(self: &Arc<Self>, system: &System, label: impl FnOnce() -> Label) -> &Home {
        self.home.get_or_init(|| {
            let number = system.next_number();
            let this: Weak<Self> = Arc::downgrade(self);
            self.queue.set_default_capacity(system.capacity());
            Home { system: system.clone(), label: label(), number, place: system.enter(number, this) }
        })
    }

    /// Begins to count for how long this incarnation is at what it does now.
    pub(crate) fn see(&self, incarnation: u32) {
        self.condition.see(incarnation, || self.age());
    }

    /// Ends a suspension of the incarnation that lives.
    pub(crate) fn resume(&self) {
        self.condition.resume(|| self.age());
    }

    /// For how long its system has been there.
    pub(super) fn age(&self) -> Duration {
        self.home().map_or(Duration::ZERO, |home| home.system.age())
    }

    pub(crate) fn home(&self) -> Option<&Home> {
        self.home.get()
    }

    pub(crate) fn pid_of(&self, incarnation: u32) -> Pid {
        Pid::new(self.home().map_or(0, |home| home.number), incarnation)
    }

    /// Says that nothing owns it any more: once it is closed, it stays so.
    pub(crate) fn disown(&self) {
        self.disowned.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if it is closed and nothing can open it again.
    pub(super) fn is_gone(&self) -> bool {
        self.disowned.load(Ordering::Relaxed) && self.queue.is_closed()
    }

    pub(crate) fn publish(&self, event: impl FnOnce(Arc<str>) -> Event) {
        if let Some(home) = self.home() {
            home.system.publish(|| event(home.label.to_shared()));
        }
    }

    pub(super) fn bury(&self, target: Pid, reason: impl FnOnce() -> DeadReason) {
        let Some(home) = self.home() else { return };
        home.system.bury(|| DeadLetter {
            target,
            label: home.label.to_shared(),
            message_type: type_name::<M>(),
            reason: reason(),
        });
    }
}

impl<M: Send + 'static> AnyProcess for Process<M> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn messages(&self) -> &'static str {
        type_name::<M>()
    }

    fn label(&self) -> Option<Arc<str>> {
        self.home().map(|home| home.label.to_shared())
    }

    fn state(&self) -> ProcessState {
        match self.queue.served_by() {
            Some(incarnation) => ProcessState::Alive(self.pid_of(incarnation)),
            None if self.queue.is_closed() => ProcessState::Closed,
            None => ProcessState::Due,
        }
    }

    fn counters(&self) -> Counters {
        self.queue.counters()
    }

    fn identity(&self) -> u64 {
        self.home().map_or(0, |home| home.number)
    }

    fn system_key(&self) -> Option<usize> {
        self.home().map(|home| home.system.key())
    }

    fn log(&self) -> Option<LogQueue> {
        self.home().map(|home| home.system.log().clone())
    }

    fn newest(&self) -> u32 {
        self.queue.newest()
    }

    fn conduct(&self) -> Conduct {
        if self.queue.served_by().is_none() {
            return Conduct::default();
        }
        Conduct {
            links: self.linked(),
            monitors: self.monitoring(),
            trapping: self.condition.is_trapping(),
            suspended: self.condition.is_suspended(),
            handling_for: self.busy_for().map(|(_, time)| time),
        }
    }

    fn suspensions(&self) -> Suspensions {
        self.condition.suspensions(|| self.age())
    }

    fn busy_for(&self) -> Option<(Pid, Duration)> {
        // What most are, at no more cost than this.
        if self.condition.is_resting() {
            return None;
        }
        let incarnation = self.queue.served_by()?;
        let time = self.condition.at_it_for(incarnation, || self.age())?;
        Some((self.pid_of(incarnation), time))
    }

    fn drain(&self, reason: ExitReason) -> bool {
        // Messages would wait while it is suspended.
        if self.condition.is_suspended() {
            self.order(None, Order::Resume);
        }
        let told = self.queue.drain(reason);
        let is_told = told.is_ok();
        drop_each(told.err());
        is_told
    }

    fn order(&self, meant: Option<u32>, mut order: Order) -> bool {
        if let Order::Exit(exit) = &mut order {
            self.attribute(exit);
        }
        self.queue.signal(meant, order)
    }

    fn kill(&self) -> bool {
        self.queue.kill()
    }

    fn watch(&self, watcher: Watcher) -> Result<u64, Watcher> {
        self.queue.watch(watcher)
    }

    fn unwatch(&self, id: u64) {
        self.queue.unwatch(id);
    }

    fn watchers(&self) -> usize {
        self.queue.watchers()
    }

    fn names(&self) -> Vec<Cow<'static, str>> {
        self.queue.names()
    }

    fn hook(&self, hook: Hook) -> Result<u64, Hook> {
        self.queue.hook(hook)
    }

    fn remove_close_hook(&self, number: u64) -> bool {
        self.queue.remove_close_hook(number).is_some()
    }

    fn has_close_hook(&self, number: u64) -> bool {
        self.queue.has_close_hook(number)
    }

    fn outage(&self) -> Option<(ExitReason, Duration)> {
        let outage = self.queue.outage()?;
        Some((outage.reason, outage.until.saturating_sub(self.age())))
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<Work> {
        self.queue.poll_idle(waker).map(|traffic| Work { traffic, begun: self.condition.begun() })
    }

    fn start_order(&self) -> &StartOrderSlot {
        &self.start_order
    }

    fn is_vacant(&self) -> bool {
        self.queue.is_vacant()
    }

    fn is_run_by(&self, task: task::Id) -> bool {
        self.queue.is_run_by(task)
    }

    fn poke(&self) {
        self.queue.poke();
    }

    fn relations(&self) -> &Held {
        &self.relations
    }

    fn link_ended(&self, incarnation: u32, to: Pid, reason: &ExitReason) {
        self.hear_of_link(incarnation, to, reason);
    }
}

impl<M: Send + 'static> Drop for Process<M> {
    /// Nobody holds an address and nobody serves it: what still waits goes with it, on the books.
    fn drop(&mut self) {
        self.close(&ExitReason::NoProcess);
        if let Some(home) = self.home.get() {
            home.system.leave(home.place, self.queue.counters());
        }
    }
}
