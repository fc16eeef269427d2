//! Messages, mailboxes, handlers, dead letters and deadlocks.

use std::time::Duration;

use perennial_actors::{Address, MailboxConfig, OverflowPolicy, System};
use perennial_operations::{Metrics, Operations};
use perennial_supervision::{Child, Supervisor};

use crate::recorded::Recorded;
use crate::unit::{Msg, Unit};

#[tokio::test(start_paused = true)]
async fn messages_are_counted_by_outcome() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let child = Child::new::<Unit>("unit", true);
    let unit = child.address();
    let app = Supervisor::new("app").child(child).start(&system).await.expect("it starts");
    unit.call(Msg::Ping).await.expect("it answers");
    unit.cast(Msg::Fail).expect("it is open");
    unit.call(Msg::Ping).await.expect("it answers");
    unit.cast(Msg::Sleep(Duration::from_secs(60))).expect("it is open");
    unit.cast(Msg::Stop).expect("it is open");
    unit.cast(Msg::Stop).expect("it is open");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let outcome = |seen: &Recorded, outcome: &str| {
        seen.value(&format!("messages_total{{actor=app/unit,outcome={outcome}}}"))
    };
    let seen = Recorded::collect(&metrics);
    assert_eq!((outcome(&seen, "handled"), outcome(&seen, "lost_in_flight")), (Some(2.0), Some(1.0)));
    assert_eq!(outcome(&seen, "dead_lettered"), None);
    assert_eq!(seen.value("mailbox_messages{actor=app/unit}"), Some(3.0));
    assert_eq!(seen.value("dead_letters_total{reason=in_flight}"), Some(1.0));
    drop(app.shutdown().await);
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("mailbox_messages{actor=app/unit}"), Some(0.0));
    let stats = system.counters();
    for (name, number) in [
        ("handled", stats.handled),
        ("lost_in_flight", stats.lost_in_flight),
        ("dead_lettered", stats.dead_lettered),
    ] {
        assert_eq!(seen.sum("messages_total", &format!("outcome={name}")), number as f64, "{name}");
    }
    assert_eq!(seen.value("dead_letters_total{reason=unhandled}"), Some(2.0));
}

#[tokio::test(start_paused = true)]
async fn overflow_is_a_dead_letter_with_that_reason() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let mailbox = MailboxConfig::bounded(1).overflow(OverflowPolicy::DropOldest);
    let unit = system.spawn::<Unit>(true).mailbox(mailbox).label("unit").await.expect("it starts");
    for _ in 0..3 {
        unit.cast(Msg::Stop).expect("the oldest is dropped");
    }
    assert_eq!(Recorded::collect(&metrics).value("dead_letters_total{reason=overflow}"), Some(2.0));
}

#[tokio::test(start_paused = true)]
async fn age_of_the_oldest_message_and_of_a_handler_are_lower_bounds() {
    let system = System::new();
    let metrics = Metrics::of(&system);
    let unit = system.spawn::<Unit>(true).label("unit").await.expect("it starts");
    unit.cast(Msg::Sleep(Duration::from_secs(60))).expect("it is open");
    unit.cast(Msg::Stop).expect("it is open");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("handler_busy_seconds{actor=unit}"), Some(2.0));
    assert_eq!(seen.value("mailbox_oldest_seconds{actor=unit}"), Some(0.0));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("handler_busy_seconds{actor=unit}"), Some(7.0));
    assert_eq!(seen.value("mailbox_oldest_seconds{actor=unit}"), Some(5.0));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let seen = Recorded::collect(&metrics);
    assert_eq!(seen.value("handler_busy_seconds{actor=unit}"), Some(0.0), "it is gone");
}

#[tokio::test(start_paused = true)]
async fn deadlocks_are_counted_while_the_system_is_watched() {
    use perennial_actors::{Actor, Context, ExitReason, Reply};

    struct Caller;
    enum Ask {
        Call(Address<Self>),
        Answer(Reply<()>),
    }
    impl Actor for Caller {
        type Msg = Ask;
        type Args = ();
        async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
            Ok(Self)
        }
        async fn handle(&mut self, msg: Ask, _: &mut Context<Self>) -> Result<(), ExitReason> {
            match msg {
                Ask::Call(other) => drop(other.call(Ask::Answer).await),
                Ask::Answer(reply) => reply.send(()),
            }
            Ok(())
        }
    }
    let system = System::new();
    let metrics = Metrics::of(&system);
    let watch = Operations::of(&system).watch_deadlocks();
    let one = system.spawn::<Caller>(()).await.expect("it starts");
    let other = system.spawn::<Caller>(()).await.expect("it starts");
    one.cast(Ask::Call(other.clone())).map_err(drop).expect("it is open");
    other.cast(Ask::Call(one)).map_err(drop).expect("it is open");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(Recorded::collect(&metrics).value("deadlocks_total"), Some(1.0));
    drop(watch);
}
