//! The ages of the oldest messages, from samples: no message has a time stamp.
//!
//! A sample knows how many messages a mailbox has accepted so far. If fewer have been handled by
//! now, the oldest queued message is at least as old as that sample.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use perennial_actors::MessageStats;

/// The most samples that are kept of one mailbox.
const MAX_SAMPLES: usize = 64;

/// The samples of all mailboxes of a system.
#[derive(Debug, Default)]
pub(crate) struct Ages(HashMap<u64, Samples>);

impl Ages {
    /// Takes a sample of one mailbox. Returns how long its oldest message has been queued at least,
    /// or `None` if it is empty.
    pub(crate) fn sample(&mut self, identity: u64, now: Duration, stats: MessageStats) -> Option<Duration> {
        self.0.entry(identity).or_default().add(now, stats)
    }

    /// Removes the mailboxes that are gone.
    pub(crate) fn retain(&mut self, exists: impl Fn(u64) -> bool) {
        self.0.retain(|identity, samples| exists(*identity) && !samples.0.is_empty());
    }
}

/// The samples of one mailbox whose messages were not all handled since: their times, and the
/// number of messages accepted by then.
#[derive(Debug, Default)]
struct Samples(VecDeque<(Duration, u64)>);

impl Samples {
    fn add(&mut self, now: Duration, stats: MessageStats) -> Option<Duration> {
        // As many as were accepted and are not queued any more. A message that was handled out of
        // its order makes the oldest one seem younger.
        let done = stats.accepted.saturating_sub(stats.queued);
        while self.0.front().is_some_and(|(_, accepted)| *accepted <= done) {
            self.0.pop_front();
        }
        if stats.accepted > done && self.0.back().is_none_or(|(_, accepted)| *accepted < stats.accepted) {
            self.0.push_back((now, stats.accepted));
            if self.0.len() > MAX_SAMPLES {
                self.thin_out();
            }
        }
        self.0.front().map(|(at, _)| now.saturating_sub(*at))
    }

    /// Removes every other sample but the first. The ages of later messages seem younger then.
    fn thin_out(&mut self) {
        let mut index = 0_usize;
        self.0.retain(|_| {
            index += 1;
            index == 1 || index % 2 == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(accepted: u64, queued: u64) -> MessageStats {
        MessageStats { accepted, queued, handled: accepted - queued, ..MessageStats::default() }
    }

    fn ages(samples: &[(u64, u64, u64)]) -> Vec<Option<u64>> {
        let mut ages = Ages::default();
        let secs = Duration::from_secs;
        let sample = |(now, accepted, queued): &(u64, u64, u64)| {
            ages.sample(1, secs(*now), stats(*accepted, *queued)).map(|age| age.as_secs())
        };
        samples.iter().map(sample).collect()
    }

    #[test]
    fn age_counts_from_the_first_sample_that_saw_the_oldest_message() {
        assert_eq!(ages(&[(0, 1, 1), (5, 1, 1), (9, 3, 3)]), [Some(0), Some(5), Some(9)]);
    }

    #[test]
    fn handled_message_passes_its_place_to_the_next() {
        // The second message was accepted between the samples at 0 and 4.
        assert_eq!(ages(&[(0, 1, 1), (4, 2, 2), (6, 2, 1), (7, 2, 0)]), [Some(0), Some(4), Some(2), None]);
    }

    #[test]
    fn empty_mailbox_has_no_age_and_is_forgotten() {
        let mut ages = Ages::default();
        assert_eq!(ages.sample(1, Duration::ZERO, stats(7, 0)), None);
        ages.retain(|_| true);
        assert!(ages.0.is_empty());
    }

    #[test]
    fn number_of_samples_is_bounded_and_the_oldest_age_is_kept() {
        let mut samples = Samples::default();
        for second in 0..1000 {
            let age = samples.add(Duration::from_secs(second), stats(second + 1, second + 1));
            assert_eq!(age, Some(Duration::from_secs(second)));
            assert!(samples.0.len() <= MAX_SAMPLES);
        }
    }
}
