//! What systemd hears of a service: `sd_notify`.
//!
//! A service of `Type=notify` says when it is ready, when it stops, and that it lives. systemd
//! names the socket for that in the variable `NOTIFY_SOCKET`. [`SdNotify`] sends the messages, and
//! [`watch`](SdNotify::watch) sends the right ones by itself, as the [`Health`](crate::Health) of a
//! tree says.

mod environment;
mod notify;
mod socket;
#[cfg(test)]
mod tests;
mod watch;

pub use notify::SdNotify;
