//! The messages to systemd.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::environment::Environment;
use super::socket;

/// Sends messages to systemd, or nothing if systemd does not listen.
///
/// # Cancel safety
///
/// Each message is sent whole or not at all. A future that is dropped while systemd has no room has
/// not sent its message.
///
/// # Errors
///
/// All methods that send fail if the socket does. Nothing listens there any more, for example.
///
/// # Examples
///
/// A service that does all that systemd asks for:
///
/// ```no_run
/// use perennial_actors::System;
/// use perennial_operations::{HealthCheck, SdNotify};
/// use perennial_supervision::{RunOutcome, StopSignals, Supervisor};
///
/// #[tokio::main]
/// async fn main() -> Result<RunOutcome, Box<dyn std::error::Error>> {
///     let systemd = SdNotify::from_env()?;
///     let mut signals = StopSignals::listen()?;
///     let app = Supervisor::new("app").start(&System::new()).await?;
///     let run = app.run_until_signal_from(&mut signals);
///     Ok(systemd.watch_while(&HealthCheck::of(&app), run).await)
/// }
/// ```
#[derive(Debug, Default)]
pub struct SdNotify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl SdNotify {
    /// Reads the variables `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` that systemd sets.
    /// Without the first one, the value sends nothing. A watchdog that is meant for another process
    /// is none.
    ///
    /// The variables stay set, so child processes inherit them. systemd ignores what those send
    /// unless the unit has `NotifyAccess=all`.
    ///
    /// # Errors
    ///
    /// The address is no socket, or a number cannot be read.
    pub fn from_env() -> io::Result<Self> {
        let Environment { socket, watchdog } =
            Environment::read(|name| std::env::var_os(name), std::process::id())?;
        let notify = socket.map(Self::to).transpose()?.unwrap_or_default();
        Ok(Self { watchdog, ..notify })
    }

    /// Connects to an address: the path of a datagram socket, or `@` and the name of an abstract
    /// one.
    ///
    /// # Errors
    ///
    /// Nothing listens there.
    pub fn to(address: impl AsRef<OsStr>) -> io::Result<Self> {
        let socket = socket::connect(address.as_ref())?;
        Ok(Self { socket: Some(socket), watchdog: None })
    }

    /// Sets the longest time between two messages of the watchdog. The default is that of
    /// `WATCHDOG_USEC`, and none for an [address](Self::to).
    #[must_use]
    pub const fn with_watchdog(mut self, timeout: Duration) -> Self {
        self.watchdog = Some(timeout);
        self
    }

    /// Returns the longest time between two messages of the watchdog, if systemd waits for them.
    #[must_use]
    pub const fn watchdog_timeout(&self) -> Option<Duration> {
        if self.socket.is_some() { self.watchdog } else { None }
    }

    /// Returns `true` if systemd listens.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends `READY=1`: the service has started, or has reloaded its configuration.
    pub async fn ready(&self) -> io::Result<()> {
        self.send("READY=1").await
    }

    /// Sends `RELOADING=1` with the time of the monotonic clock, which `Type=notify-reload` needs.
    /// [`ready`](Self::ready) ends the reload.
    pub async fn reloading(&self) -> io::Result<()> {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}")).await
    }

    /// Sends `STOPPING=1`: the service has begun to stop.
    pub async fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1").await
    }

    /// Sends a text that `systemctl status` shows. Control characters become spaces.
    pub async fn status(&self, text: &str) -> io::Result<()> {
        self.send(&status(text)).await
    }

    /// Sends `WATCHDOG=1`: the service lives.
    pub async fn ping_watchdog(&self) -> io::Result<()> {
        self.send("WATCHDOG=1").await
    }

    /// Sends `EXTEND_TIMEOUT_USEC`: systemd waits at least this long from now on for the end of the
    /// start or of the stop.
    pub async fn extend_timeout(&self, time: Duration) -> io::Result<()> {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros())).await
    }

    /// Sends lines with variables.
    pub(super) async fn send(&self, message: &str) -> io::Result<()> {
        match &self.socket {
            Some(socket) => socket::send(socket, message).await,
            None => Ok(()),
        }
    }
}

/// Returns the line for a text. A line break in it would begin another variable.
pub(super) fn status(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("STATUS={text}")
}
