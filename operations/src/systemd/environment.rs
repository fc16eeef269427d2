//! The variables with which systemd starts a service.

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

/// What the variables say.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Environment {
    /// The address of the socket: a path, or `@` and the name of an abstract socket.
    pub(super) socket: Option<OsString>,
    /// The longest time between two messages of the watchdog.
    pub(super) watchdog: Option<Duration>,
}

impl Environment {
    /// Reads the variables. A watchdog that is meant for a process with another id is none.
    ///
    /// # Errors
    ///
    /// A number cannot be read.
    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> io::Result<Self> {
        let number = |name: &str| variable(name).map(|value| parse(name, &value)).transpose();
        let (micros, meant_for) = (number("WATCHDOG_USEC")?, number("WATCHDOG_PID")?);
        let is_ours = meant_for.is_none_or(|meant_for| meant_for == u64::from(pid));
        let socket = variable("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let watchdog = micros.filter(|micros| is_ours && *micros > 0).map(Duration::from_micros);
        Ok(Self { socket, watchdog })
    }
}

fn parse(name: &str, value: &OsStr) -> io::Result<u64> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is no number")))
}
