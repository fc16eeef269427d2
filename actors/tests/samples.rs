//! The times of single messages, and calls that time out, as events of the system.

use std::time::Duration;

use perennial_actors::{
    Actor, Address, CallError, CallTimedOut, Context, ExitReason, HandlerSample, Reply, Subscription, System,
};
use tokio::time::sleep;

enum Msg {
    Sleep(Duration),
    Ping(Reply<()>),
    Fail,
}

struct Unit;

impl Actor for Unit {
    type Msg = Msg;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, msg: Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match msg {
            Msg::Sleep(time) => sleep(time).await,
            Msg::Ping(reply) => reply.send(()),
            Msg::Fail => return Err("on purpose".into()),
        }
        Ok(())
    }
}

fn all<T: Clone>(mut events: Subscription<T>) -> Vec<T> {
    std::iter::from_fn(|| events.try_next()).collect()
}

/// Starts an actor and has it handle the 254 messages before the one that asks for a time.
async fn nearly_sampled(system: &System) -> Address<Msg> {
    let unit = system.spawn::<Unit>(()).label("unit").await.expect("it starts");
    for _ in 0..254 {
        unit.call(Msg::Ping).await.expect("it answers");
    }
    unit
}

#[tokio::test(start_paused = true)]
async fn time_of_a_handler_and_the_wait_of_its_message_are_those_of_the_same_message() {
    let system = System::new();
    let samples = system.subscribe::<HandlerSample>();
    let unit = nearly_sampled(&system).await;
    assert!(unit.cast(Msg::Sleep(Duration::from_secs(2))).is_ok());
    tokio::task::yield_now().await;
    // While the first is being handled, the time of the next is asked for.
    assert!(unit.cast(Msg::Sleep(Duration::from_secs(3))).is_ok());
    unit.call(Msg::Ping).no_timeout().await.expect("it answers");
    let [sample] = &all(samples)[..] else { panic!("there is one") };
    assert_eq!((sample.waited, sample.handled_in), (Duration::from_secs(2), Duration::from_secs(3)));
    assert_eq!((&*sample.label, Some(sample.pid)), ("unit", unit.pid()));
}

#[tokio::test(start_paused = true)]
async fn one_of_256_messages_of_an_actor_is_sampled_while_there_is_a_subscriber() {
    let system = System::new();
    let samples = system.subscribe::<HandlerSample>();
    let unit = system.spawn::<Unit>(()).await.expect("it starts");
    for _ in 0..1_024 {
        unit.call(Msg::Ping).await.expect("it answers");
    }
    assert_eq!(all(samples).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn handler_that_fails_has_no_time() {
    let system = System::new();
    let samples = system.subscribe::<HandlerSample>();
    let unit = nearly_sampled(&system).await;
    let exit = unit.monitor();
    unit.call(Msg::Ping).await.expect("it answers");
    assert!(unit.cast(Msg::Fail).is_ok());
    exit.await;
    assert!(all(samples).is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_call_that_times_out_is_published() {
    let system = System::new();
    let timed_out = system.subscribe::<CallTimedOut>();
    let unit = system.spawn::<Unit>(()).label("unit").await.expect("it starts");
    assert!(unit.cast(Msg::Sleep(Duration::from_secs(60))).is_ok());
    for _ in 0..3 {
        let called = unit.call(Msg::Ping).timeout(Duration::from_secs(1)).await;
        assert!(matches!(called, Err(CallError::TimedOut(_))));
    }
    unit.call(Msg::Ping).no_timeout().await.expect("it answers");
    let labels: Vec<_> = all(timed_out).into_iter().map(|call| call.label.to_string()).collect();
    assert_eq!(labels, ["unit"; 3]);
}
