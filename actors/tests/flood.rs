//! An actor that is sent messages without pause: its timers, its piped futures and other actors get
//! their turns.
//!
//! One thread runs the tasks in strict turns, and one of them advances the paused clock. The tests
//! count messages; they measure no time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, MailboxConfig, Reply, System};
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, yield_now};

/// The number of messages that an actor may handle in a row before it yields.
const BUDGET: usize = 128;

const CAPACITY: usize = 16;

/// The period of the interval of the flooded actor, and the time by which the clock task advances
/// the clock in each of its turns.
const TICK: Duration = Duration::from_millis(1);

/// The number of items of each kind that a test waits for.
const ENOUGH: usize = 100;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Item {
    Flood,
    Tick,
    FromPipe,
}

enum Msg {
    Item(Item),
    Ask(Reply<usize>),
}

/// The handled items, in order, and the longest queue that was seen.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<(Vec<Item>, u64)>>);

impl Log {
    fn write(&self, item: Item) {
        self.0.lock().expect("no writer panics").0.push(item);
    }

    fn see_queue(&self, length: u64) {
        let mut log = self.0.lock().expect("no writer panics");
        log.1 = log.1.max(length);
    }

    fn longest_queue(&self) -> u64 {
        self.0.lock().expect("no writer panics").1
    }

    fn handled(&self) -> usize {
        self.0.lock().expect("no writer panics").0.len()
    }

    fn count(&self, item: Item) -> usize {
        self.0.lock().expect("no writer panics").0.iter().filter(|&&each| each == item).count()
    }

    /// Returns the largest number of flood messages that were handled between two of these items.
    fn longest_wait_for(&self, item: Item) -> usize {
        let log = self.0.lock().expect("no writer panics");
        let waits = log.0.split(|&each| each == item);
        waits.map(|wait| wait.iter().filter(|&&each| each == Item::Flood).count()).max().unwrap_or_default()
    }
}

/// Has an interval and always one piped future, and records each message.
struct Flooded(Log);

impl Actor for Flooded {
    type Msg = Msg;
    type Args = Log;

    async fn init(log: &Log, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.send_interval(TICK, || Msg::Item(Item::Tick));
        ctx.pipe_to_self(yield_now(), |()| Msg::Item(Item::FromPipe));
        Ok(Self(log.clone()))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Item(item) => {
                self.0.write(item);
                self.0.see_queue(ctx.address().counters().queued);
                if item == Item::FromPipe {
                    ctx.pipe_to_self(yield_now(), |()| Msg::Item(Item::FromPipe));
                }
            }
            Msg::Ask(reply) => reply.send(self.0.handled()),
        }
        Ok(())
    }
}

/// Runs a test on a runtime that checks its clock and the yielded tasks after every poll of a task.
fn run(test: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).event_interval(1).build().expect("a runtime");
    runtime.block_on(test);
}

/// Sends messages until the actor has ended.
async fn flood(address: Address<Msg>) {
    while address.send(Msg::Item(Item::Flood)).await.is_ok() {}
}

/// Sends more than its target can handle in a turn, then yields.
async fn flood_without_bounds(address: Address<Msg>) {
    while (0..BUDGET).all(|_| address.cast(Msg::Item(Item::Flood)).is_ok()) {
        yield_now().await;
    }
}

/// An actor under four floods, and the task that advances the clock.
struct Scene {
    system: System,
    flooded: Address<Msg>,
    log: Log,
    tasks: Vec<JoinHandle<()>>,
}

impl Scene {
    async fn set(mailbox: MailboxConfig) -> Self {
        let (system, log) = (System::new(), Log::default());
        let spawn = system.spawn::<Flooded>(log.clone()).mailbox(mailbox);
        let flooded = spawn.await.expect("it starts");
        let clock = tokio::spawn({
            let (log, flooded) = (log.clone(), flooded.clone());
            async move {
                while flooded.pid().is_some() {
                    log.see_queue(flooded.counters().queued);
                    tokio::time::advance(TICK).await;
                }
            }
        });
        let floods = (0..4).map(|_| match mailbox == MailboxConfig::unbounded() {
            true => tokio::spawn(flood_without_bounds(flooded.clone())),
            false => tokio::spawn(flood(flooded.clone())),
        });
        let tasks = floods.chain([clock]).collect();
        Self { system, flooded, log, tasks }
    }

    async fn bounded() -> Self {
        Self::set(MailboxConfig::bounded(CAPACITY)).await
    }

    /// Waits for enough ticks and piped results, or for so many messages that more would not help.
    async fn unfold(&self) {
        let come = || self.log.count(Item::Tick).min(self.log.count(Item::FromPipe));
        while come() < ENOUGH && self.log.handled() < 20 * ENOUGH * BUDGET {
            yield_now().await;
        }
    }

    /// Ends the actor and all tasks. Returns the log.
    async fn end(self) -> Log {
        let monitor = self.flooded.monitor();
        self.flooded.kill().expect("it lives");
        monitor.await;
        for task in self.tasks {
            task.await.expect("it ends with the actor");
        }
        assert!(self.flooded.counters().is_balanced(), "{:?}", self.flooded.counters());
        self.log
    }
}

