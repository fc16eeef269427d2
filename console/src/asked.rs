//! Foreign code that a console asks, and the limits of that.
//!
//! Such code may block or panic, and it may be slow. It runs on threads that are for that, a few at
//! once, so that it holds up no other route.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::api::{Problem, ProblemKind};

/// How long an answer is waited for.
const WAITED: Duration = Duration::from_secs(3);

/// The most requests that one has at once, unless it says another number.
const AT_ONCE: usize = 4;

/// What foreign code answers.
pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send>>;

/// A value whose code is foreign. Every call of it may block and panic.
pub(crate) struct Asked<S: ?Sized> {
    /// What it is, for people.
    what: &'static str,
    code: Arc<S>,
    asked: Arc<Semaphore>,
}

impl<S: ?Sized + Send + Sync + 'static> Asked<S> {
    pub(crate) fn new(what: &'static str, code: Arc<S>) -> Self {
        Self::limited(what, code, AT_ONCE)
    }

    /// Creates a value that has so many requests at once at most.
    pub(crate) fn limited(what: &'static str, code: Arc<S>, at_once: usize) -> Self {
        Self { what, code, asked: Arc::new(Semaphore::new(at_once)) }
    }

    /// Returns `true` if no request waits, and none has a thread.
    pub(crate) fn is_idle(&self) -> bool {
        // Each of them has the semaphore.
        Arc::strong_count(&self.asked) == 1
    }

    /// Asks for what changes nothing.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Answer<T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask("", ask).await
    }

    /// Asks for a change. It may take effect after the caller was told that it is late.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&S) -> Answer<T> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask(": the action may still take effect", ask).await
    }

    /// Asks on a thread that may block. If it takes too long, its future is dropped; a thread that
    /// it blocks counts as a request until it returns.
    async fn ask<T: Send + 'static>(
        &self,
        late: &'static str,
        ask: impl FnOnce(&S) -> Answer<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let (what, until) = (self.what, Instant::now() + WAITED);
        let unavailable = |detail| Err(Problem::new(ProblemKind::Unavailable, detail));
        let Ok(Ok(permit)) = timeout_at(until, self.asked.clone().acquire_owned()).await else {
            return unavailable(format!("the {what} is busy with earlier requests"));
        };
        let (code, runtime) = (self.code.clone(), Handle::current());
        let asking = move || {
            // It may have waited for a thread until its client was told that it is late.
            let may_begin = Instant::now() < until;
            let asked = async { timeout_at(until, ask(&*code)).await.ok() };
            let answer = if may_begin { runtime.block_on(asked) } else { None };
            drop(permit);
            answer
        };
        match timeout_at(until, tokio::task::spawn_blocking(asking)).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Err(_)) => unavailable(format!("the code of the {what} panicked")),
            Ok(Ok(None)) | Err(_) => {
                unavailable(format!("the {what} has not answered within 3 seconds{late}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn action_that_waits_for_a_thread_does_not_begin_after_its_client_was_told_that_it_is_late() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build();
        runtime.expect("it is built").block_on(async {
            let has_acted = Arc::new(AtomicBool::new(false));
            let asked = Asked::new("store", has_acted.clone());
            let (release, held) = channel::<()>();
            let holder = tokio::task::spawn_blocking(move || held.recv());
            let act = |has_acted: &AtomicBool| -> Answer<()> {
                has_acted.store(true, Ordering::SeqCst);
                Box::pin(async { Ok(()) })
            };
            let acting = tokio::spawn(async move { asked.change(act).await });
            tokio::task::yield_now().await;
            tokio::time::advance(WAITED).await;
            let late = acting.await.expect("it does not panic").expect_err("it is late");
            let expected = "the store has not answered within 3 seconds: the action may still take effect";
            assert_eq!(late.detail, expected);
            drop(release);
            holder.await.expect("it does not panic").expect_err("the sender is dropped");
            // The only thread runs what waits in its order.
            tokio::task::spawn_blocking(|| ()).await.expect("it does not panic");
            assert!(!has_acted.load(Ordering::SeqCst));
        });
    }
}
