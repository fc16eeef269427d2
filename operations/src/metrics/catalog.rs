//! All metrics: their names, kinds, units and labels.

use ::metrics::Unit;

/// A metric: its name and what it means.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MetricInfo {
    /// The name.
    pub name: &'static str,
    /// Whether it is a counter, a gauge or a histogram.
    pub kind: MetricKind,
    /// The unit: `seconds` or `count`.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub description: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

impl MetricInfo {
    pub(super) fn unit(&self) -> Unit {
        if self.unit == "seconds" { Unit::Seconds } else { Unit::Count }
    }
}

macro_rules! metrics {
    ($($id:ident $kind:ident $unit:ident $name:literal [$($label:literal),*] $text:literal;)*) => {
        $(pub(super) const $id: &MetricInfo = &MetricInfo {
            name: concat!("perennial_", $name),
            kind: MetricKind::$kind,
            unit: stringify!($unit),
            labels: &[$($label),*],
            description: $text,
        };)*

        /// All metrics.
        pub(super) const ALL: &[&MetricInfo] = &[$($id),*];
    };
}

metrics! {
    ACTORS Gauge count "actors" ["actor", "state"] "Actors that are not closed.";
    STARTS Counter count "actor_starts_total" ["actor"] "Incarnations that started.";
    ENDS Counter count "actor_ends_total" ["actor", "reason"] "Incarnations that ended.";
    ABANDONED Counter count "actors_abandoned_total" ["actor"] "Incarnations that did not end when they were killed.";
    RECOVERY Histogram seconds "recovery_seconds" ["actor"] "Time from the end of an incarnation to the start of the next.";
    MESSAGES Counter count "messages_total" ["actor", "outcome"] "Messages that do not wait any more.";
    MAILBOX Gauge count "mailbox_messages" ["actor"] "Messages that wait, with those in flight.";
    OLDEST Gauge seconds "mailbox_oldest_seconds" ["actor"] "How long the oldest message has waited at least.";
    BUSY Gauge seconds "handler_busy_seconds" ["actor"] "How long a handler has been running at least.";
    HANDLE Histogram seconds "handle_seconds" ["actor"] "Time that handlers took, sampled.";
    WAIT Histogram seconds "mailbox_wait_seconds" ["actor"] "Time that messages waited before they were handled, sampled.";
    CALL_TIMEOUTS Counter count "call_timeouts_total" ["actor"] "Calls to an actor that ended at their timeout.";
    RESTARTS Counter count "restarts_total" ["supervisor", "child", "reason"] "Restarts; that of a group counts once.";
    START_FAILURES Counter count "start_failures_total" ["supervisor", "child", "reason"] "Starts that failed.";
    START_LIMITS Counter count "start_limit_hits_total" ["supervisor", "child"] "Children that were not restarted because of their start limit.";
    UNRESPONSIVE Counter count "unresponsive_total" ["supervisor", "child", "check"] "Liveness checks that failed.";
    ESCALATIONS Counter count "escalations_total" ["supervisor"] "Supervisors that exceeded their intensity.";
    BUDGET Gauge count "restart_budget_left" ["supervisor"] "Restarts that a supervisor tolerates at the moment.";
    DEAD_LETTERS Counter count "dead_letters_total" ["reason"] "Messages that were accepted and not handled.";
    DEADLOCKS Counter count "deadlocks_total" [] "Circles of calls, while the system is watched for them.";
    MISSED Counter count "events_missed_total" [] "Events that were lost before they were counted.";
    JOBS Gauge count "jobs" ["pool", "state"] "Jobs that are not over.";
    JOBS_SUBMITTED Counter count "jobs_submitted_total" ["pool"] "Jobs that were accepted.";
    JOBS_ENDED Counter count "jobs_total" ["pool", "outcome"] "Jobs that are over.";
    JOB_RETRIES Counter count "job_retries_total" ["pool", "why"] "Attempts that are followed by another.";
    JOBS_OLDEST Gauge seconds "jobs_oldest_seconds" ["pool"] "How long the oldest queued job has waited at least.";
    JOB_WAIT Histogram seconds "job_wait_seconds" ["pool"] "Time that jobs waited before they started, sampled.";
    JOB_RUN Histogram seconds "job_run_seconds" ["pool"] "Time that attempts took, sampled.";
    WORKERS Gauge count "workers" ["pool", "state"] "Workers of a pool.";
    WORKERS_WANTED Gauge count "workers_wanted" ["pool"] "The target number of workers.";
    NAMES Gauge count "names" [] "Names that are bound.";
    GROUP_MEMBERS Gauge count "group_members" ["group"] "Members of a group.";
    TOPICS Gauge count "topics" [] "Topics that have subscribers.";
    KEYS Gauge count "keys" ["table"] "Keys of a table that the program shows.";
}
