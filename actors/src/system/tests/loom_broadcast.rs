//! Values that are recorded under a lock of the sender and published after it, under loom.

use loom::future::block_on;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::system::Broadcast;

/// Explores the interleavings of three threads. Nearly all bugs need two preemptions.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A wake-up that is lost leaves the subscriber waiting for ever, which loom reports.
#[test]
fn subscriber_receives_recorded_values_in_order_and_is_woken_for_each() {
    explore(|| {
        let stream = Arc::new(Broadcast::new());
        let mut subscriber = stream.subscribe();
        let last = Arc::new(Mutex::new(0));
        let senders = [(); 2].map(|()| {
            let (stream, last) = (stream.clone(), last.clone());
            thread::spawn(move || {
                let mut locked = last.lock().expect("not poisoned");
                *locked += 1;
                stream.record(|| *locked);
                drop(locked);
                stream.publish();
            })
        });
        assert_eq!([(); 2].map(|()| block_on(subscriber.next())), [Some(1), Some(2)]);
        senders.into_iter().for_each(|sender| sender.join().expect("the sender is done"));
    });
}
