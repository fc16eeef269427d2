//! The liveness probe of a child.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Reply;
use perennial_actors::host::Foreign;

use crate::policy::ProbePolicy;

/// A message that a supervisor sends to a child at intervals, and that the child has to answer in
/// time. A child that misses several answers in a row is unresponsive.
///
/// By default a probe is sent every 10 seconds, the child has 1 second to answer, and 3 missed
/// answers in a row make it unresponsive. The probe waits in the child's mailbox like any other
/// message. Choose a timeout above the time that the child needs for a full mailbox: otherwise a
/// busy child counts as unresponsive.
///
/// ```
/// use std::time::Duration;
/// use perennial_actors::Reply;
/// use perennial_supervision::Probe;
///
/// enum Msg { Ping(Reply<()>) }
///
/// let probe = Probe::new(Msg::Ping).period(Duration::from_secs(1)).failure_threshold(2);
/// ```
#[must_use = "a probe does nothing until it is given to a child"]
pub struct Probe<M> {
    pub(super) policy: ProbePolicy,
    pub(super) make_message: MessageFactory<M>,
}

/// Makes the message of one probe.
pub(super) type MessageFactory<M> = Arc<dyn Fn(Reply<()>) -> M + Send + Sync>;

impl<M> Probe<M> {
    /// Creates a probe that sends the message which `make_message` returns.
    pub fn new(make_message: impl Fn(Reply<()>) -> M + Send + Sync + 'static) -> Self {
        let make_message = Foreign::new(make_message);
        Self { policy: ProbePolicy::standard(), make_message: Arc::new(move |reply| (*make_message)(reply)) }
    }

    /// Sets the time from an answer, or from a missed answer, to the next probe.
    pub const fn period(mut self, interval: Duration) -> Self {
        self.policy.period = interval;
        self
    }

    /// Sets the longest time that an answer may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// Sets how many missed answers in a row make the child unresponsive.
    pub const fn failure_threshold(mut self, misses: u32) -> Self {
        self.policy.failure_threshold = misses;
        self
    }
}

impl<M> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("policy", &self.policy).finish_non_exhaustive()
    }
}
