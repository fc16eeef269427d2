//! A system in which everything happens at random, from a seed.

use std::convert::Infallible;
use std::time::Duration;

use fastrand::Rng;
use perennial_actors::{Actor, Address, Context, ExitReason, System};
use perennial_operations::{Events, Model, Operations, Snapshot, Update};
use perennial_registry::{Name, Registry};
use perennial_supervision::pool::{JobContext, Pool, PoolHandle, Worker, WorkerContext};
use perennial_supervision::{
    App, Child, DynamicHandle, DynamicSupervisor, Strategy, Supervisor, SupervisorHandle, Tree,
};

/// What a worker does.
pub(crate) enum Msg {
    Fail,
    Panic,
    Stop,
}

/// A worker whose init takes some time, so that others see it as it starts.
pub(crate) struct Unit;

impl Actor for Unit {
    type Msg = Msg;
    type Args = Duration;

    async fn init(delay: &Duration, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        tokio::time::sleep(*delay).await;
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => return Err("on purpose".into()),
            Msg::Panic => std::panic::resume_unwind(Box::new("on purpose")),
            Msg::Stop => ctx.stop(ExitReason::Normal),
        }
        Ok(())
    }
}

/// A worker of the pool.
pub(crate) struct Doubler;

impl Worker for Doubler {
    type Job = u64;
    type Output = u64;
    type Error = Infallible;
    type Args = ();

    async fn init((): &(), _: &WorkerContext) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn work(&mut self, job: &u64, _: &JobContext<'_>) -> Result<u64, Infallible> {
        Ok(job * 2)
    }
}

pub(crate) struct Chaos {
    pub(crate) system: System,
    app: App<SupervisorHandle>,
    sessions: DynamicHandle,
    pool: PoolHandle<Doubler>,
    loners: Vec<Address<Msg>>,
    pub(crate) random: Rng,
    next_id: u64,
}

pub(crate) fn unit(id: impl Into<std::sync::Arc<str>>, delay: u64) -> Child<Msg> {
    Child::new::<Unit>(id, Duration::from_millis(delay))
}

const FIRST: Name<Msg> = Name::new("first");
const SECOND: Name<Msg> = Name::new("second");

impl Chaos {
    pub(crate) async fn start(seed: u64) -> Self {
        let system = System::new();
        let all = Supervisor::new("all").strategy(Strategy::OneForAll);
        let all = all.children((0..3).map(|n| unit(format!("a{n}"), n * 3)));
        let rest = Supervisor::new("rest").strategy(Strategy::RestForOne);
        let rest = rest.children((0..3).map(|n| unit(format!("r{n}"), n)));
        let sessions = DynamicSupervisor::new("sessions");
        let pool = Pool::<Doubler>::new("pool", 3, ());
        let (session_handle, pool_handle) = (sessions.handle(), pool.handle());
        let inner = Supervisor::new("inner").child(all).child(rest).child(sessions).child(pool);
        let app = Supervisor::new("app").never_give_up().child(unit("named", 1)).child(inner);
        let app = app.start(&system).await.expect("it starts");
        let random = Rng::with_seed(seed);
        Self {
            system,
            app,
            sessions: session_handle,
            pool: pool_handle,
            loners: Vec::new(),
            random,
            next_id: 0,
        }
    }

    /// Does one thing at random.
    pub(crate) async fn step(&mut self) {
        match self.random.u32(0..14) {
            0..=4 => self.hurt_a_node(),
            5 | 6 => {
                let id = format!("s{}", self.next_id);
                self.next_id += 1;
                let delay = self.random.u64(0..20);
                let sessions = self.sessions.clone();
                tokio::spawn(async move { drop(sessions.start_child(unit(id, delay)).await) });
            }
            7 => self.end_a_session().await,
            8 => {
                let (pool, workers) = (self.pool.clone(), self.random.usize(1..6));
                tokio::spawn(async move { drop(pool.resize(workers).await) });
            }
            9 => {
                let delay = Duration::from_millis(self.random.u64(0..5));
                let loner = self.system.spawn::<Unit>(delay).await.expect("it starts");
                self.loners.push(loner);
            }
            10 => {
                if let Some(loner) = self.pick_a_loner() {
                    let message = if self.random.bool() { Msg::Fail } else { Msg::Stop };
                    let _ = loner.cast(message);
                    self.loners.retain(|other| *other != loner);
                }
            }
            11..=12 => self.change_a_name(),
            _ => {
                // It runs also if its result is not awaited.
                drop(self.pool.submit(self.random.u64(0..9)).try_submit());
            }
        }
    }

