//! Values that many clients ask for at once, and that are computed once for all of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// How long a value is used again.
const FRESH: Duration = Duration::from_millis(250);

/// After how long without a request nothing of a value is kept.
pub(crate) const KEPT: Duration = Duration::from_secs(2);

/// A value that is computed once for all that ask for it within a short time.
pub(crate) struct Cached<T>(tokio::sync::Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::default())
    }
}

/// A value of a [`Cached`].
pub(crate) struct Taken<T> {
    pub(crate) value: Arc<T>,
    /// `true` if it was computed for this call.
    pub(crate) is_new: bool,
}

impl<T> Cached<T> {
    /// Returns the value, or the error of computing it. Calls that come while it is computed wait
    /// for it.
    pub(crate) async fn get<E>(&self, compute: impl AsyncFnOnce() -> Result<T, E>) -> Result<Taken<T>, E> {
        let mut kept = self.0.lock().await;
        if let Some((_, value)) = kept.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Taken { value: value.clone(), is_new: false });
        }
        // A value that is not used any more is freed before the next one is made.
        *kept = None;
        let value = Arc::new(compute().await?);
        *kept = Some((Instant::now(), value.clone()));
        Ok(Taken { value, is_new: true })
    }

    /// Drops the value, unless it is new or the next one is computed. Returns `true` if there is
    /// none then.
    pub(crate) fn forget_old(&self) -> bool {
        let Ok(mut kept) = self.0.try_lock() else { return false };
        if kept.as_ref().is_some_and(|(at, _)| at.elapsed() >= KEPT) {
            *kept = None;
        }
        kept.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_within_a_short_time_share_a_value_and_an_error_is_not_kept() {
        let (cached, computed) = (Cached::default(), AtomicU32::new(0));
        let compute = async || {
            sleep(FRESH / 2).await;
            match computed.fetch_add(1, Ordering::SeqCst) {
                0 => Err("it fails once"),
                number => Ok(number),
            }
        };
        assert_eq!(cached.get(compute).await.map(|taken| *taken.value), Err("it fails once"));
        let taken = join_all((0..20).map(|_| cached.get(compute))).await;
        let taken: Vec<_> = taken.into_iter().flatten().map(|taken| (*taken.value, taken.is_new)).collect();
        assert_eq!((taken.len(), taken[0], taken[19]), (20, (1, true), (1, false)));
        advance(FRESH).await;
        assert_eq!(cached.get(compute).await.map(|taken| *taken.value), Ok(2));
        assert!(!cached.forget_old(), "it is new");
        advance(KEPT).await;
        assert!(cached.forget_old());
    }
}
