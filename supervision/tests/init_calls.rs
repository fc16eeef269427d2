//! What an init that calls a sibling is told when that sibling is down and waits for this very init.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::{
    Actor, Address, CallError, Context, ExitReason, MailboxConfig, Reply, SendError, System,
};
use perennial_supervision::{App, Child, Strategy, Supervisor, SupervisorHandle};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

/// What a child is asked, and what it does: it answers with its incarnation, or crashes.
enum Msg {
    Get(Reply<u32>),
    Crash,
}

struct Sibling(u32);

impl Actor for Sibling {
    type Msg = Msg;
    type Args = ();

    async fn init(_: &(), ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self(ctx.pid().incarnation()))
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Get(reply) => reply.send(self.0),
            Msg::Crash => return Err(ExitReason::failed("on purpose")),
        }
        Ok(())
    }
}

type Init = Arc<dyn Fn(u32) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Does in its init what its test tells it.
struct Initiate;

impl Actor for Initiate {
    type Msg = ();
    type Args = Init;

    async fn init(init: &Init, ctx: &mut Context<Self>) -> Result<Self, ExitReason> {
        init(ctx.pid().incarnation()).await;
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Err(ExitReason::failed("on purpose"))
    }
}

/// A child that does this in its init, given the number of its incarnation.
fn that<F: Future<Output = ()> + Send + 'static>(
    id: &str,
    init: impl Fn(u32) -> F + Send + Sync + 'static,
) -> Child<()> {
    Child::new::<Initiate>(id, Arc::new(move |number| Box::pin(init(number))))
}

async fn crash(sibling: &Address<Msg>) {
    let down = sibling.monitor();
    sibling.cast(Msg::Crash).expect("it is up");
    down.await;
}

async fn started(tree: Supervisor) -> App<SupervisorHandle> {
    let system = System::new();
    let start = tree.intensity(9, Duration::from_secs(5)).start(&system);
    timeout(Duration::from_secs(3_600), start).await.expect("it does not hang").expect("it starts")
}

async fn get(sibling: &Address<Msg>) -> Result<u32, CallError<Msg>> {
    sibling.call(Msg::Get).no_timeout().await
}

