//! Exit signals that arrive while a handler runs. A signal that is not trapped ends the handler at
//! its next await, as in OTP, where an exit signal ends a process at any point. All other signals
//! wait until the handler has returned.

use std::future::pending;
use std::time::Duration;

use perennial_actors::{
    Actor, ActorHandle, Address, CallError, Context, DeadLetter, DeadLetterReason, ExitReason, Reply, Signal,
    System,
};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::support::scripted::{scripted, why};

const SECOND: Duration = Duration::from_secs(1);

/// What a worker does in its handler.
enum Msg {
    /// Waits for ever.
    Hang(Option<Reply<()>>),
    /// Takes a second.
    Take,
    /// Blocks its thread while the exit signal arrives, and never awaits.
    Compute(Box<dyn FnOnce() + Send>),
    /// Begins to trap exits, or stops trapping them, and waits a second.
    Trap(bool),
    /// Hangs in the handler of a timer.
    HangLater,
    /// Monitors an actor.
    Watch(ActorHandle),
}

/// A worker that records what it does.
struct Worker {
    journal: mpsc::UnboundedSender<String>,
    hangs_when_told: bool,
}

struct Args {
    trapping: bool,
    hangs_when_told: bool,
    journal: mpsc::UnboundedSender<String>,
}

impl Worker {
    fn write(&self, line: impl Into<String>) {
        // The test may have dropped the receiver.
        let _ = self.journal.send(line.into());
    }
}

impl Actor for Worker {
    type Msg = Msg;
    type Args = Args;

    async fn init(args: &Args, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        ctx.trap_exits(args.trapping);
        Ok(Self { journal: args.journal.clone(), hangs_when_told: args.hangs_when_told })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        self.write("begins");
        match msg {
            Msg::Hang(_reply) => pending().await,
            Msg::Take => sleep(SECOND).await,
            Msg::Compute(work) => work(),
            Msg::Trap(trapping) => {
                sleep(SECOND).await;
                ctx.trap_exits(trapping);
                sleep(SECOND).await;
            }
            Msg::Watch(target) => {
                ctx.monitor(&target);
            }
            Msg::HangLater => {
                ctx.send_after(SECOND, Msg::Hang(None));
            }
        }
        self.write("handled");
        Ok(())
    }

    async fn signal(&mut self, signal: Signal, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match signal {
            Signal::Exit { reason, .. } => self.write(format!("told: {reason}")),
            _ => self.write("told"),
        }
        if self.hangs_when_told { pending().await } else { Ok(()) }
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        self.write(format!("terminate: {reason}"));
        sleep(SECOND).await;
        self.write("terminated");
    }
}

/// The address of a worker and its journal.
struct WorkerProbe {
    address: Address<Msg>,
    journal: mpsc::UnboundedReceiver<String>,
}

impl WorkerProbe {
    fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.journal.try_recv().ok()).collect()
    }

    /// Waits until the worker writes this line.
    async fn until(&mut self, line: &str) {
        assert_eq!(self.journal.recv().await.as_deref(), Some(line));
    }

    fn cast(&self, msg: Msg) {
        assert!(self.address.cast(msg).is_ok(), "it is open and has room");
    }

    fn exit(&self, reason: ExitReason) {
        self.address.handle().send_exit(reason).expect("it lives");
    }

    /// Waits for its exit. Returns the reason and the lines that were not read yet.
    async fn end(&mut self) -> (String, Vec<String>) {
        let reason = why(self.address.monitor()).await;
        (reason, self.lines())
    }
}

async fn begun(system: &System, change: impl FnOnce(&mut Args)) -> WorkerProbe {
    let (journal, lines) = mpsc::unbounded_channel();
    let mut args = Args { trapping: false, hangs_when_told: false, journal };
    change(&mut args);
    WorkerProbe { address: system.spawn::<Worker>(args).await.expect("it starts"), journal: lines }
}

async fn worker(system: &System) -> WorkerProbe {
    begun(system, |_| ()).await
}

