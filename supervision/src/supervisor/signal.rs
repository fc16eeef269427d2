//! Running a tree until the process is told to stop.

use std::io;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::catch_panics;

use super::app::{App, ShutdownReport};
use super::stop_signals::{StopSignal, StopSignals};
use crate::log;
use crate::policy::ChildKind;

/// How often those are killed again that somebody was just restarting when all were killed.
const AGAIN: Duration = Duration::from_millis(20);

/// How a tree came to its end that ran until a signal. To be returned from `main`: its exit status tells.
///
/// | status | what it was |
/// |---|---|
/// | 0 | a signal, and the stop was [clean](ShutdownReport::is_clean); or the tree ended by itself with a clean reason |
/// | 1 | the tree ended by itself: it gave up, or failed |
/// | 2 | a signal, and a child had to be killed or abandoned, or messages or jobs were dropped |
/// | 130, 143 | a second signal, which killed everybody: 128 and its number, as shells have it; the same signal within 500 ms is none |
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[must_use = "it says whether all went well"]
pub enum RunOutcome {
    /// The tree ended by itself.
    Completed {
        /// Why.
        reason: ExitReason,
        /// Whether that was because its root gave up, which ends it with a shutdown like any other.
        gave_up: bool,
    },
    /// A signal asked for the end, and it came in good order.
    Stopped(StopSignal, ShutdownReport),
    /// A second signal did not wait for that.
    Killed(StopSignal),
}

impl RunOutcome {
    /// The exit status that tells of it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Completed { reason, gave_up } => u8::from(*gave_up || reason.is_abnormal()),
            Self::Stopped(_, report) if report.is_clean() => 0,
            Self::Stopped(..) => 2,
            Self::Killed(signal) => 128 + signal.number(),
        }
    }
}

impl Termination for RunOutcome {
    fn report(self) -> ExitCode {
        self.exit_code().into()
    }
}

impl<H> App<H> {
    /// Runs the tree until it ends by itself, or the process receives SIGTERM or SIGINT. A signal stops the tree in order, as
    /// [`shutdown`](Self::shutdown) does. A second signal during the stop kills every child.
    ///
    /// systemd, Docker and Kubernetes send these signals to a service, and a terminal sends SIGINT for Ctrl-C. The process does not exit:
    /// that is for `main`, with [`RunOutcome`] as its exit status.
    ///
    /// The same signal again within 500 ms is not a second signal but the first one, delivered twice. GNU `timeout`, for example, signals
    /// its command and then the command's process group. See [`StopSignals`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree continues as it is. The method listens for signals from its first poll until it resolves or is
    /// dropped. After that first poll the default action of both signals is off for the rest of the process: a signal that arrives
    /// while no future of this method and no [`StopSignals`] exists has no effect, and a later call does not learn of it. This also
    /// holds between two calls that both resolved. To lose no signal between calls, create one [`StopSignals`] in `main` and use
    /// [`run_until_signal_from`](Self::run_until_signal_from).
    ///
    /// # Errors
    ///
    /// If the process may not listen for signals. The tree continues.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{RunOutcome, Supervisor};
    /// #[tokio::main]
    /// async fn main() -> Result<RunOutcome, Box<dyn std::error::Error>> {
    ///     let app = Supervisor::new("app").start(&System::new()).await?;
    ///     Ok(app.run_until_signal().await?)
    /// }
    /// ```
    pub async fn run_until_signal(&self) -> io::Result<RunOutcome> {
        let mut signals = StopSignals::listen()?;
        Ok(self.run_until_signal_from(&mut signals).await)
    }

