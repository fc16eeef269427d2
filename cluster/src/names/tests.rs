//! A view that follows a table over a stream that loses packets ends with the same names.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::key::{member, members_of, topic};
use super::{Applied, HybridClock, Key, NameTable, NameView, ViewChange};

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u64),
    Remove(u8),
    /// The next so many packets are lost.
    Lose(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u8..12, 0u64..9).prop_map(|(name, at)| Step::Set(name, at)),
        3 => (0u8..12).prop_map(Step::Remove),
        1 => (1u8..4).prop_map(Step::Lose),
    ];
    prop::collection::vec(step, 0..80)
}

/// Applies changes to the names that a subscriber of them would have.
fn note(known: &mut BTreeMap<String, ()>, changes: Vec<ViewChange>) {
    for change in changes {
        match change {
            ViewChange::Added(name) => assert!(known.insert(name, ()).is_none(), "added twice"),
            ViewChange::Removed(name) => assert!(known.remove(&name).is_some(), "removed twice"),
        }
    }
}

proptest! {
    #[test]
    fn view_of_a_lossy_stream_has_the_names_of_the_table(steps in steps(), part in 1usize..60) {
        let (mut table, mut view) = (NameTable::default(), NameView::new(1_000_000));
        let (mut known, mut losing) = (BTreeMap::new(), 0);
        for part in table.snapshot(part) {
            view.replace(part);
        }
        for step in steps {
            let delta = match step {
                Step::Set(name, at) => Some(table.set(&name.to_string(), at)),
                Step::Remove(name) => table.remove(&name.to_string()),
                Step::Lose(packets) => {
                    losing = packets;
                    None
                }
            };
            let Some(delta) = delta else { continue };
            if losing > 0 {
                losing -= 1;
                continue;
            }
            match view.apply(delta) {
                Applied::Changed(changes) => note(&mut known, changes),
                applied @ (Applied::Nothing | Applied::TooMany(_)) => {
                    prop_assert!(false, "no change is old here: {:?}", applied);
                }
                Applied::Gap => for part in table.snapshot(part) {
                    if let Applied::Changed(changes) = view.replace(part) {
                        note(&mut known, changes);
                    }
                }
            }
            let (ours, theirs) = (table.iter().collect::<Vec<_>>(), view.iter().collect::<Vec<_>>());
            prop_assert_eq!(&ours, &theirs);
            prop_assert!(known.keys().eq(ours.iter().map(|(name, _)| *name)));
        }
        note(&mut known, view.clear());
        prop_assert!(known.is_empty() && view.iter().next().is_none());
    }
}

#[test]
fn snapshot_that_misses_a_part_is_asked_for_again() {
    let mut table = NameTable::default();
    for name in 0..20 {
        table.set(&name.to_string(), 1);
    }
    let parts = table.snapshot(40);
    assert!(parts.len() > 3);
    let mut view = NameView::new(1_000_000);
    assert_eq!(view.replace(parts[1].clone()), Applied::Gap);
    assert_eq!(view.replace(parts[0].clone()), Applied::Nothing);
    let change = table.set("x", 2);
    assert_eq!(view.apply(change), Applied::Gap);
    assert_eq!(view.get("0"), None);
}

#[test]
fn a_hundred_thousand_names_arrive_in_parts() {
    let mut table = NameTable::default();
    for name in 0..100_000 {
        table.set(&format!("name-{name}"), 1);
    }
    let mut view = NameView::new(1_000_000);
    let parts = table.snapshot(256 * 1024);
    assert!((10..30).contains(&parts.len()), "{} parts", parts.len());
    for part in parts {
        view.replace(part);
    }
    assert_eq!(view.iter().count(), 100_000);
}

#[test]
fn names_beyond_the_limit_close_the_view_until_the_next_connection() {
    let mut table = NameTable::default();
    table.set("0", 1);
    let mut view = NameView::new(2);
    for part in table.snapshot(40) {
        view.replace(part);
    }
    assert!(matches!(view.apply(table.set("1", 1)), Applied::Changed(_)));
    assert!(matches!(view.apply(table.set("1", 2)), Applied::Changed(_)), "it is known");
    let known = ["0", "1"].map(|name| ViewChange::Removed(name.to_owned()));
    assert_eq!(view.apply(table.set("2", 1)), Applied::TooMany(known.to_vec()));
    assert_eq!(view.apply(table.set("3", 1)), Applied::Nothing);
    assert_eq!(
        table.snapshot(4000).into_iter().map(|part| view.replace(part)).next(),
        Some(Applied::Nothing)
    );
    assert_eq!(view.iter().count(), 0);
    assert_eq!(view.clear(), []);
    assert!(matches!(view.replace(table.snapshot(4000).remove(0)), Applied::TooMany(_)), "a part is enough");
}

#[test]
fn long_names_fill_the_view_before_their_number_does() {
    let (mut table, mut view) = (NameTable::default(), NameView::new(100));
    for name in 0..100 {
        table.set(&format!("{name:03000}"), 1);
    }
    let applied = table.snapshot(16 * 1024).into_iter().map(|part| view.replace(part));
    assert!(applied.collect::<Vec<_>>().contains(&Applied::TooMany(Vec::new())));
    let (mut table, mut view) = (NameTable::default(), NameView::new(100));
    view.replace(table.snapshot(1_000).remove(0));
    for round in 0..1_000 {
        let name = format!("{round:03000}");
        assert!(matches!(view.apply(table.set(&name, 1)), Applied::Changed(_)), "{round}");
        let removed = table.remove(&name).expect("it is there");
        assert!(matches!(view.apply(removed), Applied::Changed(_)), "{round}");
    }
    let applied = (0..100).map(|name| view.apply(table.set(&format!("{name:03000}"), 1)));
    assert!(applied.collect::<Vec<_>>().iter().any(|applied| matches!(applied, Applied::TooMany(_))));
}

#[test]
fn binding_is_later_than_all_that_were_seen_whatever_the_clock_says() {
    let mut clock = HybridClock::default();
    assert_eq!(clock.next(50), 50);
    assert_eq!(clock.next(50), 51);
    clock.observe(100);
    clock.observe(7);
    assert_eq!(clock.next(60), 101);
    assert_eq!(clock.next(1_000), 1_000);
}

proptest! {
    #[test]
    fn keys_are_read_as_they_were_written(group in ".{0,9}", number: u64, other in ".{0,9}") {
        let text = member(&group, number);
        prop_assert_eq!(Key::parse(&text), Key::Member(&group, number));
        prop_assert_eq!(text.starts_with(&members_of(&other)), group == other);
        let topic = topic(&group);
        prop_assert_eq!(Key::parse(&topic), Key::Topic(&group));
        prop_assert!(Key::is_reserved(&text) && Key::is_reserved(&topic));
    }

    #[test]
    fn any_text_is_a_key(text in "(\0g?)?[0-9]{0,2}:?.{0,9}") {
        let key = Key::parse(&text);
        prop_assert!(!matches!(key, Key::Name(name) if name != text));
    }
}
