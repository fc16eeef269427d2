//! The settings of a pool that detect workers which are unresponsive or not ready.

use std::time::Duration;

use super::builder::Pool;
use super::probe::WorkerProbe;
use super::worker::Work;

impl<W: Work + 'static> Pool<W> {
    /// Sets a watchdog, like systemd's `WatchdogSec=`: a worker whose job does not
    /// [ping](super::JobContext::ping) for this time is unresponsive. It is stopped, within
    /// its [shutdown time](Self::shutdown), and replaced. The job is retried like that of a worker
    /// that was lost, unless it has ended by then. Reports of
    /// [progress](super::JobContext::set_progress) are pings too.
    ///
    /// A job that takes less time needs no ping, and an idle worker is not silent. A job that takes
    /// long may go on as long as it pings, which the
    /// [`handler_deadline`](Self::handler_deadline) does not allow: see
    /// [`Child::watchdog`](crate::Child::watchdog). A time of zero is
    /// [an error](crate::SpecError::ZeroLiveness) when the pool starts.
    ///
    #[doc = setting_example!("let pool = pool.watchdog(Duration::from_secs(30));")]
    pub const fn watchdog(mut self, time: Duration) -> Self {
        self.watchdog = Some(time);
        self
    }

    /// Sets a liveness probe, like Kubernetes' `livenessProbe`: a worker that fails it
    /// [several times in a row](WorkerProbe::failure_threshold) is unresponsive. It is stopped and
    /// replaced, and its job is retried like that of a worker that was lost.
    ///
    /// The probe runs beside the jobs, so it may ask for what the worker needs, and not whether it
    /// works: [`handler_deadline`](Self::handler_deadline) detects that. The
    /// [`start_timeout`](Self::start_timeout) detects an `init` that hangs.
    ///
    /// A duration or a threshold of zero, and a [success
    /// threshold](WorkerProbe::success_threshold) other than 1, are [errors](crate::SpecError)
    /// when the pool starts.
    ///
    #[doc = setting_example!(
        r"let probe = WorkerProbe::new(|_: WorkerContext| ready(true));
let pool = pool.probe(probe.period(Duration::from_secs(5)));"
    )]
    pub fn probe(mut self, probe: WorkerProbe) -> Self {
        self.probes.liveness = Some(probe);
        self
    }

    /// Sets a readiness probe, like Kubernetes' `readinessProbe`: a worker is unready and gets no
    /// jobs until it has passed the probe, and again when it fails it [several times in a
    /// row](WorkerProbe::failure_threshold). It keeps running: see
    /// [`WorkerContext::set_ready`](super::WorkerContext::set_ready). A worker is ready if both the
    /// probe and the worker say so.
    ///
    /// A duration or a threshold of zero is [an error](crate::SpecError::ZeroLiveness) when the
    /// pool starts.
    ///
    #[doc = setting_example!(
        r"let probe = WorkerProbe::new(|_: WorkerContext| ready(true));
let pool = pool.readiness(probe.success_threshold(2).period(Duration::from_millis(1)));"
    )]
    pub fn readiness(mut self, probe: WorkerProbe) -> Self {
        self.handle.shared.lock_state().scheduler.require_probe();
        self.probes.readiness = Some(probe);
        self
    }
}