    /// Runs the tree as [`run_until_signal`](Self::run_until_signal) does, with signals that the caller has been listening for.
    ///
    /// Each call consumes the signals that arrived since `signals` was created or last used. A signal that arrived between two calls
    /// therefore stops the tree of the second call at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree continues as it is. If the first signal had already arrived, the tree is stopping, and the
    /// next call treats the next signal as a first one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{RunOutcome, StopSignals, Supervisor};
    /// #[tokio::main]
    /// async fn main() -> Result<RunOutcome, Box<dyn std::error::Error>> {
    ///     let mut signals = StopSignals::listen()?;
    ///     // A signal that arrives during the migration stops the service as soon as it runs.
    ///     let migration = Supervisor::new("migration").start(&System::new()).await?;
    ///     let _ = migration.shutdown().await;
    ///     let service = Supervisor::new("service").start(&System::new()).await?;
    ///     Ok(service.run_until_signal_from(&mut signals).await)
    /// }
    /// ```
    pub async fn run_until_signal_from(&self, signals: &mut StopSignals) -> RunOutcome {
        let first = tokio::select! {
            reason = self.join() => return RunOutcome::Completed { reason, gave_up: self.gave_up() },
            signal = signals.recv() => signal,
        };
        log::told_to_stop(self.system(), first);
        self.stop_by(first, signals).await
    }

    /// Runs the tree as [`run_until_signal_from`](Self::run_until_signal_from) does, and runs a closure after the first signal and
    /// before the tree stops. For example, it closes a listener, or drains a queue that is not in the tree.
    ///
    /// The closure is given the signal. Everything runs meanwhile. The stop begins when its future resolves, or when it panics, or
    /// after `timeout`, or on the next signal. Then the future is dropped. A signal after that one kills every child.
    ///
    /// If the tree ends by itself meanwhile, the future is dropped too.
    ///
    /// # Cancel safety
    ///
    /// As of [`run_until_signal_from`](Self::run_until_signal_from). If the closure was called, its future is dropped, and the tree
    /// is not told to stop.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{RunOutcome, StopSignals, Supervisor};
    /// #[tokio::main]
    /// async fn main() -> Result<RunOutcome, Box<dyn std::error::Error>> {
    ///     let mut signals = StopSignals::listen()?;
    ///     let app = Supervisor::new("app").start(&System::new()).await?;
    ///     let (close, is_closed) = tokio::sync::watch::channel(false);
    ///     # drop(is_closed);
    ///     let before_stop = async |_| drop(close.send(true));
    ///     Ok(app.run_until_signal_with(&mut signals, Duration::from_secs(10), before_stop).await)
    /// }
    /// ```
    pub async fn run_until_signal_with(
        &self,
        signals: &mut StopSignals,
        timeout: Duration,
        before_stop: impl AsyncFnOnce(StopSignal),
    ) -> RunOutcome {
        let first = tokio::select! {
            reason = self.join() => return RunOutcome::Completed { reason, gave_up: self.gave_up() },
            signal = signals.recv() => signal,
        };
        log::told_to_stop(self.system(), first);
        let hook = async {
            let hook = catch_panics(None, async move { before_stop(first).await });
            match tokio::time::timeout(timeout, hook).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => log::stop_hook_failed(self.system(), reason),
                Err(_) => log::stop_hook_timed_out(self.system(), timeout),
            }
        };
        tokio::select! {
            reason = self.join() => return RunOutcome::Completed { reason, gave_up: self.gave_up() },
            _ = signals.recv() => {}
            () = hook => {}
        }
        self.stop_by(first, signals).await
    }

    /// Stops the tree because of a signal. Another one kills it.
    async fn stop_by(&self, first: StopSignal, signals: &mut StopSignals) -> RunOutcome {
        tokio::select! {
            report = self.shutdown() => RunOutcome::Stopped(first, report),
            second = signals.recv() => {
                log::told_again(self.system(), second);
                self.kill().await;
                RunOutcome::Killed(second)
            }
        }
    }

    /// Kills everybody, and waits until they are gone or abandoned.
    async fn kill(&self) {
        // It may be on its way out, with nobody left to kill.
        let _ = self.handle().kill();
        let over = self.join();
        tokio::pin!(over);
        loop {
            for node in self.tree().walk().filter(|node| node.kind == ChildKind::Worker) {
                let _ = node.handle.kill();
            }
            tokio::select! {
                _ = &mut over => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }
}