#[tokio::test(start_paused = true)]
async fn an_init_that_calls_a_sibling_that_has_just_crashed_in_the_first_start_gets_its_message_back() {
    let elder = Child::new::<Sibling>("elder", ());
    let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
    let younger = that("younger", {
        let address = address.clone();
        move |_| {
            let (address, tell) = (address.clone(), tell.clone());
            async move {
                crash(&address).await;
                tell.send(get(&address).await).expect("the test waits");
            }
        }
    });
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    let error = told.recv().await.expect("it tells").expect_err("the elder is down until it returns");
    assert!(matches!(error, CallError::WouldDeadlock(_)), "{error:?}");
    assert_eq!(error.target().label(), Some("app/elder"));
    assert_eq!(get(&address).await.expect("it is back"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_that_waits_for_a_sibling_when_that_crashes_is_told_at_once() {
    let elder = Child::new::<Sibling>("elder", ());
    let (address, (tell, mut told), begun) = (elder.address(), mpsc::unbounded_channel(), Instant::now());
    let (has_begun, mut begins) = mpsc::unbounded_channel();
    let younger = that("younger", {
        let address = address.clone();
        move |_| {
            let (address, tell, has_begun) = (address.clone(), tell.clone(), has_begun.clone());
            async move {
                // A message that stays in the mailbox behind the one that crashes the elder.
                address.cast(Msg::Crash).expect("it is up");
                let kept = address.call(Msg::Get).no_timeout();
                has_begun.send(()).expect("the test waits");
                tell.send(kept.await).expect("the test waits");
            }
        }
    });
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    begins.recv().await.expect("it begins");
    let error = told.recv().await.expect("it tells").expect_err("the elder is down until it returns");
    assert!(matches!(error, CallError::Deadlock(_)), "{error:?}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // The call is handled by the next incarnation all the same, and nobody sees its answer.
    assert_eq!(get(&address).await.expect("it is back"), 2);
    assert_eq!((address.counters().handled, address.counters().lost_in_flight), (2, 1));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_that_calls_a_sibling_that_is_started_after_it_gets_its_message_back() {
    let younger = Child::new::<Sibling>("younger", ());
    let (address, (tell, mut told)) = (younger.address(), mpsc::unbounded_channel());
    let elder = that("elder", {
        let address = address.clone();
        move |_| {
            let (address, tell) = (address.clone(), tell.clone());
            async move { tell.send(get(&address).await).expect("the test waits") }
        }
    });
    let tree = Supervisor::new("app").strategy(Strategy::OneForAll).child(elder).child(younger);
    let app = started(tree).await;
    let first = told.recv().await.expect("it tells");
    assert!(matches!(first, Err(CallError::WouldDeadlock(_))), "{first:?}");
    // And so in the restart of a group.
    crash(&address).await;
    let second = told.recv().await.expect("it tells");
    assert!(matches!(second, Err(CallError::WouldDeadlock(_))), "{second:?}");
    assert_eq!(get(&address).await.expect("it is back"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_below_a_supervisor_that_calls_a_sibling_of_that_supervisor_gets_its_message_back() {
    let elder = Child::new::<Sibling>("elder", ());
    let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
    let leaf = that("leaf", {
        let address = address.clone();
        move |_| {
            let (address, tell) = (address.clone(), tell.clone());
            async move {
                crash(&address).await;
                tell.send(get(&address).await).expect("the test waits");
            }
        }
    });
    let inner = Supervisor::new("inner").child(Supervisor::new("innermost").child(leaf));
    let app = started(Supervisor::new("app").child(elder).child(inner)).await;
    let result = told.recv().await.expect("it tells");
    assert!(matches!(result, Err(CallError::WouldDeadlock(_))), "{result:?}");
    assert_eq!(get(&address).await.expect("it is back"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_that_calls_a_child_of_a_supervisor_that_was_killed_meanwhile_gets_its_message_back() {
    let child = Child::new::<Sibling>("child", ());
    let (address, (tell, mut told)) = (child.address(), mpsc::unbounded_channel());
    let elder = Supervisor::new("elder").child(child);
    let supervisor = elder.handle().handle();
    let younger = that("younger", {
        let address = address.clone();
        move |_| {
            let (address, supervisor, tell) = (address.clone(), supervisor.clone(), tell.clone());
            async move {
                let down = supervisor.monitor();
                supervisor.kill().expect("it lives");
                down.await;
                tell.send(get(&address).await).expect("the test waits");
            }
        }
    });
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    let result = told.recv().await.expect("it tells");
    assert!(matches!(result, Err(CallError::WouldDeadlock(_))), "{result:?}");
    assert_eq!(get(&address).await.expect("it is back"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_that_waits_for_room_in_the_mailbox_of_a_sibling_that_crashes_is_told_at_once() {
    let elder = Child::new::<Sibling>("elder", ()).mailbox(MailboxConfig::bounded(1));
    let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
    let younger = that("younger", {
        let address = address.clone();
        move |_| {
            let (address, tell) = (address.clone(), tell.clone());
            async move {
                crash(&address).await;
                address.cast(Msg::Crash).expect("there is room for one");
                let sent = address.send(Msg::Crash).await.expect_err("it is full, and nobody makes room");
                let place = address.reserve().await.expect_err("it is full, and nobody makes room");
                tell.send((sent, place)).expect("the test waits");
            }
        }
    });
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    let (sent, place) = told.recv().await.expect("it tells");
    assert!(matches!(sent, SendError::WouldDeadlock(_)) && matches!(place, SendError::WouldDeadlock(_)));
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_an_init_has_spawned_waits_for_a_sibling_that_crashes() {
    let elder = Child::new::<Sibling>("elder", ());
    let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
    let younger = that("younger", {
        let address = address.clone();
        move |_| {
            let (address, tell) = (address.clone(), tell.clone());
            async move {
                crash(&address).await;
                tokio::spawn(async move { tell.send(get(&address).await).expect("the test waits") });
            }
        }
    });
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    assert_eq!(told.recv().await.expect("it tells").expect("it is back by then"), 2);
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_init_that_is_restarted_by_itself_waits_for_a_sibling_that_is_restarted_too() {
    let (elder, gate) = (Child::new::<Sibling>("elder", ()), Arc::new(Semaphore::new(0)));
    let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
    let younger = that("younger", {
        let (address, gate) = (address.clone(), gate.clone());
        move |number| {
            let (address, tell, gate) = (address.clone(), tell.clone(), gate.clone());
            async move {
                if number > 1 {
                    gate.acquire().await.expect("it is open").forget();
                    crash(&address).await;
                    tell.send(get(&address).await).expect("the test waits");
                }
            }
        }
    });
    let restarted = younger.address();
    let app = started(Supervisor::new("app").child(elder).child(younger)).await;
    let down = restarted.monitor();
    restarted.cast(()).expect("it is up");
    down.await;
    gate.add_permits(1);
    assert_eq!(told.recv().await.expect("it tells").expect("one for one, it is back by itself"), 2);
    assert!(app.shutdown().await.is_clean());
}

/// Where siblings have to do with each other, a start by hand holds up the restart of those that are down.
#[tokio::test(start_paused = true)]
async fn an_init_of_a_child_that_is_started_by_hand_and_calls_a_sibling_that_has_crashed_gets_its_message_back()
 {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let elder = Child::new::<Sibling>("elder", ());
        let (address, (tell, mut told)) = (elder.address(), mpsc::unbounded_channel());
        let younger = that("younger", {
            let address = address.clone();
            move |number| {
                let (address, tell) = (address.clone(), tell.clone());
                async move {
                    if number % 2 == 1 {
                        crash(&address).await;
                        tell.send(get(&address).await).expect("the test waits");
                    }
                }
            }
        });
        let app = started(Supervisor::new("app").strategy(strategy).child(elder)).await;
        let start = timeout(Duration::from_secs(3_600), app.supervisor().start_child(younger));
        start.await.expect("it does not hang").expect("it starts");
        let first = told.recv().await.expect("it tells");
        assert!(matches!(first, Err(CallError::WouldDeadlock(_))), "{strategy:?}: {first:?}");
        assert_eq!(get(&address).await.expect("it is back"), 2);
        // The restart of the elder took the younger along. Another start by hand is its third.
        app.supervisor().terminate_child("younger").await.expect("it is stopped");
        let restart = timeout(Duration::from_secs(3_600), app.supervisor().restart_child("younger"));
        restart.await.expect("it does not hang").expect("it starts");
        let second = told.recv().await.expect("it tells");
        assert!(matches!(second, Err(CallError::WouldDeadlock(_))), "{strategy:?}: {second:?}");
        assert_eq!(get(&address).await.expect("it is back"), 3);
        assert!(app.shutdown().await.is_clean());
    }
}
