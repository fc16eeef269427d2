//! Histories that are too long.

use crate::history::{AttemptFailure, AttemptRecord, MAX_HISTORY, shorten};
use crate::numbers::{Epoch, Timestamp};

fn attempt(number: u32) -> AttemptRecord {
    let failure = Some(match number % 3 {
        0 => AttemptFailure::Error("no".to_owned()),
        1 => AttemptFailure::ProcessEnded,
        _ => AttemptFailure::Released,
    });
    let (started, ended) = (Timestamp(u64::from(number)), Timestamp(u64::from(number) + 1));
    AttemptRecord { number, epoch: Epoch(1), started, ended, failure, progress: None }
}

/// Returns what the failures that are not forgiven count for.
fn counted(history: &[AttemptRecord], forgiven: u32) -> (u32, u32) {
    let counted = history.iter().skip(forgiven as usize).filter_map(|attempt| attempt.failure.as_ref());
    counted.map(AttemptFailure::counts).fold((0, 0), |sum, it| (sum.0 + it.failed, sum.1 + it.lost))
}

#[test]
fn a_history_stays_short_and_counts_the_same_wherever_it_was_forgiven() {
    for forgiven_after in 0..350 {
        let (mut all, mut cut) = (Vec::new(), Vec::new());
        let (mut forgiven_of_all, mut forgiven) = (0, 0);
        for number in 1..=350 {
            all.push(attempt(number));
            cut.push(attempt(number));
            forgiven = shorten(&mut cut, forgiven);
            if number == forgiven_after {
                forgiven_of_all = number;
                forgiven = u32::try_from(cut.len()).unwrap();
            }
            assert!(cut.len() <= MAX_HISTORY);
            let expected = counted(&all, forgiven_of_all);
            assert_eq!(counted(&cut, forgiven), expected, "{number}, {forgiven_after}");
        }
        let AttemptRecord { number, started, ended, failure, .. } = &cut[0];
        assert_eq!((*number, *started, *ended), (251, Timestamp(1), Timestamp(252)));
        let attempts = failure.as_ref().map(|failure| failure.counts().attempts);
        assert_eq!((attempts, cut[1].number), (Some(251), 252));
    }
}