fn bad() -> ExitReason {
    ExitReason::failed("bad")
}

#[tokio::test(start_paused = true)]
async fn an_exit_of_a_link_ends_a_handler_at_its_next_await_and_the_message_is_lost_with_its_reason() {
    for reason in [bad(), ExitReason::shutdown_with("done")] {
        let (system, expected) = (System::new(), reason.to_string());
        let mut dead = system.subscribe::<DeadLetter>();
        let (mut worker, linked) = (worker(&system).await, scripted(&system).await);
        let handle = worker.address.handle();
        linked.does(move |ctx| ctx.link(&handle)).await.expect("it lives");
        let call = tokio::spawn({
            let address = worker.address.clone();
            async move { address.call(|reply| Msg::Hang(Some(reply))).no_timeout().await }
        });
        worker.until("begins").await;
        let down = worker.address.monitor();
        linked.ends(reason).await;
        assert_eq!(why(down).await, expected);
        assert_eq!(worker.lines(), [format!("terminate: {expected}"), "terminated".into()]);
        let counters = worker.address.counters();
        assert_eq!((counters.lost_in_flight, counters.handled), (1, 0), "{expected}");
        assert!(counters.is_balanced());
        let letter = dead.next().await.expect("the system is there");
        assert!(matches!(letter.reason, DeadLetterReason::InFlight(why) if why.to_string() == expected));
        let told = call.await.expect("it ends well");
        assert!(matches!(told, Err(CallError::Ended(ended, _)) if ended.to_string() == expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_exit_of_a_parent_ends_a_handler_of_its_child_at_its_next_await() {
    let system = System::new();
    let parent = scripted(&system).await;
    let (journal, lines) = mpsc::unbounded_channel();
    let args = Args { trapping: false, hangs_when_told: false, journal };
    let child = parent.does(|ctx| ctx.system().spawn::<Worker>(args).linked_to(ctx).detach());
    let mut child = WorkerProbe { address: child.await.expect("there is a runtime"), journal: lines };
    child.cast(Msg::Hang(None));
    child.until("begins").await;
    let down = child.address.monitor();
    parent.ends(ExitReason::shutdown()).await;
    assert_eq!(why(down).await, "shutdown");
    assert_eq!(child.lines(), ["terminate: shutdown", "terminated"]);
}

#[tokio::test(start_paused = true)]
async fn an_exit_of_a_parent_ends_a_child_that_traps_when_its_handler_has_returned() {
    let system = System::new();
    let parent = scripted(&system).await;
    let (journal, lines) = mpsc::unbounded_channel();
    let args = Args { trapping: true, hangs_when_told: false, journal };
    let child = parent.does(|ctx| ctx.system().spawn::<Worker>(args).linked_to(ctx).detach());
    let mut child = WorkerProbe { address: child.await.expect("there is a runtime"), journal: lines };
    child.cast(Msg::Take);
    child.until("begins").await;
    let down = child.address.monitor();
    parent.ends(bad()).await;
    assert_eq!(why(down).await, "failed: bad");
    assert_eq!(child.lines(), ["handled", "terminate: failed: bad", "terminated"]);
    assert_eq!(child.address.counters().handled, 1);
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_is_trapped_or_normal_waits_until_the_handler_has_returned() {
    for (trapping, reason, told) in
        [(true, bad(), Some("told: failed: bad")), (false, ExitReason::Normal, None)]
    {
        let mut worker = begun(&System::new(), |args| args.trapping = trapping).await;
        worker.cast(Msg::Take);
        worker.until("begins").await;
        worker.exit(reason);
        worker.until("handled").await;
        yield_now().await;
        assert_eq!(worker.lines().first().map(String::as_str), told);
        assert_eq!(worker.address.counters().lost_in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_handler_return_also_if_an_exit_that_does_not_end_it_waits_too() {
    let mut worker = worker(&System::new()).await;
    worker.cast(Msg::Take);
    worker.until("begins").await;
    worker.exit(ExitReason::Normal);
    worker.address.handle().stop(ExitReason::shutdown()).expect("it lives");
    assert_eq!(
        worker.end().await,
        ("shutdown".into(), ["handled", "terminate: shutdown", "terminated"].map(String::from).into())
    );
}

#[tokio::test(start_paused = true)]
async fn an_exit_overtakes_a_stop_that_waits_for_the_handler() {
    let mut worker = worker(&System::new()).await;
    worker.cast(Msg::Hang(None));
    worker.until("begins").await;
    worker.address.handle().stop(ExitReason::shutdown()).expect("it lives");
    yield_now().await;
    worker.exit(bad());
    assert_eq!(worker.end().await.0, "failed: bad");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_awaits_returns_and_its_message_is_handled() {
    let mut worker = worker(&System::new()).await;
    let handle = worker.address.handle();
    let exit = Box::new(move || handle.send_exit(ExitReason::shutdown()).expect("it lives"));
    worker.cast(Msg::Compute(exit));
    let (reason, lines) = worker.end().await;
    assert_eq!(reason, "shutdown");
    assert_eq!(lines, ["begins", "handled", "terminate: shutdown", "terminated"]);
    assert_eq!((worker.address.counters().handled, worker.address.counters().lost_in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_exit_ends_a_handler_once_the_actor_traps_no_more() {
    let mut worker = begun(&System::new(), |args| args.trapping = true).await;
    let begun = Instant::now();
    worker.cast(Msg::Trap(false));
    worker.until("begins").await;
    worker.exit(bad());
    worker.until("terminate: failed: bad").await;
    assert_eq!(begun.elapsed(), SECOND, "at the next await after that");
}

#[tokio::test(start_paused = true)]
async fn an_exit_does_not_end_a_handler_that_has_begun_to_trap() {
    let mut worker = worker(&System::new()).await;
    worker.cast(Msg::Trap(true));
    worker.until("begins").await;
    sleep(SECOND + SECOND / 2).await;
    worker.exit(bad());
    worker.until("handled").await;
    worker.until("told: failed: bad").await;
}

#[tokio::test(start_paused = true)]
async fn an_exit_ends_the_handler_of_a_timer_or_a_signal_and_loses_no_message() {
    let system = System::new();
    let mut worker = worker(&system).await;
    worker.cast(Msg::HangLater);
    worker.until("begins").await;
    worker.until("handled").await;
    worker.until("begins").await;
    worker.exit(bad());
    assert_eq!(worker.end().await.0, "failed: bad");
    assert_eq!((worker.address.counters().handled, worker.address.counters().lost_in_flight), (1, 0));

    let (mut watcher, watched) =
        (begun(&system, |args| args.hangs_when_told = true).await, scripted(&system).await);
    watcher.cast(Msg::Watch(watched.handle()));
    watcher.until("begins").await;
    watcher.until("handled").await;
    watched.ends(ExitReason::Normal).await;
    watcher.until("told").await;
    watcher.exit(bad());
    assert_eq!(watcher.end().await.0, "failed: bad");
    assert_eq!((watcher.address.counters().handled, watcher.address.counters().lost_in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_exit_does_not_cut_a_terminate_short() {
    let mut worker = worker(&System::new()).await;
    worker.address.handle().stop(ExitReason::shutdown()).expect("it lives");
    worker.until("terminate: shutdown").await;
    worker.exit(bad());
    assert_eq!(worker.end().await, ("shutdown".into(), vec!["terminated".into()]));
}

/// Waiting senders and queued messages behind the handler are treated as at any other exit.
#[tokio::test(start_paused = true)]
async fn messages_that_wait_behind_a_handler_that_an_exit_ends_are_dead() {
    let mut worker = worker(&System::new()).await;
    worker.cast(Msg::Hang(None));
    worker.cast(Msg::Take);
    worker.until("begins").await;
    worker.exit(bad());
    assert_eq!(worker.end().await.0, "failed: bad");
    let counters = worker.address.counters();
    assert_eq!((counters.lost_in_flight, counters.dead_lettered, counters.queued), (1, 1, 0));
}