    fn hurt_a_node(&mut self) {
        let tree = self.app.tree();
        // All but the root.
        let nodes: Vec<&Tree> = tree.walk().skip(1).collect();
        let Some(node) = self.random.choice(&nodes) else { return };
        match node.handle.address::<Msg>() {
            Some(worker) if self.random.u32(0..4) > 0 => {
                let message = if self.random.bool() { Msg::Fail } else { Msg::Panic };
                let _ = worker.cast(message);
            }
            _ => drop(node.handle.kill()),
        }
    }

    async fn end_a_session(&mut self) {
        let tree = self.app.tree();
        let sessions = tree.at(["inner", "sessions"]);
        let pids: Vec<_> =
            sessions.into_iter().flat_map(|node| &node.children).filter_map(|node| node.pid).collect();
        if let Some(pid) = self.random.choice(&pids).copied() {
            let sessions = self.sessions.clone();
            tokio::spawn(async move { drop(sessions.terminate_child(pid).await) });
        }
    }

    fn pick_a_loner(&mut self) -> Option<Address<Msg>> {
        self.random.choice(&self.loners).cloned()
    }

    fn change_a_name(&mut self) {
        let registry = Registry::of(&self.system).clone();
        let name = if self.random.bool() { FIRST } else { SECOND };
        let Some(to) = self.pick_a_loner() else { return };
        match registry.whereis(&name) {
            Ok(from) if self.random.bool() => drop(registry.hand_over(&name, &from, &to)),
            Ok(from) => drop(registry.unbind(&name, &from)),
            Err(_) => drop(registry.bind(&name, &to)),
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.app.shutdown().await);
        drop(self.system.shutdown(Duration::from_secs(1)).await.expect("there are timers"));
    }
}

/// A client that follows the events from a snapshot.
pub(crate) struct Client {
    pub(crate) model: Model,
    pub(crate) events: Events,
    pub(crate) applied: u64,
}

impl Client {
    pub(crate) fn start(operations: &Operations) -> Self {
        let Snapshot { sequence, model, .. } = operations.snapshot();
        Self { model, events: operations.events_after(sequence), applied: 0 }
    }

    /// Applies all events that there are.
    pub(crate) fn apply_all(&mut self) {
        while let Some(update) = self.events.try_next() {
            match update {
                Update::Event(event) => {
                    assert_eq!(event.sequence, self.events.last());
                    self.model.apply(&event);
                    self.applied += 1;
                }
                Update::Missed(missed) => panic!("{missed} events were missed"),
                _ => unreachable!("there are no other updates"),
            }
        }
    }

    /// Compares the model with that of a fresh snapshot after the same event, while the system goes
    /// on. The snapshot may hold changes of other threads before their events are there: both are
    /// the same once these threads have gone on, which the system may have stopped for a while.
    pub(crate) async fn compare(&mut self, operations: &Operations) {
        const AHEAD: u64 = 10_000;
        let Snapshot { sequence, model: mut fresh, .. } = operations.snapshot();
        while self.events.last() < sequence || self.model != fresh {
            let next = tokio::time::timeout(Duration::from_secs(5), self.events.next()).await;
            match next {
                Ok(Update::Event(event)) if event.sequence <= sequence + AHEAD => {
                    self.model.apply(&event);
                    self.applied += 1;
                    if event.sequence > sequence {
                        fresh.apply(&event);
                    }
                }
                other => {
                    assert_eq!(self.model, fresh, "after event {sequence}");
                    panic!("{other:?}");
                }
            }
        }
    }
}
