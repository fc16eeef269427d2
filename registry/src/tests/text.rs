//! Name keys of any length are found by their bytes, and return the key unchanged.

use std::borrow::Borrow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::name_key::NameKey;

#[test]
fn name_key_of_any_length_returns_its_text_and_is_found_by_its_bytes() {
    let hasher = RandomState::default();
    for length in 0..300 {
        let original: String = "names of ünïts, ".chars().cycle().take(length).collect();
        let key = NameKey::from(&*original);
        assert_eq!(String::from(&key), original);
        let bytes: &[u8] = key.borrow();
        assert_eq!(bytes, original.as_bytes());
        assert_eq!(hasher.hash_one(&key), hasher.hash_one(bytes), "a map requires equal hashes");
        assert!(key == NameKey::from(&*original));
        assert!(key != NameKey::from(&*format!("{original}\0")), "unused bytes are not compared");
    }
}

#[test]
fn name_key_is_no_larger_than_a_string() {
    assert_eq!(size_of::<NameKey>(), size_of::<String>());
}
