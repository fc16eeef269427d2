//! The settings of a console, and which of them are allowed together.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use perennial_operations::HealthCheck;

use crate::actions::{DebugMessages, KeptLetters};
use crate::error::ConsoleError;

/// The number of events that are kept unless another is set, or the system is observed already.
const EVENTS: usize = 10_000;

/// The shortest token.
const TOKEN_LEN: usize = 16;

/// Writes the metrics of the program.
pub(crate) type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// The address at which a console listens, since its first start.
pub(crate) type BoundAddress = Arc<Mutex<Option<SocketAddr>>>;

/// The settings of a console.
pub(crate) struct Config {
    pub(crate) address: String,
    pub(crate) token: Option<String>,
    pub(crate) allows_remote: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) events: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_streams: usize,
    pub(crate) client_timeout: Duration,
    pub(crate) metrics: Option<Render>,
    pub(crate) health: Option<HealthCheck>,
    pub(crate) watches_deadlocks: bool,
    pub(crate) debug: DebugMessages,
    pub(crate) letters: KeptLetters,
}

impl Config {
    pub(crate) fn at(address: String) -> Self {
        Self {
            address,
            token: None,
            allows_remote: false,
            hosts: Vec::new(),
            events: EVENTS,
            max_connections: 256,
            max_streams: 64,
            client_timeout: Duration::from_secs(10),
            metrics: None,
            health: None,
            watches_deadlocks: false,
            debug: DebugMessages::default(),
            letters: KeptLetters::default(),
        }
    }

    /// Returns the address, if it and the token are allowed.
    pub(crate) fn check(&self) -> Result<SocketAddr, ConsoleError> {
        let parsed = self.address.parse();
        let address: SocketAddr =
            parsed.map_err(|_| ConsoleError::Address { address: self.address.clone() })?;
        let is_strong =
            |token: &String| token.len() >= TOKEN_LEN && token.bytes().all(|byte| byte.is_ascii_graphic());
        if self.token.as_ref().is_some_and(|token| !is_strong(token)) {
            return Err(ConsoleError::WeakToken);
        }
        if is_local(address.ip()) {
            return Ok(address);
        }
        match (self.allows_remote, &self.token) {
            (false, _) => Err(ConsoleError::RemoteNotAllowed { address }),
            (true, None) => Err(ConsoleError::RemoteWithoutToken { address }),
            (true, Some(_)) => Ok(address),
        }
    }
}

/// Returns `true` if only this machine can reach an address.
fn is_local(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
