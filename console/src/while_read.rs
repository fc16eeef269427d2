//! A value that exists while clients look at it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// How long a value is kept after it was read.
pub(crate) const KEPT: Duration = Duration::from_secs(30);

/// A value from the first read on, and until a while after the last one.
pub(crate) struct WhileRead<T>(Arc<Mutex<Expiring<T>>>);

/// The value, and until when it is kept.
type Expiring<T> = Option<(T, Instant)>;

impl<T> Default for WhileRead<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + 'static> WhileRead<T> {
    /// Reads the value, which `make` makes if there is none. Both run under a lock.
    pub(crate) fn read<R>(&self, make: impl FnOnce() -> T, read: impl FnOnce(&mut T) -> R) -> R {
        let until = Instant::now() + KEPT;
        let mut kept = self.0.lock();
        let is_new = kept.is_none();
        let (value, end) = kept.get_or_insert_with(|| (make(), until));
        *end = until;
        let read = read(value);
        drop(kept);
        if is_new {
            tokio::spawn(end_of(Arc::downgrade(&self.0)));
        }
        read
    }
}

/// Waits until the value has not been read for a while, and drops it. It keeps nothing until then.
async fn end_of<T>(kept: Weak<Mutex<Expiring<T>>>) {
    while let Some(until) = kept.upgrade().and_then(|kept| until(&kept)) {
        sleep_until(until).await;
    }
}

/// Returns until when the value is kept. Drops it if that is over.
fn until<T>(kept: &Mutex<Expiring<T>>) -> Option<Instant> {
    let mut kept = kept.lock();
    let until = kept.as_ref().map(|(_, until)| *until).filter(|until| *until > Instant::now());
    let ended = if until.is_none() { kept.take() } else { None };
    drop(kept);
    drop(ended);
    until
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Reads a value of which there is a second reference. Returns `true` if it was made for this.
    fn read(kept: &WhileRead<Arc<()>>, value: &Arc<()>) -> bool {
        let mut is_new = false;
        let make = || {
            is_new = true;
            value.clone()
        };
        kept.read(make, |_| ());
        is_new
    }

    #[tokio::test(start_paused = true)]
    async fn value_is_kept_until_a_while_after_the_last_read() {
        let (kept, value) = (WhileRead::default(), Arc::new(()));
        for is_new in [true, false, false] {
            assert_eq!(read(&kept, &value), is_new);
            sleep(KEPT / 2).await;
            assert_eq!(Arc::strong_count(&value), 2);
        }
        sleep(KEPT).await;
        assert_eq!(Arc::strong_count(&value), 1);
        assert!(read(&kept, &value));
        sleep(KEPT * 2).await;
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn value_ends_with_its_owner() {
        let (kept, value) = (WhileRead::default(), Arc::new(()));
        read(&kept, &value);
        tokio::task::yield_now().await;
        drop(kept);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
