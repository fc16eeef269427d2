//! The signals of the operating system that ask a process to stop.
//!
//! One request to stop may arrive as two signals: GNU `timeout` signals its command and then the command's process group, and a shell
//! or a service manager may do the same. Taken as two requests they would kill a tree that was to stop in order. The same signal
//! again within a short time is therefore one request.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// The same signal within this time of the last one that counted is that one again. Too short for a service to have stopped by
/// itself and for a person to have lost patience.
const REPEAT_WINDOW: Duration = Duration::from_millis(500);

/// A signal of the operating system that asks a process to stop.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StopSignal {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM, which service managers and containers send. Not on Windows.
    Terminate,
}

impl StopSignal {
    /// Returns its number, as a shell counts it.
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

/// Tells a signal from the repetition of the one before.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    last_counted: Option<(StopSignal, Instant)>,
}

impl Repeats {
    /// Returns `true` if a signal that arrived now counts as a new one. Repetitions do not extend the window.
    pub(super) fn counts(&mut self, signal: StopSignal, now: Instant) -> bool {
        let repeats = |(last, at): (StopSignal, Instant)| {
            last == signal && now.saturating_duration_since(at) < REPEAT_WINDOW
        };
        let counts = !self.last_counted.is_some_and(repeats);
        if counts {
            self.last_counted = Some((signal, now));
        }
        counts
    }
}

/// The stop signals that this process receives, from the moment of [`listen`](Self::listen) on.
///
/// Created once in `main`, it loses no signal: one that arrives while nothing waits for it is kept for the next
/// [`recv`](Self::recv). Several of one kind that wait are one. [`App::run_until_signal`](crate::App::run_until_signal) creates one of
/// its own and drops it at its end.
///
/// The first `listen` of a process turns off the default action of SIGINT and SIGTERM for the rest of the process, also after the
/// value is dropped. Two values receive the same signals.
#[derive(Debug)]
pub struct StopSignals {
    repeats: Repeats,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    /// Starts to listen. Signals that arrived before are not received.
    ///
    /// # Errors
    ///
    /// If the operating system refuses it.
    ///
    /// # Panics
    ///
    /// As tokio's signals do, outside a runtime or on one whose I/O is not enabled.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            repeats: Repeats::default(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Starts to listen. Signals that arrived before are not received.
    ///
    /// # Errors
    ///
    /// If the operating system refuses it.
    #[cfg(windows)]
    pub fn listen() -> io::Result<Self> {
        Ok(Self { repeats: Repeats::default(), interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next signal. The same signal again within 500 ms of the last one that was returned is skipped: it is that one,
    /// delivered twice.
    ///
    /// # Cancel safety
    ///
    /// A signal that was not returned is kept for the next call.
    pub async fn recv(&mut self) -> StopSignal {
        loop {
            let signal = self.next().await;
            if self.repeats.counts(signal, Instant::now()) {
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
