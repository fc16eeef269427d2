//! The places of added slots.

use crate::pool::runtime::addresses::place_of;

#[test]
fn each_added_slot_has_a_place_of_its_own() {
    let places: Vec<_> = (0..7).filter_map(place_of).collect();
    assert_eq!(places, [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)]);
    assert_eq!(place_of(u32::MAX as usize - 1), Some((31, (1 << 31) - 1)));
    assert_eq!(place_of(usize::MAX), None);
}
