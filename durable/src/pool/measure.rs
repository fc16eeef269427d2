//! Measures the queue of a durable pool in its store, while the pool is fed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::metrics::SharedString;
use tokio::time::{sleep, timeout};

use crate::metrics::{PAUSED, STORED, describe, set};
use crate::record::RecordState;
use crate::store::{QueueInfo, Store};

/// The time from a change in the store to the next measurement, and the longest without a change.
const GATHERED: Duration = Duration::from_secs(5);
const PERIOD: Duration = Duration::from_secs(60);

/// Runs a feeder, and measures its queue meanwhile.
pub(super) async fn measured<T>(
    queue: Arc<str>,
    store: Arc<dyn Store>,
    feeding: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        fed = feeding => fed,
        never = measure(&queue, &*store) => match never {},
    }
}

async fn measure(queue: &Arc<str>, store: &dyn Store) -> Infallible {
    let mut changes = store.changes();
    loop {
        changes.mark_unchanged();
        // Each time, because a recorder may be installed later.
        describe();
        if let Ok(info) = store.queue(queue).await {
            publish(&SharedString::from(queue.clone()), &info);
        }
        // Its error is that the store is closed.
        let _ = timeout(PERIOD, changes.changed()).await;
        sleep(GATHERED).await;
    }
}

fn publish(queue: &SharedString, info: &QueueInfo) {
    for state in RecordState::ALL {
        set(STORED, [queue.clone(), state.name().into()], info.count(state) as f64);
    }
    set(PAUSED, [queue.clone()], f64::from(u8::from(info.paused)));
}
