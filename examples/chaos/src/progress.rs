//! The line that shows the progress on a terminal.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial::{SupervisionStats, System};
use tokio::time;

use super::journal::Journal;
use super::output::to_stderr;
use super::text::{Bytes, counted};

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(100);

/// What the line shows.
pub struct Progress {
    pub journal: Arc<Journal>,
    pub system: System,
    /// How many faults took effect.
    pub faults: Arc<AtomicU64>,
    /// How many there will be.
    pub planned: usize,
}

impl Progress {
    /// Draws the line until its task is aborted, if the standard error is a terminal. Prints once
    /// that the work is done and faults are still to come.
    pub async fn show(self) {
        let mut line = Line { is_terminal: io::stderr().is_terminal() };
        let mut tick = time::interval(TICK);
        let mut is_announced = false;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.journal.completed(), if !is_announced => {
                    is_announced = true;
                    line.clear();
                    let files = counted(self.journal.len(), "file");
                    print_line!("chaos: {files} indexed; faults are injected until the end of the plan");
                }
            }
            line.draw(&self.text());
        }
    }

    fn text(&self) -> String {
        let SupervisionStats { restarts, escalations, .. } = SupervisionStats::of(&self.system);
        format!(
            "{} of {} files, {}; {} of {} faults, {}, {}",
            self.journal.len(),
            self.journal.found(),
            Bytes(self.journal.bytes()),
            self.faults.load(Ordering::Relaxed),
            self.planned,
            counted(restarts, "restart"),
            counted(escalations, "escalation"),
        )
    }
}

/// The last line of a terminal. It is empty again when this is dropped.
struct Line {
    is_terminal: bool,
}

/// Moves to the start of the line and clears it.
const CLEAR: &str = "\r\x1b[2K";

impl Line {
    fn draw(&mut self, text: &str) {
        if self.is_terminal {
            to_stderr(format_args!("{CLEAR}{text}"));
        }
    }

    fn clear(&mut self) {
        self.draw("");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}
