//! The mailbox, timers and piped futures of one actor take turns: none waits for more than two
//! turns of the others.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, System};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::task::coop::{consume_budget, has_budget_remaining};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// Where a message comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum From {
    Sender,
    Timer,
    Pipe,
}

const SOURCES: [From; 3] = [From::Sender, From::Timer, From::Pipe];

/// An item of a source: when it is ready and how long it takes to handle, in milliseconds.
#[derive(Clone, Debug)]
struct Item {
    from: From,
    ready: u64,
    takes: u64,
}

struct Msg(From, u64);

/// Handles items, and records when it began each.
struct Busy {
    begun: Instant,
    turns: Arc<Mutex<Vec<(From, u64)>>>,
}

struct Args {
    items: Vec<Item>,
    turns: Arc<Mutex<Vec<(From, u64)>>>,
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl Actor for Busy {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        for &Item { from, ready, takes } in &args.items {
            match from {
                From::Sender => {}
                From::Timer => drop(ctx.send_after(millis(ready), Msg(from, takes))),
                From::Pipe => drop(ctx.pipe_to_self(sleep(millis(ready)), move |()| Msg(from, takes))),
            }
        }
        Ok(Self { begun: Instant::now(), turns: args.turns.clone() })
    }

    async fn handle(&mut self, Msg(from, takes): Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        let at = u64::try_from(self.begun.elapsed().as_millis())?;
        self.turns.lock().expect("no writer panics").push((from, at));
        if takes > 0 {
            sleep(millis(takes)).await;
        }
        Ok(())
    }
}

/// Has an interval that is due again whenever its handler returns. Counts the results of a future
/// and of blocking work.
struct Late(Arc<AtomicU32>);

enum Due {
    Tick,
    Result,
}

impl Actor for Late {
    type Msg = Due;
    type Args = Arc<AtomicU32>;

    async fn init(piped: &Arc<AtomicU32>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.send_interval(millis(1000), || Due::Tick);
        sleep(millis(1100)).await;
        ctx.pipe_to_self(yield_now(), |()| Due::Result);
        ctx.pipe_blocking(|| (), |()| Due::Result);
        Ok(Self(piped.clone()))
    }

    async fn handle(&mut self, due: Due, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match due {
            Due::Tick => sleep(millis(1100)).await,
            Due::Result => drop(self.0.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(())
    }
}

/// Sets a timer that is due at once in each handler, and uses up its budget of tokio.
struct Restless(Arc<AtomicU32>);

impl Actor for Restless {
    type Msg = From;
    type Args = Arc<AtomicU32>;

    async fn init(turns: &Arc<AtomicU32>, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.send_after(Duration::ZERO, From::Timer);
        ctx.pipe_to_self(yield_now(), |()| From::Pipe);
        Ok(Self(turns.clone()))
    }

    async fn handle(&mut self, from: From, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.fetch_add(1, Ordering::Relaxed);
        while from == From::Timer && has_budget_remaining() {
            consume_budget().await;
        }
        ctx.send_after(Duration::ZERO, From::Timer);
        Ok(())
    }
}

/// Runs an actor with these items. Returns the turns that it took.
fn turns(items: &[Item]) -> Vec<(From, u64)> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("there is room for one").block_on(async {
        let turns = Arc::new(Mutex::new(Vec::new()));
        let args = Args { items: items.to_vec(), turns: turns.clone() };
        let spawn = System::new().spawn::<Busy>(args).mailbox(MailboxConfig::unbounded());
        let address = spawn.await.expect("it starts");
        for &Item { ready, takes, .. } in items.iter().filter(|item| item.from == From::Sender) {
            let address = address.clone();
            tokio::spawn(async move {
                sleep(millis(ready)).await;
                assert!(address.cast(Msg(From::Sender, takes)).is_ok(), "it is open");
            });
        }
        sleep(Duration::from_secs(3600)).await;
        turns.lock().expect("no writer panics").clone()
    })
}

/// Returns the most turns of others that `source` waits for while it has an item ready.
fn longest_wait(source: From, items: &[Item], turns: &[(From, u64)]) -> usize {
    let (mut handled, mut wait, mut longest) = (0, 0, 0);
    for &(from, at) in turns {
        // An item that becomes ready in this same millisecond may come a moment too late.
        let ready = items.iter().filter(|item| item.from == source && item.ready < at).count();
        if from == source {
            (handled, wait) = (handled + 1, 0);
        } else if ready > handled {
            wait += 1;
            longest = longest.max(wait);
        }
    }
    longest
}

fn item() -> impl Strategy<Value = Item> {
    (prop::sample::select(&SOURCES[..]), 0..300_u64, 0..5_u64).prop_map(|(from, ready, takes)| Item {
        from,
        ready,
        takes,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn no_source_waits_for_more_than_two_turns_of_the_others(items in vec(item(), 0..400)) {
        let turns = turns(&items);
        prop_assert_eq!(turns.len(), items.len(), "each is handled once");
        for source in SOURCES {
            let wait = longest_wait(source, &items, &turns);
            prop_assert!(wait <= 2, "{:?} waited for {} turns", source, wait);
        }
    }
}

/// Checks that the load of the property occurs: sources do wait.
#[test]
fn sources_that_are_all_ready_take_turns_one_by_one() {
    let items: Vec<Item> = (0..30).map(|n| Item { from: SOURCES[n % 3], ready: 1, takes: 2 }).collect();
    let turns = turns(&items);
    assert!(
        turns
            .windows(3)
            .all(|three| SOURCES.iter().all(|source| three.iter().any(|(from, _)| from == source)))
    );
    assert!(SOURCES.iter().any(|source| longest_wait(*source, &items, &turns) == 2));
}

#[tokio::test(start_paused = true)]
async fn an_interval_that_is_always_due_starves_no_future_and_no_blocking_work() {
    let piped = Arc::new(AtomicU32::new(0));
    System::new().spawn::<Late>(piped.clone()).await.expect("it starts");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(piped.load(Ordering::Relaxed), 2);
}

/// Lets the ready tasks run. `yield_now` would wait until the runtime checks its timers.
async fn run_ready_tasks() {
    let mut had_turn = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut had_turn, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_whose_own_work_never_ends_does_not_starve_other_tasks() {
    let turns = Arc::new(AtomicU32::new(0));
    System::new().spawn::<Restless>(turns.clone()).await.expect("it starts");
    let neighbour = tokio::spawn({
        let turns = turns.clone();
        async move {
            for _ in 0..100 {
                let before = turns.load(Ordering::Relaxed);
                run_ready_tasks().await;
                let meanwhile = turns.load(Ordering::Relaxed) - before;
                assert!(meanwhile <= 128, "it had {meanwhile} turns");
            }
        }
    });
    neighbour.await.expect("it has its turns");
    assert!(turns.load(Ordering::Relaxed) > 100, "it keeps running");
}
