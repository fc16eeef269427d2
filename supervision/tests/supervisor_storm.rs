//! Storms over supervisors, each from a seed: children fail, hang, decline and are killed, requests
//! start, stop, delete and reset them, their supervisor is killed and stopped, and in half of the
//! storms the tree is shut down in the middle. The incarnations are counted outside, by what the
//! children do. After a storm each child runs, unless it was stopped, ended in order, declined or
//! hit its start limit. All requests are answered, and nothing is left.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, ProcessState, System};
use perennial_supervision::{
    App, Backoff, Child, ChildError, ChildSpec, ChildStart, ChildState, Restart, Shutdown, Strategy,
    SupervisionStats, Supervisor, SupervisorHandle, TaskContext,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::storm::{Dice, run_storms};

const CHILDREN: usize = 6;
const CHANGES: u64 = 80;
const INTERVAL: Duration = secs(10);
/// A time in which everything that is calm has settled.
const CALM: Duration = secs(100);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The rules of a child, and what is known of it outside.
#[derive(Default)]
struct Facts {
    restart: Restart,
    burst: Option<u32>,
    is_task: bool,
    living: AtomicU32,
    starts: Mutex<Vec<Instant>>,
    /// `true` once it has had a reason not to run.
    may_rest: AtomicBool,
    is_deleted: AtomicBool,
}

impl Facts {
    fn new(dice: &mut Dice) -> Self {
        let restart = if dice.below(3) == 0 { Restart::Transient } else { Restart::Permanent };
        let burst = (dice.below(2) == 0).then(|| 3 + dice.below(3) as u32);
        Self { restart, burst, is_task: dice.below(3) == 0, ..Self::default() }
    }

    fn is_living(&self) -> bool {
        self.living.load(Ordering::Relaxed) == 1
    }

    /// Returns `true` if it was once started as often as its limit allows.
    fn hit_its_limit(&self) -> bool {
        let starts = self.starts.lock().expect("not poisoned");
        let is_hit = |burst: u32| {
            starts.windows(burst as usize).any(|some| {
                some.last().zip(some.first()).is_some_and(|(last, first)| *last - *first < INTERVAL)
            })
        };
        self.burst.is_some_and(is_hit)
    }
}

/// The state of one storm.
struct World {
    dice: Mutex<Dice>,
    is_calm: AtomicBool,
    children: Vec<Facts>,
}

impl World {
    fn below(&self, end: u64) -> u64 {
        self.dice.lock().expect("not poisoned").below(end)
    }

    /// Returns a random number, or `u64::MAX` when it is calm.
    fn fault(&self, end: u64) -> u64 {
        if self.is_calm.load(Ordering::Relaxed) { u64::MAX } else { self.below(end) }
    }
}

/// The incarnation of a child, which counts as living.
struct Incarnation(Arc<World>, usize);

impl Incarnation {
    /// Begins the init of a child.
    async fn start(world: &Arc<World>, number: usize) -> Result<Self, ExitReason> {
        let facts = &world.children[number];
        facts.starts.lock().expect("not poisoned").push(Instant::now());
        match world.fault(14) {
            0 => return Err(ExitReason::failed("no such luck")),
            1 => panic!("no such luck"),
            2 => pending().await,
            3 => {
                facts.may_rest.store(true, Ordering::Relaxed);
                return Err(ExitReason::Ignore);
            }
            4 => sleep(Duration::from_millis(world.below(500))).await,
            _ => {}
        }
        let others = facts.living.fetch_add(1, Ordering::Relaxed);
        assert_eq!(others, 0, "two incarnations of {number}");
        Ok(Self(world.clone(), number))
    }

    fn facts(&self) -> &Facts {
        &self.0.children[self.1]
    }
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        self.facts().living.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Msg {
    Fail,
    EndInOrder,
    Hang,
}

struct Subject(Incarnation);

impl Actor for Subject {
    type Msg = Msg;
    type Args = (Arc<World>, usize);

    async fn init((world, number): &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Incarnation::start(world, *number).await.map(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Fail => Err(ExitReason::failed("on purpose")),
            Msg::EndInOrder => {
                self.0.facts().may_rest.store(true, Ordering::Relaxed);
                Err(ExitReason::Normal)
            }
            Msg::Hang => pending().await,
        }
    }
}

/// A task that pings its watchdog until it fails, ends, panics or falls silent.
async fn run(world: Arc<World>, number: usize, ctx: TaskContext) -> Result<(), ExitReason> {
    let incarnation = Incarnation::start(&world, number).await?;
    loop {
        ctx.ping_watchdog();
        sleep(Duration::from_millis(500)).await;
        match world.fault(40) {
            0 => return Err(ExitReason::failed("on purpose")),
            1 => panic!("on purpose"),
            2 => pending().await,
            3 => {
                incarnation.facts().may_rest.store(true, Ordering::Relaxed);
                return Ok(());
            }
            _ => {}
        }
    }
}

/// Sets the rules of a child, of which the storm knows.
fn with_rules<M: Send + 'static>(child: Child<M>, world: &World, number: usize) -> ChildSpec {
    let (facts, delays) = (&world.children[number], Backoff::new(Duration::from_millis(100), secs(2)));
    let mut child = child.start_timeout(secs(1));
    child = match facts.restart {
        // The same rule, as a condition.
        Restart::Transient if number % 2 == 0 => child.restart_if(Restart::on_failure),
        restart => child.restart(restart),
    };
    if let Some(burst) = facts.burst {
        child = child.start_limit(burst, INTERVAL);
    }
    if number % 3 > 0 {
        child = child.retry_start(delays);
    }
    if number % 2 == 1 {
        child = child.backoff(delays);
    }
    if number == 4 { child.shutdown(Shutdown::BrutalKill).into() } else { child.into() }
}

fn id(number: usize) -> String {
    format!("child {number}")
}

fn child(world: &Arc<World>, number: usize) -> ChildSpec {
    if world.children[number].is_task {
        let of_task = world.clone();
        let task = Child::task(id(number), move |ctx| run(of_task.clone(), number, ctx));
        return with_rules(task.watchdog(secs(2)), world, number);
    }
    let actor = Child::new::<Subject>(id(number), (world.clone(), number));
    with_rules(actor.handler_deadline(secs(3)), world, number)
}

/// A tree in a storm: the root never gives up, and its child supervises the children.
struct Storm {
    world: Arc<World>,
    system: System,
    app: App<SupervisorHandle>,
    middle: SupervisorHandle,
    is_limited: bool,
    /// `true` once the supervisor was stopped by request. It may stay so if a start fails.
    is_middle_stopped: bool,
    requests: JoinSet<()>,
}

impl Storm {
    async fn start(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let children = (0..CHILDREN).map(|_| Facts::new(&mut dice)).collect();
        let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
        let mut middle = Supervisor::new("middle").strategy(strategies[dice.below(3) as usize]);
        middle = if dice.below(2) == 0 { middle.never_give_up() } else { middle.intensity(3, secs(5)) };
        let is_limited = dice.below(3) == 0;
        if is_limited {
            middle = middle.start_limit(4, INTERVAL);
        }
        let dice = Mutex::new(dice);
        let world = Arc::new(World { dice, is_calm: AtomicBool::new(true), children });
        middle = (0..CHILDREN).fold(middle, |middle, number| middle.child(child(&world, number)));
        let handle = middle.handle();
        let system = System::new();
        let root = Supervisor::new("root").never_give_up().child(middle);
        let app = root.start(&system).await.expect("it starts while it is calm");
        world.is_calm.store(false, Ordering::Relaxed);
        let (middle, is_middle_stopped, requests) = (handle, false, JoinSet::new());
        Self { world, system, app, middle, is_limited, is_middle_stopped, requests }
    }

    /// Makes a request, whose future is dropped in some cases.
    fn request<T>(&mut self, request: impl Future<Output = T> + Send + 'static) {
        let patience = if self.world.below(5) == 0 {
            Duration::from_millis(self.world.below(300))
        } else {
            secs(1_000_000)
        };
        self.requests.spawn(async move { drop(timeout(patience, request).await) });
    }

    fn change(&mut self) {
        let number = self.world.below(CHILDREN as u64) as usize;
        let (id, middle, root) = (id(number), self.middle.clone(), self.app.supervisor().clone());
        let facts = &self.world.children[number];
        let tell = |msg| {
            let address = middle.child(&id).and_then(|child| child.address::<Msg>());
            // It may be stopped, or a task.
            address.map(|address| address.cast(msg));
        };
        match self.world.below(18) {
            0..=3 => tell(Msg::Fail),
            4 => tell(Msg::EndInOrder),
            5 => tell(Msg::Hang),
            6 | 7 => drop(middle.child(&id).map(|child| child.kill())),
            8 | 9 => {
                facts.may_rest.store(true, Ordering::Relaxed);
                self.request(async move { middle.terminate_child(id).await });
            }
            10..=12 => self.request(async move { middle.restart_child(id).await }),
            13 => {
                facts.is_deleted.store(true, Ordering::Relaxed);
                self.request(async move { middle.delete_child(id).await });
            }
            14 => self.request(async move { middle.reset_failed(id).await }),
            15 => drop(root.child("middle").map(|middle| middle.kill())),
            16 if self.world.below(2) == 0 => {
                self.is_middle_stopped = true;
                self.request(async move {
                    drop(root.terminate_child("middle").await);
                    root.restart_child("middle").await
                });
            }
            _ => self.request(async move { root.reset_failed("middle").await }),
        }
    }

    /// Waits until all requests are answered.
    async fn answers(&mut self) {
        let all = async { while self.requests.join_next().await.is_some() {} };
        timeout(CALM, all).await.expect("each request is answered");
    }

    /// Starts the supervisor if it has failed or was stopped. Returns `true` if it was so.
    async fn start_middle(&self) -> bool {
        let root = self.app.supervisor();
        match root.which_child("middle").await.expect("it is a child").state {
            ChildState::Running => return false,
            ChildState::Failed => assert!(self.is_limited, "it has no limit"),
            // A failed one that was reset is a stopped one.
            ChildState::Stopped => assert!(self.is_middle_stopped || self.is_limited, "it was not stopped"),
            state => panic!("it is {state} for ever"),
        }
        root.reset_failed("middle").await.expect("it is a child");
        let started = root.restart_child("middle").await;
        assert!(matches!(started, Ok(ChildStart::Started(_))), "{started:?}");
        sleep(CALM).await;
        true
    }

    /// Checks a child after the storm, and starts it if it does not run.
    async fn settle(&self, number: usize, is_fresh: bool) {
        let facts = &self.world.children[number];
        let may_rest = (facts.may_rest.load(Ordering::Relaxed) || facts.hit_its_limit()) && !is_fresh;
        let info = self.middle.which_child(id(number)).await;
        match info.map(|info| info.state) {
            Ok(ChildState::Running) => return assert!(facts.is_living(), "{number} does not live"),
            Ok(ChildState::Stopped) => assert!(may_rest, "the start of {number} is lost"),
            Ok(ChildState::Failed) => {
                assert!(facts.hit_its_limit() && !is_fresh, "{number} was not at its limit")
            }
            Err(ChildError::NotFound) => {
                assert!(facts.is_deleted.load(Ordering::Relaxed) && !is_fresh, "{number} is lost");
                let started = self.middle.start_child(child(&self.world, number)).await;
                return assert!(matches!(started, Ok(ChildStart::Started(_))), "{started:?}");
            }
            other => panic!("{number} is {other:?} for ever"),
        }
        assert!(!facts.is_living(), "{number} lives");
        self.middle.reset_failed(id(number)).await.expect("it is a child");
        let started = self.middle.restart_child(id(number)).await;
        assert!(matches!(started, Ok(ChildStart::Started(_))), "{started:?}");
    }

    /// Calms down, and checks every child.
    async fn calm_down(&mut self) {
        self.world.is_calm.store(true, Ordering::Relaxed);
        sleep(CALM).await;
        self.answers().await;
        let is_fresh = self.start_middle().await;
        for number in 0..CHILDREN {
            self.settle(number, is_fresh).await;
        }
        sleep(CALM).await;
        for (number, facts) in self.world.children.iter().enumerate() {
            assert!(facts.is_living(), "{number} does not live");
        }
        let counts = self.middle.count_children().await.expect("it runs");
        assert_eq!((counts.specs, counts.active), (CHILDREN, CHILDREN));
        let processes = self.system.processes();
        let alive = processes.iter().filter(|process| matches!(process.state(), ProcessState::Alive(_)));
        assert_eq!(alive.count(), CHILDREN + 2);
    }

    async fn shut_down(mut self) {
        let report = timeout(CALM, self.app.shutdown()).await.expect("the shutdown ends");
        assert!(report.unstopped.iter().all(|child| !child.abandoned), "{report}");
        self.answers().await;
        for (number, facts) in self.world.children.iter().enumerate() {
            assert_eq!(facts.living.load(Ordering::Relaxed), 0, "{number} is left");
        }
        assert_eq!(SupervisionStats::of(&self.system).abandoned, 0);
        let Self { system, world, app, middle, .. } = self;
        drop((app, middle));
        sleep(CALM).await;
        assert_eq!((system.processes().len(), Arc::strong_count(&world)), (0, 1));
    }
}

async fn run_storm(seed: u64) {
    let mut storm = Storm::start(seed).await;
    let ends_early = seed % 2 == 0;
    for _ in 0..if ends_early { storm.world.below(CHANGES) } else { CHANGES } {
        storm.change();
        sleep(Duration::from_millis(storm.world.below(700))).await;
    }
    if !ends_early {
        storm.calm_down().await;
    }
    storm.shut_down().await;
}

#[test]
fn each_wanted_child_runs_after_a_storm() {
    run_storms((1..80).step_by(2), run_storm);
}

#[test]
fn a_shutdown_in_the_middle_of_a_storm_ends_and_leaves_nothing() {
    run_storms((0..80).step_by(2), run_storm);
}
