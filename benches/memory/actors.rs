//! Operations of actors on each other and on themselves.

use std::future::{IntoFuture, ready};
use std::pin::pin;
use std::time::Duration;

use perennial::prelude::*;
use perennial::{CallError, DeadLetter, LifecycleEvent, PanicLocations};

use crate::meter::Meter;
use crate::support::{Msg, Worker, end, have, is_pending, ping, spawn};

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);

pub(crate) async fn spawn_and_stop(mut meter: Meter) -> Meter {
    let system = System::new();
    while meter.next().is_some() {
        end(spawn(&system).await).await;
    }
    meter
}

pub(crate) async fn timers_that_fire(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    while let Some(time) = meter.next() {
        have(&worker, |ctx| {
            let _ = ctx.send_after(MOMENT, Msg::Nothing);
        })
        .await;
        if time % 100 == 0 {
            tokio::time::sleep(2 * MOMENT).await;
        }
    }
    meter
}

pub(crate) async fn timers_cancelled(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    while meter.next().is_some() {
        have(&worker, |ctx| {
            let timer = ctx.send_after(HOUR, Msg::Nothing);
            assert!(ctx.cancel_timer(timer).is_some());
        })
        .await;
    }
    meter
}

pub(crate) async fn timers_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    while meter.next().is_some() {
        let worker = spawn(&system).await;
        have(&worker, |ctx| {
            let _ = ctx.send_after(HOUR, Msg::Nothing);
        })
        .await;
        end(worker).await;
    }
    meter
}

/// Subscribes to the events of a system and unsubscribes.
pub(crate) async fn event_listeners(mut meter: Meter) -> Meter {
    let system = System::new();
    while let Some(time) = meter.next() {
        let (events, letters) = (system.subscribe::<LifecycleEvent>(), system.subscribe::<DeadLetter>());
        if time % 100 == 0 {
            end(spawn(&system).await).await;
        }
        drop((events, letters));
    }
    meter
}

pub(crate) async fn links(mut meter: Meter) -> Meter {
    let system = System::new();
    let (one, other) = (spawn(&system).await, spawn(&system).await);
    while meter.next().is_some() {
        let handle = other.handle();
        have(&one, move |ctx| {
            ctx.link(&handle).expect("it lives");
            ctx.unlink(&handle);
        })
        .await;
    }
    meter
}

pub(crate) async fn links_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    let survivor = spawn(&system).await;
    while meter.next().is_some() {
        let worker = spawn(&system).await;
        let handle = survivor.handle();
        have(&worker, move |ctx| ctx.link(&handle).expect("it lives")).await;
        end(worker).await;
    }
    meter
}

/// Removes monitors before they fire: those of a task and those of an actor.
pub(crate) async fn monitors(mut meter: Meter) -> Meter {
    let system = System::new();
    let (one, other) = (spawn(&system).await, spawn(&system).await);
    while meter.next().is_some() {
        drop(other.monitor());
        let handle = other.handle();
        have(&one, move |ctx| {
            let monitor = ctx.monitor(&handle);
            assert!(ctx.demonitor(monitor));
        })
        .await;
    }
    meter
}

/// Monitors an actor that ends, and has it monitor another.
pub(crate) async fn monitors_of_actors_that_end(mut meter: Meter) -> Meter {
    let system = System::new();
    let survivor = spawn(&system).await;
    while meter.next().is_some() {
        let worker = spawn(&system).await;
        let (by_one, of_one) = (survivor.handle(), worker.handle());
        have(&worker, move |ctx| {
            let _ = ctx.monitor(&by_one);
        })
        .await;
        have(&survivor, move |ctx| {
            let _ = ctx.monitor(&of_one);
        })
        .await;
        end(worker).await;
    }
    meter
}

pub(crate) async fn pipes(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    while meter.next().is_some() {
        have(&worker, |ctx| drop(ctx.pipe_to_self(ready(()), Msg::from))).await;
        ping(&worker).await;
    }
    meter
}

/// Drops calls that wait for a reply, long before their timeouts.
pub(crate) async fn calls_given_up(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    while let Some(time) = meter.next() {
        {
            let call = pin!(worker.call(Msg::Keep).timeout(HOUR).into_future());
            assert!(is_pending(call).await);
        }
        if time % 10 == 0 {
            ping(&worker).await;
        }
    }
    meter
}

pub(crate) async fn calls_that_time_out(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    while meter.next().is_some() {
        let told = worker.call(Msg::Keep).timeout(MOMENT).await;
        assert!(matches!(told, Err(CallError::TimedOut(_))));
    }
    meter
}

/// Polls one call again and again. Its reply was dropped, and its handler has not returned.
pub(crate) async fn polls_of_a_call(mut meter: Meter) -> Meter {
    let worker = spawn(&System::new()).await;
    let mut call = pin!(worker.call(Msg::Hang).no_timeout().into_future());
    while meter.next().is_some() {
        assert!(is_pending(call.as_mut()).await);
        if meter.is_first() {
            tokio::task::yield_now().await;
        }
    }
    meter
}

/// Drops sends and reservations that wait for room.
pub(crate) async fn sends_given_up(mut meter: Meter) -> Meter {
    let system = System::new();
    let full = system.spawn::<Worker>(()).mailbox(MailboxConfig::bounded(1));
    let full = full.await.expect("it starts");
    full.cast(Msg::Nothing).expect("there is room for one");
    while meter.next().is_some() {
        assert!(is_pending(pin!(full.send(Msg::Nothing))).await);
        assert!(is_pending(pin!(full.reserve())).await);
    }
    meter
}

/// Panics in threads that belong to no system.
pub(crate) async fn threads_that_panic(mut meter: Meter) -> Meter {
    std::panic::set_hook(Box::new(|_| ()));
    let system = System::builder().panic_locations(PanicLocations::install()).build();
    while meter.next().is_some() {
        let thread = std::thread::spawn(|| panic!("outside of every actor"));
        assert!(thread.join().is_err());
    }
    drop(system);
    meter
}
