//! Every part of an entry leaves the table once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::pending::Pending;

#[derive(Clone, Debug)]
enum Step {
    Insert(u32, bool),
    Answered(u64, u32),
    Dropped(u64, u32),
    Accepted(u64),
    Remove(u64),
    Cancel(u64, u32),
    TakeReport(u64),
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0u32..4, any::<bool>()).prop_map(|(replies, report)| Step::Insert(replies, report)),
        3 => (0u64..20, 0u32..4).prop_map(|(id, index)| Step::Answered(id, index)),
        3 => (0u64..20, 0u32..4).prop_map(|(id, index)| Step::Dropped(id, index)),
        1 => (0u64..20).prop_map(Step::Accepted),
        1 => (0u64..20).prop_map(Step::Remove),
        2 => (0u64..20, 0u32..4).prop_map(|(id, below)| Step::Cancel(id, below)),
        1 => (0u64..20).prop_map(Step::TakeReport),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 0..100)
}

proptest! {
    #[test]
    fn each_reply_and_each_report_leaves_once(steps in steps()) {
        let mut table = Pending::new();
        // What is in the table: replies by their index, the report as `u32::MAX`.
        let mut inside: BTreeSet<(u64, u32)> = BTreeSet::new();
        let take = |inside: &mut BTreeSet<(u64, u32)>, part: (u64, u32)| assert!(inside.remove(&part));
        let mut next = 0;
        for step in steps {
            match step {
                Step::Insert(replies, report) => {
                    next += 1;
                    let parts = (0..replies).map(|index| (next, index));
                    let id = table.insert(parts.clone().collect(), report.then_some((next, u32::MAX)));
                    prop_assert_eq!(id, next);
                    inside.extend(parts.chain(report.then_some((next, u32::MAX))));
                }
                Step::Answered(id, index) => if let Some((part, report)) = table.answered(id, index) {
                    take(&mut inside, part);
                    let is_last = !inside.iter().any(|(entry, index)| *entry == id && *index != u32::MAX);
                    prop_assert!(is_last || report.is_none());
                    report.into_iter().for_each(|part| take(&mut inside, part));
                },
                Step::Dropped(id, index) => if let Some((part, report)) = table.dropped(id, index) {
                    take(&mut inside, part);
                    report.into_iter().for_each(|part| take(&mut inside, part));
                },
                Step::Accepted(id) => table.accepted(id).into_iter().for_each(|part| take(&mut inside, part)),
                Step::Remove(id) => if let Some(entry) = table.remove(id) {
                    let parts = entry.replies.into_iter().flatten().chain(entry.report);
                    parts.for_each(|part| take(&mut inside, part));
                },
                // Nothing waits for the replies below an index.
                Step::Cancel(id, below) => {
                    let (entry, is_over) = table.cancel(id, |(_, index)| *index < below);
                    if let Some(entry) = entry {
                        let parts = entry.replies.into_iter().flatten().chain(entry.report);
                        parts.for_each(|part| take(&mut inside, part));
                        let is_left = inside.iter().any(|(entry, _)| *entry == id);
                        prop_assert_eq!(is_over, !is_left, "replies that others wait for stay");
                    }
                }
                Step::TakeReport(id) => {
                    table.take_report(id).into_iter().for_each(|part| take(&mut inside, part));
                }
                Step::Drain => for entry in table.drain() {
                    let parts = entry.replies.into_iter().flatten().chain(entry.report);
                    parts.for_each(|part| take(&mut inside, part));
                },
            }
            let entries: BTreeSet<u64> = inside.iter().map(|(id, _)| *id).collect();
            prop_assert!(table.len() >= entries.len());
        }
        for entry in table.drain() {
            entry.replies.into_iter().flatten().chain(entry.report).for_each(|part| take(&mut inside, part));
        }
        prop_assert!(inside.is_empty());
        prop_assert_eq!(table.len(), 0);
    }
}
