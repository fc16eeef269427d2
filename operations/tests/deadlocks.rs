//! Calls that wait for each other in a circle.

use std::time::Duration;

use perennial_actors::{Actor, Address, Context, ExitReason, Reply, System};
use perennial_operations::{EventKind, Events, Operations, Update, WaitingActor};
use perennial_supervision::{Child, Supervisor};
use tokio::time::Instant;

enum Msg {
    /// Call another actor in the handler.
    Call(Address<Self>, Duration),
    /// Call another actor in a task of the actor.
    Pipe(Address<Self>),
    /// Answer after this time.
    Answer(Duration, Reply<()>),
    Done,
}

struct Caller;

impl Actor for Caller {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, ctx: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Call(callee, time) => {
                let call = callee.call(|reply| Msg::Answer(time, reply)).timeout(Duration::from_secs(10));
                // The error of a deadlock is that it times out.
                drop(call.await);
            }
            Msg::Pipe(callee) => {
                let call = callee.call(|reply| Msg::Answer(Duration::from_secs(3), reply));
                ctx.pipe_to_self(async move { drop(call.await) }, |()| Msg::Done);
            }
            Msg::Answer(time, reply) => {
                tokio::time::sleep(time).await;
                reply.send(());
            }
            Msg::Done => {}
        }
        Ok(())
    }
}

/// Returns the next deadlock within some time, and when it was reported.
async fn next_deadlock(events: &mut Events, within: Duration) -> Option<(Vec<WaitingActor>, Instant)> {
    let found = async {
        loop {
            if let Update::Event(event) = events.next().await {
                if let EventKind::Deadlock { cycle } = event.kind {
                    return (cycle, Instant::now());
                }
            }
        }
    };
    tokio::time::timeout(within, found).await.ok()
}

#[tokio::test(start_paused = true)]
async fn circle_of_three_calls_is_reported_once_within_a_second_with_the_three_names() {
    let system = System::new();
    let children = ["accounts", "billing", "contracts"].map(|id| Child::new::<Caller>(id, ()));
    let [a, b, c] = [0, 1, 2].map(|at: usize| children[at].address());
    let app = Supervisor::new("app").children(children).start(&system).await.expect("it starts");
    let operations = Operations::of(&system);
    let _watch = operations.watch_deadlocks();
    let mut events = operations.events();
    let call = |from: &Address<Msg>, to: &Address<Msg>| {
        from.cast(Msg::Call(to.clone(), Duration::ZERO)).expect("it is open");
    };
    call(&a, &b);
    call(&b, &c);
    let early = next_deadlock(&mut events, Duration::from_secs(3)).await;
    assert_eq!(early, None, "a chain is no circle");
    // Those two calls have been answered.
    call(&a, &b);
    call(&b, &c);
    call(&c, &a);
    let began = Instant::now();
    let (cycle, at) = next_deadlock(&mut events, Duration::from_secs(5)).await.expect("it is reported");
    assert!(at - began <= Duration::from_secs(1), "it took {:?}", at - began);
    let names: Vec<&str> = cycle.iter().map(|actor| &*actor.label).collect();
    assert_eq!(names, ["app/accounts", "app/billing", "app/contracts"]);
    assert!(cycle.iter().all(|actor| actor.waited >= Duration::from_millis(500) && actor.pid.is_some()));
    let again = next_deadlock(&mut events, Duration::from_secs(8)).await;
    assert_eq!(again, None, "it is reported once");
    // The calls have timed out. A new circle is a new deadlock.
    tokio::time::sleep(Duration::from_secs(5)).await;
    call(&a, &b);
    call(&b, &a);
    let (cycle, _) = next_deadlock(&mut events, Duration::from_secs(5)).await.expect("it is reported");
    assert_eq!(cycle.len(), 2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn piped_calls_and_slow_answers_are_no_deadlock() {
    let system = System::new();
    let operations = Operations::of(&system);
    let _watch = operations.watch_deadlocks();
    let mut events = operations.events();
    let a = system.spawn::<Caller>(()).await.expect("it starts");
    let b = system.spawn::<Caller>(()).await.expect("it starts");
    a.cast(Msg::Pipe(b.clone())).expect("it is open");
    b.cast(Msg::Call(a.clone(), Duration::from_secs(3))).expect("it is open");
    assert_eq!(next_deadlock(&mut events, Duration::from_secs(20)).await, None);
}

#[tokio::test(start_paused = true)]
async fn system_that_is_not_watched_records_no_waits() {
    let system = System::new();
    let a = system.spawn::<Caller>(()).await.expect("it starts");
    let b = system.spawn::<Caller>(()).await.expect("it starts");
    a.cast(Msg::Call(b.clone(), Duration::from_secs(9))).expect("it is open");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let watch = system.watch_calls();
    assert!(watch.waits(Duration::ZERO).is_empty(), "the call began before");
    b.cast(Msg::Call(a.clone(), Duration::from_secs(9))).expect("it is open");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let waits = watch.waits(Duration::ZERO);
    let callers: Vec<_> = waits.iter().map(|wait| (wait.caller.clone(), wait.callee.clone())).collect();
    assert_eq!(callers, [(b.handle(), a.handle())]);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(watch.waits(Duration::ZERO).is_empty(), "the call has ended");
}
