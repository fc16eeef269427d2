//! The checks by name, and how they are run.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::opener::{Failure, Opener};
use super::{attempts, histories, jobs, journals, leases, processes};

/// The future of a check.
type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// A check: a promise as a name, and the function that tries it.
struct Check {
    name: &'static str,
    run: for<'a> fn(&'a Opener) -> Checked<'a>,
}

macro_rules! checks {
    ($($module:ident: $($name:ident)*;)*) => {
        const CHECKS: &[Check] = &[$($(Check {
            name: stringify!($name),
            run: |opener| Box::pin($module::$name(opener)),
        },)*)*];
    };
}

checks! {
    jobs:
        a_job_is_read_back_as_it_was_stored
        jobs_outlive_the_process
        numbers_ascend_and_are_never_used_again
        the_jobs_of_one_batch_are_numbered_in_its_order
        a_number_that_no_job_has_names_none
        a_batch_with_a_conflict_changes_nothing
        a_dropped_future_does_not_undo_its_commit
        concurrent_commits_are_all_applied
        a_unique_job_is_stored_once_while_it_is_not_over
        a_unique_job_that_is_over_counts_if_asked_and_only_within_its_period
        jobs_are_listed_by_queue_and_state_in_pages
        the_jobs_of_all_queues_are_counted_by_state
        a_commit_changes_the_number_of_changes
        the_check_of_a_sound_store_passes;
    leases:
        jobs_are_leased_by_priority_and_number
        a_job_is_leased_once
        a_delayed_job_is_not_leased_before_it_is_due
        an_expired_job_is_over_and_dead_if_it_had_failed
        jobs_of_one_key_run_one_after_the_other
        a_paused_queue_leases_nothing_and_others_do
        a_lease_sees_what_its_batch_did_before
        a_batch_with_a_conflict_leases_nothing
        a_pause_outlives_the_process;
    attempts:
        an_output_is_kept_as_long_as_it_is_retained
        a_job_without_retention_is_gone_when_it_has_completed
        a_retry_waits_until_it_is_due_and_keeps_its_history
        a_late_outcome_is_refused
        a_cancelled_job_is_over_and_its_attempt_is_stale
        a_dead_job_is_kept_and_retried_with_all_its_attempts
        a_job_of_unknown_outcome_is_kept_and_not_leased
        a_job_is_removed_unless_it_runs
        progress_is_that_of_the_attempt_that_runs;
    histories:
        the_history_has_the_progress_of_each_attempt
        a_long_history_is_cut_and_says_what_was_cut
        a_dead_job_is_removed_when_its_own_retention_is_over
        a_job_of_unknown_outcome_is_completed_by_hand;
    processes:
        epochs_ascend
        running_jobs_of_an_ended_process_are_orphans_and_those_of_this_one_are_not
        an_orphan_is_finished_once_and_its_next_attempt_has_the_next_number
        a_key_is_free_when_its_orphan_is_finished;
    journals:
        events_are_numbered_without_gaps_and_outlive_the_process
        an_event_at_the_wrong_place_is_refused
        a_new_writer_fences_the_one_before
        a_snapshot_replaces_the_one_before_and_is_not_ahead_of_the_events
        the_feed_has_the_events_of_all_journals_in_the_order_of_commits
        events_a_snapshot_and_a_job_are_one_commit
        an_erased_journal_is_empty_and_its_writer_fenced
        a_refused_batch_leaves_the_ends_of_its_journals
        the_position_of_an_erased_event_is_not_given_again;
}

/// Returns the names of the checks.
pub fn checks() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

/// Runs every check on a store of its own.
pub async fn run(make: impl Fn() -> Opener) -> Report {
    let mut report = Report::default();
    for check in CHECKS {
        match (check.run)(&make()).await {
            Ok(()) => report.passed.push(check.name),
            Err(failure) => report.failed.push((check.name, failure)),
        }
    }
    report
}

/// Runs the check with this name on a store.
///
/// # Errors
///
/// What was expected and what was found, or that there is no such check.
pub async fn run_check(name: &str, opener: &Opener) -> Result<(), String> {
    match CHECKS.iter().find(|check| check.name == name) {
        Some(check) => (check.run)(opener).await,
        None => Err(format!("there is no check {name}")),
    }
}

/// The result of the suite.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The checks that passed.
    pub passed: Vec<&'static str>,
    /// The checks that failed, and why.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Returns `true` if every check passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failed.is_empty() && self.passed.len() == CHECKS.len()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} checks passed", self.passed.len(), CHECKS.len())?;
        for (name, failure) in &self.failed {
            write!(f, "\n{name}: {failure}")?;
        }
        Ok(())
    }
}
