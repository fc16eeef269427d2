//! The operating system signals that ask a process to stop.
//!
//! One stop request may arrive as two signals: GNU `timeout` signals its command and then the
//! process group of the command, and a shell or a service manager may do the same. Counted as two
//! requests they would kill a tree instead of stopping it in order. The same signal again within a
//! short time is therefore one request.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// The time within which the same signal counts as a repetition of the last counted one. It is too
/// short for a service to stop, and for an operator to send a second request on purpose.
const REPEAT_WINDOW: Duration = Duration::from_millis(500);

/// An operating system signal that asks the process to stop.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StopSignal {
    /// SIGINT, sent by Ctrl-C.
    Interrupt,
    /// SIGTERM, sent by service managers and container runtimes. It does not exist on Windows.
    Terminate,
}

impl StopSignal {
    /// Returns the signal number, as shells use it in exit codes.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The filter that drops repetitions of the last counted signal.
#[derive(Debug, Default)]
pub(super) struct RepeatFilter {
    last_counted: Option<(StopSignal, Instant)>,
}

impl RepeatFilter {
    /// Returns `true` if a signal that arrived at `now` is a new request. Repetitions do not extend
    /// the window.
    pub(super) fn is_new(&mut self, signal: StopSignal, now: Instant) -> bool {
        let is_repetition = |(last, at): (StopSignal, Instant)| {
            last == signal && now.saturating_duration_since(at) < REPEAT_WINDOW
        };
        let is_new = !self.last_counted.is_some_and(is_repetition);
        if is_new {
            self.last_counted = Some((signal, now));
        }
        is_new
    }
}

/// The stop signals that this process receives from the call of [`listen`](Self::listen) on.
///
/// Created once in `main`, it loses no signal: a signal that arrives between two calls of
/// [`recv`](Self::recv) is kept for the next call. Several pending signals of one kind count as
/// one. [`App::run_until_signal`](crate::App::run_until_signal) creates a value of its own and
/// drops it at the end.
///
/// The first `listen` of a process turns off the default action of SIGINT and SIGTERM for the rest
/// of the process, also after the value is dropped. Two values receive the same signals.
#[derive(Debug)]
pub struct StopSignals {
    repeats: RepeatFilter,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    /// Starts listening. Signals that arrived earlier are not received.
    ///
    /// # Errors
    ///
    /// The operating system refuses the registration.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or on a runtime without I/O enabled, as tokio's signals do.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            repeats: RepeatFilter::default(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Starts listening. Signals that arrived earlier are not received.
    ///
    /// # Errors
    ///
    /// The operating system refuses the registration.
    #[cfg(windows)]
    pub fn listen() -> io::Result<Self> {
        Ok(Self { repeats: RepeatFilter::default(), interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next signal.
    ///
    /// The same signal again within 500 ms of the last returned one is skipped as a repetition.
    ///
    /// # Cancel safety
    ///
    /// A signal that was not returned is kept for the next call.
    pub async fn recv(&mut self) -> StopSignal {
        loop {
            let signal = self.next().await;
            if self.repeats.is_new(signal, Instant::now()) {
                return signal;
            }
        }
    }

    #[cfg(unix)]
    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }

    #[cfg(windows)]
    async fn next(&mut self) -> StopSignal {
        self.interrupt.recv().await;
        StopSignal::Interrupt
    }
}
