//! Values whose `Drop` panics, in every place of an actor that can hold a user's value: its exit is
//! reported all the same.

use std::future::pending;
use std::panic::panic_any;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Identity, IncarnationExit, ignore_panic};
use perennial_actors::{Actor, Address, CallError, Context, ExitReason, MailboxConfig, Reply, System};

use crate::support::parent::{Record, recorder};

const HOUR: Duration = Duration::from_secs(3600);

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb was dropped");
    }
}

/// A panic payload that panics when it is dropped, with a payload that does so too.
struct PayloadBomb(u32);

impl Drop for PayloadBomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Self(self.0 - 1));
        }
    }
}

type Step = Box<dyn FnOnce(&mut Context<Scripted>) -> Result<(), ExitReason> + Send>;

enum Msg {
    /// Does something in the handler.
    Do(Step),
    /// Waits for ever, with a bomb among the locals of the handler.
    HangWith(Bomb),
    /// Answers with the number of the incarnation.
    Incarnation(Reply<u32>),
    /// Is never handled.
    Carry(#[allow(dead_code, reason = "it is there to be dropped")] Bomb),
}

struct Scripted {
    #[allow(dead_code, reason = "they are there to be dropped")]
    bombs: Vec<Bomb>,
}

/// A function that runs in each init. The bombs that it returns become the state.
type Init = fn(&mut Context<Scripted>) -> Result<Vec<Bomb>, ExitReason>;

struct Script {
    init: Init,
}

impl Actor for Scripted {
    type Msg = Msg;
    type Args = Script;

    async fn init(script: &Script, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { bombs: (script.init)(ctx)? })
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Do(step) => step(ctx),
            Msg::HangWith(bomb) => {
                let _held = bomb;
                pending().await
            }
            Msg::Incarnation(reply) => {
                reply.send(ctx.pid().incarnation());
                Ok(())
            }
            Msg::Carry(_) => Ok(()),
        }
    }
}

/// An identity whose incarnations a test starts itself.
struct Owned {
    identity: Identity<Msg>,
    script: Arc<Script>,
    record: Record,
    parent: Arc<dyn perennial_actors::host::Parent>,
    runs: u64,
}

impl Owned {
    fn new(mailbox: MailboxConfig, init: Init) -> Self {
        let identity = Identity::new(mailbox);
        identity.open(&System::new(), || "scripted".into());
        let (parent, record) = recorder();
        Self { identity, script: Arc::new(Script { init }), record, parent, runs: 0 }
    }

    async fn start(&mut self) -> Address<Msg> {
        self.begin();
        self.record.started(self.runs).await;
        self.identity.address()
    }

    fn begin(&mut self) {
        self.runs += 1;
        let started = self.identity.start::<Scripted>(self.script.clone(), self.parent.clone(), self.runs);
        started.expect("the identity is open and no incarnation lives");
    }

    async fn ended(&mut self) -> IncarnationExit {
        tokio::time::timeout(HOUR, self.record.ended(self.runs)).await.expect("the parent is notified")
    }

    /// Checks that the next incarnation serves the same mailbox.
    async fn next_serves(&mut self) {
        let address = self.start().await;
        assert_eq!(address.call(Msg::Incarnation).await.expect("it serves"), self.runs as u32);
        address.stop(ExitReason::Normal).expect("it lives");
        self.ended().await;
    }
}

fn step(step: impl FnOnce(&mut Context<Scripted>) -> Result<(), ExitReason> + Send + 'static) -> Msg {
    Msg::Do(Box::new(step))
}

fn no_bombs(_: &mut Context<Scripted>) -> Result<Vec<Bomb>, ExitReason> {
    Ok(Vec::new())
}

/// Schedules a self message of every kind, each with a bomb in it.
fn schedule_everything(ctx: &mut Context<Scripted>) {
    ctx.send_after(HOUR, Msg::Carry(Bomb));
    ctx.start_timer("keyed", HOUR, Msg::Carry(Bomb));
    ctx.idle_timeout(HOUR, Msg::Carry(Bomb));
    let bomb = Bomb;
    ctx.send_interval(HOUR, move || {
        let _ = &bomb;
        Msg::Carry(Bomb)
    });
    let bomb = Bomb;
    ctx.pipe_to_self(
        async move {
            let _held = bomb;
            pending::<()>().await;
        },
        |()| Msg::Carry(Bomb),
    );
    ctx.pipe_to_self(async {}, |()| Msg::Carry(Bomb));
    ctx.pipe_blocking(|| (), |()| Msg::Carry(Bomb));
    ctx.continue_with(Msg::Carry(Bomb));
}

