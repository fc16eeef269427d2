//! How a child is found to hang.

use std::time::Duration;

/// What a supervisor watches of a child that runs. Either may be set, or both.
///
/// The verdict on a child that does not get on is: it is told to stop, as its [`Shutdown`](crate::Shutdown) says; it is killed when
/// it has not, after 5 seconds if it would be given for ever; its mailbox is taken away when it does not even die; and then it is
/// restarted, for the reason [`Unresponsive`](perennial_actors::ExitReason::Unresponsive). Each of it is [reported](crate::SupervisorReport).
///
/// A child that is [suspended](perennial_actors::ActorHandle::suspend) is not watched. What is due begins anew when it is resumed.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Liveness {
    /// How long a handler may take: systemd's watchdog, without a word from the actor.
    pub handler_deadline: Option<Duration>,
    /// How often it is asked, and how many answers it may miss: Kubernetes' liveness probe.
    pub probe: Option<ProbePolicy>,
}

/// How often a child is asked whether it gets on, and how many answers it may miss.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProbePolicy {
    /// How long after an answer, or after a missed one, it is asked again.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many in a row it misses until it is found to hang.
    pub failure_threshold: u32,
}

impl Liveness {
    /// Whether nobody could ever meet it.
    pub(crate) fn is_impossible(&self) -> bool {
        let hopeless = |probe: &ProbePolicy| {
            probe.period.is_zero() || probe.timeout.is_zero() || probe.failure_threshold == 0
        };
        self.handler_deadline.is_some_and(|deadline| deadline.is_zero())
            || self.probe.as_ref().is_some_and(hopeless)
    }
}

impl ProbePolicy {
    /// Every 10 seconds, a second to answer, three misses: as Kubernetes has it.
    pub(crate) const fn standard() -> Self {
        Self { period: Duration::from_secs(10), timeout: Duration::from_secs(1), failure_threshold: 3 }
    }
}