#[test]
fn timers_and_futures_of_an_actor_that_is_flooded_through_a_bounded_mailbox_get_their_turn() {
    run(async {
        let scene = Scene::bounded().await;
        scene.unfold().await;
        let log = scene.end().await;
        // The clock and the futures have one turn after each turn of the actor.
        for item in [Item::Tick, Item::FromPipe] {
            assert!(log.count(item) >= ENOUGH, "{item:?}: {}", log.count(item));
            let wait = log.longest_wait_for(item);
            assert!(wait <= 2 * BUDGET, "{wait} messages were handled while {item:?} waited");
        }
    });
}

#[test]
fn timers_and_futures_of_an_actor_whose_queue_grows_without_bounds_get_their_turn() {
    run(async {
        let scene = Scene::set(MailboxConfig::unbounded()).await;
        scene.unfold().await;
        let log = scene.end().await;
        assert!(log.longest_queue() > 10 * BUDGET as u64, "it does grow: {}", log.longest_queue());
        for item in [Item::Tick, Item::FromPipe] {
            assert!(log.count(item) >= ENOUGH, "{item:?}: {}", log.count(item));
            let wait = log.longest_wait_for(item);
            assert!(wait <= 2 * BUDGET, "{wait} messages were handled while {item:?} waited");
        }
    });
}

#[test]
fn the_queue_of_a_flooded_actor_never_exceeds_its_capacity() {
    run(async {
        let scene = Scene::bounded().await;
        scene.unfold().await;
        let log = scene.end().await;
        // The message in flight is counted too. Reaching the limit shows that the flood was one.
        assert_eq!(log.longest_queue(), CAPACITY as u64 + 1);
    });
}

#[test]
fn calls_to_a_neighbour_of_a_flooded_actor_are_answered_within_a_few_of_its_turns() {
    run(async {
        for mailbox in [MailboxConfig::bounded(CAPACITY), MailboxConfig::unbounded()] {
            let scene = Scene::set(mailbox).await;
            let neighbour = scene.system.spawn::<Flooded>(Log::default()).await.expect("it starts");
            for _ in 0..ENOUGH {
                let before = scene.log.handled();
                neighbour.call(Msg::Ask).await.expect("it answers");
                let meanwhile = scene.log.handled() - before;
                assert!(meanwhile <= 3 * BUDGET, "the flooded actor handled {meanwhile} messages meanwhile");
            }
            assert!(scene.log.handled() >= ENOUGH, "there was a flood");
            scene.end().await;
        }
    });
}

#[test]
fn a_call_to_a_flooded_actor_waits_for_its_turn_and_no_longer() {
    run(async {
        let scene = Scene::bounded().await;
        for _ in 0..ENOUGH {
            let before = scene.log.handled();
            let after = scene.flooded.call(Msg::Ask).await.expect("it answers");
            // The queued messages, the waiting senders and the actor's own messages come before
            // it, but no later message.
            assert!(after - before <= 3 * (CAPACITY + 4), "{} were handled before it", after - before);
        }
        scene.end().await;
    });
}

/// Starts a timer that is due at once, again and again, and has an interval of zero.
struct Restless(usize);

impl Actor for Restless {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.send_after(Duration::ZERO, Msg::Item(Item::Tick));
        ctx.send_interval(Duration::ZERO, || Msg::Item(Item::Tick));
        Ok(Self(0))
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Item(item) => {
                self.0 += 1;
                assert!(self.0 < 100 * ENOUGH * BUDGET, "no other actor had a turn");
                if item != Item::Flood {
                    ctx.send_after(Duration::ZERO, Msg::Item(Item::Tick));
                }
            }
            Msg::Ask(reply) => reply.send(self.0),
        }
        Ok(())
    }
}

#[test]
fn an_actor_that_floods_itself_handles_its_mailbox_in_turn_and_lets_its_neighbours_have_theirs() {
    run(async {
        let system = System::new();
        let restless = system.spawn::<Restless>(()).await.expect("it starts");
        let neighbour = system.spawn::<Flooded>(Log::default()).await.expect("it starts");
        for _ in 0..ENOUGH {
            let before = restless.call(Msg::Ask).await.expect("it answers");
            neighbour.call(Msg::Ask).await.expect("it answers");
            let after = restless.call(Msg::Ask).await.expect("it answers");
            assert!(after - before <= 4 * BUDGET, "{} own messages were handled meanwhile", after - before);
        }
        let before = restless.call(Msg::Ask).await.expect("it answers");
        for _ in 0..10 {
            restless.cast(Msg::Item(Item::Flood)).expect("there is room");
        }
        let after = restless.call(Msg::Ask).await.expect("it answers");
        assert!(after > before + 10, "both come: {before}, {after}");
        restless.stop(ExitReason::Normal).expect("it lives");
        assert_eq!(restless.monitor().await.reason.to_string(), "normal");
    });
}
