//! Running a tree until the process receives a stop signal.

use std::io;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use perennial_actors::ExitReason;
use perennial_actors::host::catch_panics;

use super::app::{App, ShutdownReport};
use super::stop_signals::{StopSignal, StopSignals};
use crate::log;
use crate::policy::ChildKind;

/// The interval at which every worker is killed again. A worker that was restarted during the kill
/// is killed in the next round.
const KILL_INTERVAL: Duration = Duration::from_millis(20);

/// How a tree ended that ran until a stop signal. Return it from `main`: it sets the exit code.
///
/// | code | cause |
/// |---|---|
/// | 0 | a signal and a [clean](ShutdownReport::is_clean) shutdown, or a clean end by itself |
/// | 1 | an end by itself: the restart intensity was exceeded, or it failed |
/// | 2 | a signal; a child was killed or abandoned, or messages or jobs were dropped |
/// | 130, 143 | a second signal killed every actor: 128 plus the signal number, as in shells |
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[must_use = "it sets the exit code of the process"]
pub enum RunOutcome {
    /// The tree ended by itself.
    Completed {
        /// The exit reason of the root.
        reason: ExitReason,
        /// `true` if the root exceeded its restart intensity. Its exit reason is then an ordinary
        /// shutdown.
        gave_up: bool,
    },
    /// A signal stopped the tree in order.
    Stopped(StopSignal, ShutdownReport),
    /// A second signal killed the tree during its shutdown.
    Killed(StopSignal),
}

impl RunOutcome {
    /// Returns the exit code of the process for this outcome.
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
    /// Runs the tree until it ends by itself or the process receives SIGTERM or SIGINT. A signal
    /// stops the tree in order, as [`shutdown`](Self::shutdown) does. A second signal during the
    /// stop kills every child.
    ///
    /// systemd, Docker and Kubernetes send these signals to a service, and a terminal sends SIGINT
    /// for Ctrl-C. This method does not exit the process: return the [`RunOutcome`] from `main` for
    /// that.
    ///
    /// The same signal again within 500 ms is a repetition of the first one. GNU `timeout`, for
    /// example, signals its command and then the process group of the command. See [`StopSignals`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree continues. The method listens for signals from its first
    /// poll until it resolves or is dropped. After that first poll the default action of both
    /// signals is off for the rest of the process: a signal that arrives while no future of this
    /// method and no [`StopSignals`] exists has no effect, and a later call does not receive it.
    /// This also holds between two calls that both resolved. To lose no signal between calls,
    /// create one [`StopSignals`] in `main` and use
    /// [`run_until_signal_from`](Self::run_until_signal_from).
    ///
    /// # Errors
    ///
    /// The process cannot listen for signals. The tree continues.
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

    /// Runs the tree as [`run_until_signal`](Self::run_until_signal) does, with signals that the
    /// caller listens for.
    ///
    /// Each call consumes the signals that arrived since `signals` was created or last used. A
    /// signal that arrived between two calls therefore stops the tree of the second call at once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree continues. If the first signal had already arrived, the
    /// tree is stopping, and the next call treats the next signal as a first one.
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
        self.run_until_signal_with(signals, Duration::ZERO, async |_| {}).await
    }

    /// Runs the tree as [`run_until_signal_from`](Self::run_until_signal_from) does, and runs a
    /// closure between the first signal and the stop of the tree. The closure closes a listener,
    /// for example, or drains a queue outside the tree.
    ///
    /// The closure receives the signal. The tree keeps running meanwhile. The stop begins when the
    /// future of the closure resolves or panics, after `timeout`, or on the next signal. That
    /// future is then dropped. A further signal kills every child.
    ///
    /// If the tree ends by itself meanwhile, the future is dropped too.
    ///
    /// # Cancel safety
    ///
    /// As for [`run_until_signal_from`](Self::run_until_signal_from). If the closure was called,
    /// its future is dropped, and the tree does not stop.
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
        log::stop_signal_received(self.system(), first);
        let hook = async {
            let hook = catch_panics(None, async move { before_stop(first).await });
            match tokio::time::timeout(timeout, hook).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => log::stop_hook_failed(self.system(), reason),
                Err(_) => log::stop_hook_timed_out(self.system(), timeout),
            }
        };
        tokio::select! {
            // A signal that follows a complete hook is a second one, which kills.
            biased;
            reason = self.join() => return RunOutcome::Completed { reason, gave_up: self.gave_up() },
            () = hook => {}
            _ = signals.recv() => {}
        }
        self.stop_by(first, signals).await
    }

    /// Stops the tree after the signal `first`. A further signal kills it.
    async fn stop_by(&self, first: StopSignal, signals: &mut StopSignals) -> RunOutcome {
        tokio::select! {
            report = self.shutdown() => RunOutcome::Stopped(first, report),
            second = signals.recv() => {
                log::second_signal_received(self.system(), second);
                self.kill().await;
                RunOutcome::Killed(second)
            }
        }
    }

    /// Kills every actor of the tree and waits until all have ended or are abandoned.
    pub(super) async fn kill(&self) {
        // An error means that the root has already ended.
        let _ = self.handle().kill();
        let ended = self.join();
        tokio::pin!(ended);
        loop {
            for node in self.tree().walk().filter(|node| node.kind == ChildKind::Worker) {
                let _ = node.handle.kill();
            }
            tokio::select! {
                _ = &mut ended => return,
                () = tokio::time::sleep(KILL_INTERVAL) => {}
            }
        }
    }
}
