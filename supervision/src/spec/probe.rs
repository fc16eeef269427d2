//! The liveness probe of a child: a message that the child answers, or a check beside it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::{Foreign, Guarded, catch_panics};
use perennial_actors::{Address, Reply};

use super::check::{CheckResult, CheckRunner};
use crate::policy::ProbePolicy;

/// A liveness probe, like Kubernetes' one: a supervisor probes its child at intervals, and a child
/// that fails several probes in a row is unresponsive.
///
/// A [message](Self::new) has to be answered by the child in time. It waits in the child's mailbox
/// like any other message. Choose a timeout above the time that the child needs for a full mailbox:
/// otherwise a busy child counts as unresponsive. A [check](Self::from_fn) runs beside the child
/// and waits for nothing. It also works for tasks, which have no mailbox.
///
/// By default a child is probed every 10 seconds, has 1 second to answer, and is unresponsive after
/// 3 failures in a row, as in Kubernetes. The first probe follows one period after the start.
/// Kubernetes' `successThreshold` of a liveness probe is always 1.
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
    method: Method<M>,
}

/// How a child is probed.
enum Method<M> {
    /// By the message that this makes.
    Message(Arc<dyn Fn(Reply<()>) -> M + Send + Sync>),
    /// By a check beside the child.
    Check(Box<dyn Fn(Duration) -> Answer + Send + Sync>),
}

/// Resolves to `true` if the child is alive.
pub(crate) type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

impl<M> Probe<M> {
    /// Creates a probe that sends the message which `make_message` returns.
    pub fn new(make_message: impl Fn(Reply<()>) -> M + Send + Sync + 'static) -> Self {
        let make_message = Foreign::new(make_message);
        Self::with(Method::Message(Arc::new(move |reply| (*make_message)(reply))))
    }

    /// Creates a probe that calls `check`, in a task of its own beside the child: Kubernetes' exec
    /// and HTTP probes. It fails if it returns `false` or an error, panics, or takes too long, and
    /// is dropped then. A check that blocks its thread also fails.
    ///
    #[doc = supervision_example!(
        r#"let probe = Probe::from_fn(|| async { std::fs::exists("/") });
let child = clock("clock").probe(probe.initial_delay(Duration::from_secs(30)));
let app = Supervisor::new("app").child(child).start(&System::new()).await?;
# assert!(app.shutdown().await.is_clean());"#
    )]
    pub fn from_fn<F, Fut>(check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: CheckResult> + Send + 'static,
    {
        let (check, runner) = (Arc::new(Foreign::new(check)), CheckRunner::default());
        Self::checked_by(move |timeout| {
            let (check, runner) = (check.clone(), runner.clone());
            Box::pin(async move { runner.run(timeout, move || (*check)()).await })
        })
    }

    /// Creates a probe that `check` answers within the timeout that it gets.
    pub(crate) fn checked_by(check: impl Fn(Duration) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(Method::Check(Box::new(check)))
    }

    const fn with(method: Method<M>) -> Self {
        Self { policy: ProbePolicy::standard(), method }
    }

    /// Sets the timing.
    pub(crate) const fn timed(mut self, policy: ProbePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the time from the start of the child to the first probe; one
    /// [period](Self::period) by default. Kubernetes' `initialDelaySeconds`.
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.policy.initial_delay = Some(delay);
        self
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

impl<M: Send + 'static> Probe<M> {
    /// Probes the child with this address.
    pub(super) fn send(&self, address: Address<M>) -> Answer {
        let timeout = self.policy.timeout;
        let make_message = match &self.method {
            Method::Check(check) => return check(timeout),
            Method::Message(make_message) => make_message.clone(),
        };
        // Creating or dropping the message runs the user's code, which may panic. A panic counts as
        // no answer.
        let answered = async move {
            Guarded::new(address.call(|reply| make_message(reply)).timeout(timeout).await).is_ok()
        };
        Box::pin(async move { catch_panics(None, answered).await.unwrap_or(false) })
    }
}

impl<M> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("policy", &self.policy).finish_non_exhaustive()
    }
}
