//! Values that are recorded under a lock of the sender and published after it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::system::Broadcast;

#[test]
fn subscriber_receives_no_value_recorded_before_it_subscribed() {
    let stream = Broadcast::new();
    let gone = stream.subscribe();
    stream.record(|| "before");
    drop(gone);
    let mut subscriber = stream.subscribe();
    stream.record(|| "after");
    stream.publish();
    assert_eq!((subscriber.try_next(), subscriber.try_next()), (Some("after"), None));
}

/// A waker that counts its calls, and sends a value at the first.
struct Sends(Arc<Broadcast<u32>>, AtomicUsize);

impl Wake for Sends {
    fn wake(self: Arc<Self>) {
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.send(|| 8);
        }
    }
}

#[test]
fn recorded_value_is_there_at_once_and_wakes_when_published_by_any_call() {
    let stream = Arc::new(Broadcast::new());
    let mut subscriber = stream.subscribe();
    let sends = Arc::new(Sends(stream.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(sends.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(subscriber.next()).poll(&mut cx).is_pending());
    stream.record(|| 6);
    stream.record(|| 7);
    assert_eq!(sends.1.load(Ordering::Relaxed), 0, "a caller that records may hold a lock");
    // The waker records and publishes in turn.
    stream.publish();
    assert_eq!(sends.1.load(Ordering::Relaxed), 1);
    for value in [6, 7, 8] {
        assert_eq!(pin!(subscriber.next()).poll(&mut cx), Poll::Ready(Some(value)));
    }
    assert!(pin!(subscriber.next()).poll(&mut cx).is_pending());
    stream.publish();
    assert_eq!(sends.1.load(Ordering::Relaxed), 1, "nothing was recorded since");
    drop(subscriber);
    drop(waker);
    stream.publish();
    assert_eq!(Arc::strong_count(&sends), 1, "nothing keeps a waker");
}
