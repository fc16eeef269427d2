//! Retained results: too many, too old, and how many at once.

use std::time::Duration;

use crate::pool::scheduler::Retention;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_oldest_item_gives_way_when_there_are_too_many() {
    let mut kept = Retention::new(2, secs(60));
    assert_eq!(kept.next_deadline(), None);
    // The numbers do not matter: the oldest is the first that ended.
    assert_eq!(kept.insert(7, "a", secs(0)), None);
    assert_eq!(kept.insert(3, "b", secs(1)), None);
    assert_eq!(kept.insert(5, "c", secs(2)), Some("a"));
    assert_eq!((kept.get(7), kept.get(3), kept.get(5)), (None, Some(&"b"), Some(&"c")));
    assert_eq!(kept.next_deadline(), Some(secs(61)));
}

#[test]
fn items_expire_in_order_and_a_few_at_once() {
    let mut kept = Retention::new(100, secs(60));
    for number in 0..4 {
        assert_eq!(kept.insert(number, number, secs(number)), None);
    }
    assert_eq!(kept.expire(secs(59), 9), []);
    assert_eq!(kept.expire(secs(60), 9), [0]);
    assert_eq!(kept.expire(secs(70), 2), [1, 2]);
    assert_eq!((kept.get(2), kept.next_deadline()), (None, Some(secs(63))));
    assert_eq!(kept.clear(), [3]);
    assert_eq!((kept.get(3), kept.next_deadline()), (None, None));
}
