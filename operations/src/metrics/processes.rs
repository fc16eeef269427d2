//! Counts messages, and measures mailboxes and supervisors.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ::metrics::SharedString;
use perennial_actors::{MessageStats, ProcessState};

use super::catalog::{ACTORS, BUDGET, BUSY, MAILBOX, MESSAGES, OLDEST};
use super::series::OTHER;
use super::tally::Tally;
use crate::figures::{ProcessFigures, TreeNode};

/// What was counted of the messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The counts of each actor that were added to those of its label.
    counted: HashMap<u64, MessageStats>,
    /// The sum of what was added.
    attributed: MessageStats,
}

/// What the actors of one label have in common.
#[derive(Default)]
struct Kind {
    starting: usize,
    running: usize,
    down: usize,
    queued: u64,
    oldest: Duration,
    busy: Duration,
}

impl Messages {
    /// Adds what an actor has counted since it was read last to the counts of its label.
    pub(super) fn count(&mut self, identity: u64, label: &str, messages: MessageStats, tally: &mut Tally) {
        let last = self.counted.entry(identity).or_default();
        let new = grown(last, messages);
        add(last, new);
        add(&mut self.attributed, new);
        count_outcomes(&tally.actor(label), new, tally);
    }

    /// Counts as those of other actors what `total` exceeds the counts of all labels by. The total
    /// was read before them.
    pub(super) fn count_rest(&mut self, total: MessageStats, tally: &mut Tally) {
        let rest = grown(&self.attributed, total);
        add(&mut self.attributed, rest);
        count_outcomes(&OTHER, rest, tally);
    }

    /// Measures the actors.
    pub(super) fn measure(&mut self, processes: &BTreeMap<u64, ProcessFigures>, tally: &mut Tally) {
        let mut kinds: HashMap<SharedString, Kind> = HashMap::new();
        for (identity, process) in processes {
            let Some(label) = &process.label else { continue };
            self.count(*identity, label, process.messages, tally);
            kinds.entry(tally.actor(label)).or_default().add(process);
        }
        for (actor, kind) in kinds {
            for (state, number) in
                [("running", kind.running), ("starting", kind.starting), ("down", kind.down)]
            {
                tally.series.add(ACTORS, vec![actor.clone(), state.into()], number as f64);
            }
            tally.series.add(MAILBOX, vec![actor.clone()], kind.queued as f64);
            tally.series.raise(OLDEST, vec![actor.clone()], kind.oldest.as_secs_f64());
            tally.series.raise(BUSY, vec![actor], kind.busy.as_secs_f64());
        }
    }

    /// Removes the actors that are gone.
    pub(super) fn retain(&mut self, exists: impl Fn(u64) -> bool) {
        self.counted.retain(|identity, _| exists(*identity));
    }
}

fn count_outcomes(actor: &SharedString, new: MessageStats, tally: &mut Tally) {
    for (outcome, number) in [
        ("handled", new.handled),
        ("lost_in_flight", new.lost_in_flight),
        ("dead_lettered", new.dead_lettered),
    ] {
        tally.series.count(MESSAGES, vec![actor.clone(), outcome.into()], number);
    }
}

/// Measures the supervisors, but not those that tolerate any number of restarts. `paths` are the
/// labels of those that run.
pub(super) fn measure_trees(trees: &[TreeNode], paths: &HashMap<u64, SharedString>, tally: &mut Tally) {
    let mut least: HashMap<&SharedString, u32> = HashMap::new();
    for TreeNode { identity, restarts_left, .. } in trees {
        let left = restarts_left.filter(|left| *left != u32::MAX);
        if let (Some(path), Some(left)) = (paths.get(identity), left) {
            let known = least.entry(path).or_insert(left);
            *known = left.min(*known);
        }
    }
    for (supervisor, left) in least {
        tally.series.add(BUDGET, vec![supervisor.clone()], f64::from(left));
    }
}

impl Kind {
    fn add(&mut self, process: &ProcessFigures) {
        match process.state {
            ProcessState::Alive(_) if process.is_starting => self.starting += 1,
            ProcessState::Alive(_) => self.running += 1,
            _ => self.down += 1,
        }
        self.queued += process.messages.queued;
        self.oldest = self.oldest.max(process.oldest_waited_at_least.unwrap_or_default());
        self.busy = self.busy.max(process.busy_for_at_least.unwrap_or_default());
    }
}

/// Returns by how much the counts of outcomes have grown.
fn grown(last: &MessageStats, now: MessageStats) -> MessageStats {
    MessageStats {
        handled: now.handled.saturating_sub(last.handled),
        lost_in_flight: now.lost_in_flight.saturating_sub(last.lost_in_flight),
        dead_lettered: now.dead_lettered.saturating_sub(last.dead_lettered),
        ..MessageStats::default()
    }
}

fn add(stats: &mut MessageStats, new: MessageStats) {
    stats.handled += new.handled;
    stats.lost_in_flight += new.lost_in_flight;
    stats.dead_lettered += new.dead_lettered;
}
