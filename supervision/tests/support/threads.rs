//! Tests on a runtime with several threads. Its actors block some of them. They run in real time.
//! Their time limit is outside of the runtime, whose own timers may be blocked.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

/// Runs a test on a runtime with `count` threads. The test releases every thread that it blocks.
pub(crate) fn on_threads(count: usize, test: impl Future<Output = ()> + Send + 'static) {
    let (done, is_done) = mpsc::channel::<()>();
    let running = thread::spawn(move || {
        let runtime = Builder::new_multi_thread().worker_threads(count).enable_time().build();
        runtime.expect("a runtime").block_on(test);
        drop(done);
    });
    if is_done.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
        panic!("it got stuck");
    }
    if let Err(panic) = running.join() {
        resume_unwind(panic);
    }
}

/// A flag that keeps actors spinning until this is dropped.
pub(crate) struct Spinning(Arc<AtomicBool>);

impl Spinning {
    pub(crate) fn new() -> (Self, Arc<AtomicBool>) {
        let on = Arc::new(AtomicBool::new(true));
        (Self(on.clone()), on)
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
