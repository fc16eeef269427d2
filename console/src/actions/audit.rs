//! The log of the actions that clients tried, whether they succeeded or not.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use perennial_actors::host::sync::Mutex;

use crate::api::{ActionOutcome, AuditEntry, AuditOutcome, Problem, millis};

/// The most entries that are kept.
const KEPT: usize = 1000;

/// The longest path and target of a request that are kept, in characters.
const LONGEST: usize = 200;

/// The last actions.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    last: u64,
    entries: VecDeque<AuditEntry>,
}

impl Audit {
    /// Adds an action, and removes the oldest one if there are too many.
    pub(crate) fn add(
        &self,
        path: &str,
        target: Option<&str>,
        outcome: &Result<ActionOutcome, Problem>,
        remote: SocketAddr,
    ) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let short = |text: &str| text.chars().take(LONGEST).collect();
        let mut log = self.0.lock();
        log.last += 1;
        let entry = AuditEntry {
            number: log.last,
            at_millis: millis(since),
            action: short(path.rsplit('/').next().unwrap_or_default()),
            path: short(path),
            target: target.map(short),
            outcome: match outcome {
                Ok(outcome) if outcome.done => AuditOutcome::Done,
                Ok(_) => AuditOutcome::Started,
                Err(refused) => AuditOutcome::Refused(refused.error),
            },
            detail: match outcome {
                Ok(outcome) => outcome.detail.clone(),
                Err(refused) => Some(refused.detail.clone()),
            },
            remote: remote.to_string(),
        };
        log.entries.push_back(entry);
        if log.entries.len() > KEPT {
            log.entries.pop_front();
        }
    }

    /// Returns the entries, the newest first.
    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        self.0.lock().entries.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_log_keeps_the_last_entries_and_their_numbers() {
        let audit = Audit::default();
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let long = "x".repeat(10_000);
        for _ in 0..KEPT + 5 {
            audit.add(&format!("/{long}/kill"), Some(&long), &Ok(ActionOutcome::done()), remote);
        }
        let entries = audit.entries();
        assert_eq!(entries.len(), KEPT);
        assert_eq!(entries.first().map(|entry| entry.number), Some(KEPT as u64 + 5));
        assert_eq!(entries.last().map(|entry| entry.number), Some(6));
        assert!(entries.iter().all(|entry| (entry.path.len(), &*entry.action) == (LONGEST, "kill")));
        assert!(entries.iter().all(|entry| entry.target.as_deref() == Some(&long[..LONGEST])));
    }
}
