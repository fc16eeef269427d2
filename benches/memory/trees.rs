//! Operations of supervisors and pools.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use perennial::DynamicSupervisor;
use perennial::pool::Pool;
use perennial::prelude::*;

use crate::meter::Meter;
use crate::support::{Msg, Worker, ping};

/// Crashes a child, which is restarted. Only restarts of the last millisecond count as recent.
pub(crate) async fn crashes(mut meter: Meter) -> Meter {
    let child = Child::new::<Worker>("worker", ());
    let address = child.address();
    let tree = Supervisor::new("app").intensity(u32::MAX, Duration::from_millis(1)).child(child);
    let app = tree.start(&System::new()).await.expect("it starts");
    while meter.next().is_some() {
        address.cast(Msg::Crash).expect("it is due");
        ping(&address).await;
    }
    drop(app);
    meter
}

/// Starts, stops and deletes children, each with an id of its own.
pub(crate) async fn children(mut meter: Meter) -> Meter {
    let app = Supervisor::new("app").start(&System::new()).await.expect("it starts");
    let supervisor = app.supervisor();
    while let Some(time) = meter.next() {
        let id = format!("child {time}");
        let child = Child::new::<Worker>(id.clone(), ());
        supervisor.start_child(child).await.expect("it starts");
        supervisor.terminate_child(id.clone()).await.expect("it is there");
        drop(supervisor.delete_child(id).await.expect("it is stopped"));
    }
    meter
}

/// Starts children of a dynamic supervisor, which end by themselves.
pub(crate) async fn dynamic_children(mut meter: Meter) -> Meter {
    let app = DynamicSupervisor::new("app").start(&System::new()).await.expect("it starts");
    let template = app.supervisor().template(|()| {
        let child = Child::new::<Worker>("worker", ());
        child.restart(Restart::Temporary)
    });
    while meter.next().is_some() {
        let child = template.start_child(()).await.expect("it starts");
        let down = child.monitor();
        child.cast(Msg::Crash).expect("it lives");
        drop(child);
        down.await;
    }
    meter
}

/// Cancels queued jobs and delayed jobs.
pub(crate) async fn jobs_cancelled(mut meter: Meter) -> Meter {
    let pool = Pool::from_fn("numbers", 1, |number: &u64| ready(Ok::<u64, Infallible>(*number)));
    let numbers = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    while let Some(time) = meter.next() {
        let waiting = numbers.submit(time).await.expect("there is room");
        let delayed = numbers.submit(time).delay(Duration::from_secs(3600)).await.expect("there is room");
        assert!(waiting.cancel() && delayed.cancel());
        assert!(waiting.await.is_err() && delayed.await.is_err());
    }
    drop(app);
    meter
}

pub(crate) async fn jobs(mut meter: Meter) -> Meter {
    let pool = Pool::from_fn("numbers", 2, |number: &u64| ready(Ok::<u64, Infallible>(*number)));
    let numbers = pool.handle();
    let app = pool.start(&System::new()).await.expect("it starts");
    while let Some(time) = meter.next() {
        let job = numbers.submit(time).await.expect("there is room");
        assert!(matches!(job.await, Ok(number) if number == time));
    }
    drop(app);
    meter
}
