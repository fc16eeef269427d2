//! The line that a person watches while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use perennial::{SupervisionStats, System};

use super::journal::Journal;

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// Draws the line until it is dropped by its task being aborted. Not a terminal, no line.
pub async fn show(journal: Arc<Journal>, system: System, faults: Arc<AtomicU64>, quiet: bool) {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed_precise}] {msg}") {
        bar.set_style(style);
    }
    let bar = Clearing(bar);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        let SupervisionStats { restarts, escalations, .. } = SupervisionStats::of(&system);
        bar.0.set_message(format!(
            "{}/{} files, {}; {} faults, {restarts} restarts, {escalations} escalations",
            journal.len(),
            journal.found(),
            HumanBytes(journal.bytes()),
            faults.load(Ordering::Relaxed),
        ));
        bar.0.tick();
    }
}

/// Leaves the terminal as it was.
struct Clearing(ProgressBar);

impl Drop for Clearing {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
