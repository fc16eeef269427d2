//! Asking a child whether it gets on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::Reply;
use perennial_actors::host::Foreign;

use crate::policy::ProbePolicy;

/// A question that a child has to answer in time, again and again, or else it is found to hang.
///
/// Unless set otherwise it is asked every 10 seconds, has 1 second to answer, and hangs when it misses 3 answers in a row. The
/// question is a message like any other and waits in the child's mailbox: a timeout below what a full mailbox takes to be
/// worked off calls a child dead that is only busy.
///
/// ```
/// use std::time::Duration;
/// use perennial_actors::Reply;
/// use perennial_supervision::Probe;
///
/// enum Msg { Ping(Reply<()>) }
///
/// let probe = Probe::new(Msg::Ping).every(Duration::from_secs(1)).misses(2);
/// ```
#[must_use = "a probe does nothing until it is given to a child"]
pub struct Probe<M> {
    pub(super) policy: ProbePolicy,
    pub(super) question: Question<M>,
}

/// What is sent.
pub(super) type Question<M> = Arc<dyn Fn(Reply<()>) -> M + Send + Sync>;

impl<M> Probe<M> {
    /// Asks with this message.
    pub fn new(question: impl Fn(Reply<()>) -> M + Send + Sync + 'static) -> Self {
        let question = Foreign::new(question);
        Self { policy: ProbePolicy::standard(), question: Arc::new(move |reply| (*question)(reply)) }
    }

    /// Sets how long after an answer, or after a missed one, it is asked again.
    pub const fn period(mut self, interval: Duration) -> Self {
        self.policy.period = interval;
        self
    }

    /// Sets how long an answer may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// Sets with how many missed answers in a row it is found to hang.
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