/// A function that ends an incarnation from within its handler.
type Ending = fn(&mut Context<Scripted>) -> Result<(), ExitReason>;

#[tokio::test(start_paused = true)]
async fn an_exit_is_reported_whatever_self_messages_were_scheduled() {
    let ends: [(Ending, &str); 4] = [
        (
            |ctx| {
                ctx.stop(ExitReason::shutdown());
                Ok(())
            },
            "shutdown",
        ),
        (
            |ctx| {
                ctx.address().kill().expect("it lives");
                Ok(())
            },
            "killed",
        ),
        (|_| Err(ExitReason::failed("on purpose")), "failed: on purpose"),
        (|_| panic!("on purpose"), "panicked: on purpose"),
    ];
    for (end, reason) in ends {
        let mut owned = Owned::new(MailboxConfig::default(), no_bombs);
        let address = owned.start().await;
        let monitor = address.monitor();
        let set_and_end = step(move |ctx| {
            schedule_everything(ctx);
            end(ctx)
        });
        assert!(address.cast(set_and_end).is_ok());
        assert_eq!(owned.ended().await.reason.to_string(), reason);
        assert_eq!(monitor.await.reason.to_string(), reason);
        owned.next_serves().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_fails_with_its_reason_whatever_self_messages_its_init_scheduled() {
    let mut owned = Owned::new(MailboxConfig::default(), |ctx| {
        schedule_everything(ctx);
        Err(ExitReason::failed("no start"))
    });
    owned.begin();
    let end = owned.ended().await;
    assert_eq!((end.started, end.reason.to_string()), (false, "failed: no start".to_owned()));

    let init_panics = |ctx: &mut Context<Scripted>| {
        schedule_everything(ctx);
        panic_any(PayloadBomb(3))
    };
    let mut owned = Owned::new(MailboxConfig::default(), init_panics);
    owned.begin();
    let end = owned.ended().await;
    assert!(!end.started && matches!(end.reason, ExitReason::Panicked(_)), "{:?}", end.reason);
}

#[tokio::test(start_paused = true)]
async fn a_killed_handler_and_the_state_may_both_panic_when_they_are_dropped() {
    let mut owned = Owned::new(MailboxConfig::default(), |_| Ok(vec![Bomb]));
    let address = owned.start().await;
    let monitor = address.monitor();
    assert!(address.cast(Msg::HangWith(Bomb)).is_ok());
    tokio::task::yield_now().await;
    address.kill().expect("it lives");
    let reason = owned.ended().await.reason.to_string();
    assert_eq!(reason, "panicked: a bomb was dropped", "of the state, as for any other end");
    assert_eq!(monitor.await.reason.to_string(), reason);
    owned.begin();
    owned.record.started(2).await;
}

#[test]
fn a_runtime_that_goes_away_ends_an_incarnation_whose_locals_state_and_timers_all_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let address = runtime.block_on(async {
        let mut owned = Owned::new(MailboxConfig::default(), |ctx| {
            ctx.send_after(HOUR, Msg::Carry(Bomb));
            ctx.start_timer("keyed", HOUR, Msg::Carry(Bomb));
            Ok(vec![Bomb])
        });
        let address = owned.start().await;
        assert!(address.cast(Msg::HangWith(Bomb)).is_ok());
        tokio::task::yield_now().await;
        address
    });
    let monitor = address.monitor();
    drop(runtime);
    let waiting = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(waiting.block_on(monitor).reason.to_string(), "killed");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_panics_when_it_is_dropped_is_a_panic_like_any_other() {
    for chain in [1, 3, 100] {
        let mut owned = Owned::new(MailboxConfig::default(), no_bombs);
        let address = owned.start().await;
        assert!(address.cast(step(move |_| panic_any(PayloadBomb(chain)))).is_ok());
        assert_eq!(owned.ended().await.reason.to_string(), "panicked: a payload that is no text");
        owned.next_serves().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_of_a_piped_future_that_panics_when_it_is_dropped_is_delivered_to_the_actor() {
    for blocking in [false, true] {
        let mut owned = Owned::new(MailboxConfig::default(), no_bombs);
        let address = owned.start().await;
        let pipe = step(move |ctx| {
            if blocking {
                ctx.pipe_blocking(|| panic_any(PayloadBomb(2)), |()| Msg::Carry(Bomb));
            } else {
                ctx.pipe_to_self(async { panic_any(PayloadBomb(2)) }, |()| Msg::Carry(Bomb));
            }
            Ok(())
        });
        assert!(address.cast(pipe).is_ok());
        assert_eq!(owned.ended().await.reason.to_string(), "panicked: a payload that is no text");
        owned.next_serves().await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_panic_when_discarded_do_not_stop_the_notification_of_watchers() {
    let mut owned = Owned::new(MailboxConfig::default().discard_on_restart(), no_bombs);
    let address = owned.start().await;
    let monitor = address.monitor();
    assert!(address.cast(step(|_| Err(ExitReason::failed("on purpose")))).is_ok());
    for _ in 0..3 {
        assert!(address.cast(Msg::Carry(Bomb)).is_ok());
    }
    let call = tokio::spawn({
        let address = address.clone();
        async move { address.call(Msg::Incarnation).await.map_err(|error| matches!(error, CallError::Ended(..))) }
    });
    assert_eq!(owned.ended().await.reason.to_string(), "failed: on purpose");
    assert_eq!(monitor.await.reason.to_string(), "failed: on purpose");
    owned.next_serves().await;
    assert!(
        call.await.expect("it does not panic").is_ok_and(|incarnation| incarnation == 2),
        "it came after the crash"
    );
    assert!(owned.identity.address().handle().counters().is_balanced());
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_is_closed_whatever_waits_in_it() {
    let mut owned = Owned::new(MailboxConfig::default(), no_bombs);
    let address = owned.identity.address();
    let monitor = address.monitor();
    for _ in 0..3 {
        assert!(address.cast(Msg::Carry(Bomb)).is_ok());
    }
    assert!(owned.identity.close(&ExitReason::shutdown()).is_some());
    assert_eq!(monitor.await.reason.to_string(), "shutdown");
    assert!(matches!(address.call(Msg::Incarnation).await, Err(CallError::Closed(_))));
    tokio::task::yield_now().await;
    assert!(address.handle().counters().is_balanced());
    owned.identity.open(&System::new(), || "again".into());
    owned.next_serves().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_panics_when_no_caller_takes_it_changes_no_exit() {
    struct Deferring;
    impl Actor for Deferring {
        type Msg = Reply<Bomb>;
        type Args = ();
        async fn init(_: &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }
        async fn handle(&mut self, reply: Reply<Bomb>, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
            ctx.stop_and_reply(ExitReason::Normal, reply, Bomb);
            pending().await
        }
    }
    let (address, monitor) = System::new().spawn::<Deferring>(()).detach_monitored().expect("a runtime");
    let given_up = address.call(|reply| reply).timeout(Duration::from_millis(1)).await;
    assert!(matches!(given_up, Err(CallError::TimedOut(_))));
    address.kill().expect("it lives");
    assert_eq!(monitor.await.reason.to_string(), "killed");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_dropped_is_delivered_to_all_and_dropped_by_none() {
    #[derive(Debug)]
    struct Heavy(#[allow(dead_code, reason = "it is there to be dropped")] DebugBomb);
    struct DebugBomb;
    impl std::fmt::Debug for DebugBomb {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("a Debug that panics")
        }
    }
    impl Drop for DebugBomb {
        fn drop(&mut self) {
            panic!("an error was dropped");
        }
    }
    impl std::fmt::Display for Heavy {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("a Display that panics")
        }
    }
    impl std::error::Error for Heavy {}

    let mut owned = Owned::new(MailboxConfig::default(), no_bombs);
    let address = owned.start().await;
    let monitor = address.monitor();
    assert!(address.cast(step(|_| Err(Heavy(DebugBomb).into()))).is_ok());
    assert!(matches!(owned.ended().await.reason, ExitReason::Failed(_)));
    assert!(matches!(monitor.await.reason, ExitReason::Failed(_)));
    owned.next_serves().await;
}

#[test]
fn without_a_runtime_a_bomb_is_dropped_at_once_under_a_guard() {
    ignore_panic(|| drop(Bomb));
    perennial_actors::host::dispose(Bomb);
    let error = ExitReason::failed("text");
    drop(error);
}
