//! Running a tree until the process is told to stop.

use std::io;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use perennial_actors::ExitReason;

use super::app::{App, ShutdownReport};
use crate::log;
use crate::policy::ChildKind;

/// How often those are killed again that somebody was just restarting when all were killed.
const AGAIN: Duration = Duration::from_millis(20);

/// A signal of the operating system that asks a process to stop.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StopSignal {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM, which service managers and containers send. Not on Windows.
    Terminate,
}

impl StopSignal {
    /// Its number, as a shell counts it.
    const fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// How a tree came to its end that ran until a signal. To be returned from `main`: its exit status tells.
///
/// | status | what it was |
/// |---|---|
/// | 0 | a signal, and everybody stopped in time; or the tree ended by itself with a clean reason |
/// | 1 | the tree ended by itself: it gave up, or failed |
/// | 2 | a signal, and somebody had to be killed or abandoned |
/// | 130, 143 | a second signal, which killed everybody: 128 and its number, as shells have it |
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "it says whether all went well"]
pub enum Finish {
    /// The tree ended by itself.
    ByItself {
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

impl Finish {
    /// The exit status that tells of it.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::ByItself { reason, gave_up } => u8::from(*gave_up || reason.is_abnormal()),
            Self::Stopped(_, report) if report.is_clean() => 0,
            Self::Stopped(..) => 2,
            Self::Killed(signal) => 128 + signal.number(),
        }
    }
}

impl Termination for Finish {
    fn report(self) -> ExitCode {
        self.status().into()
    }
}

impl<H> App<H> {
    /// Runs the tree until it ends by itself, or the process gets SIGTERM or SIGINT: then it stops the tree in good order, as
    /// [`shutdown`](Self::shutdown) does. A second signal meanwhile kills everybody.
    ///
    /// What systemd, Docker and Kubernetes send to a service, and a user with Ctrl-C. The process does not exit by it: that is for `main`,
    /// with [`Finish`] as its exit status.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tree goes on as it is. Signals that come later are lost: once it was polled, they do not end
    /// the process by themselves any more.
    ///
    /// # Errors
    ///
    /// If the process may not listen to signals. The tree goes on.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use perennial_actors::System;
    /// # use perennial_supervision::{Finish, Supervisor};
    /// #[tokio::main]
    /// async fn main() -> Result<Finish, Box<dyn std::error::Error>> {
    ///     let app = Supervisor::new("app").start(&System::new()).await?;
    ///     Ok(app.run_until_signal().await?)
    /// }
    /// ```
    pub async fn run_until_signal(&self) -> io::Result<Finish> {
        let mut signals = Signals::listen()?;
        let first = tokio::select! {
            reason = self.join() => return Ok(Finish::ByItself { reason, gave_up: self.gave_up() }),
            signal = signals.next() => signal,
        };
        log::told_to_stop(self.system(), first);
        tokio::select! {
            report = self.shutdown() => Ok(Finish::Stopped(first, report)),
            second = signals.next() => {
                log::told_again(self.system(), second);
                self.kill().await;
                Ok(Finish::Killed(second))
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

/// The signals that this process gets from now on.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }
}

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    async fn next(&mut self) -> StopSignal {
        self.interrupt.recv().await;
        StopSignal::Interrupt
    }
}
