//! All metrics of this crate: their names, kinds, units and labels.

/// A metric: its name and what it means.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// `seconds` or `count`.
    pub(super) unit: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) description: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($id:ident $kind:ident $unit:ident $name:literal [$($label:literal),*] $text:literal;)*) => {
        $(pub(crate) const $id: &Metric = &Metric {
            name: concat!("perennial_", $name),
            kind: Kind::$kind,
            unit: stringify!($unit),
            labels: &[$($label),*],
            description: $text,
        };)*

        /// All metrics.
        pub(super) const ALL: &[&Metric] = &[$($id),*];
    };
}

metrics! {
    STORED Gauge count "durable_jobs" ["queue", "state"] "Jobs in the store, of all processes.";
    PAUSED Gauge count "durable_queue_paused" ["queue"] "1 if the queue is paused.";
    SUBMITTED Counter count "durable_jobs_submitted_total" ["queue"] "Jobs that were stored.";
    ENDED Counter count "durable_jobs_total" ["queue", "outcome"] "Jobs that are over.";
    ATTEMPTS Counter count "durable_job_attempts_total" ["queue", "why"] "Attempts that ended, and why.";
    RETRIES Counter count "durable_job_retries_total" ["queue"] "Attempts that are followed by another.";
    RESCUED Counter count "durable_jobs_rescued_total" ["queue"] "Jobs of ended processes that are tried again.";
    WAIT Histogram seconds "durable_job_wait_seconds" ["queue"] "Time from when a job is due to its lease.";
    COMMIT Histogram seconds "store_commit_seconds" ["store"] "Time that transactions took, with their commit.";
    BATCH Histogram count "store_batch_size" ["store"] "Requests that one transaction has committed.";
}
