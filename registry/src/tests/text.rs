//! Texts are found by their bytes and come back as they were, however long they are.

use std::borrow::Borrow;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::name_key::NameKey;

#[test]
fn a_text_of_any_length_comes_back_and_is_found_by_its_bytes() {
    let hasher = RandomState::default();
    for length in 0..300 {
        let written: String = "names of ünïts, ".chars().cycle().take(length).collect();
        let text = NameKey::from(&*written);
        assert_eq!(String::from(&text), written);
        let bytes: &[u8] = text.borrow();
        assert_eq!(bytes, written.as_bytes());
        assert_eq!(hasher.hash_one(&text), hasher.hash_one(bytes), "a map relies on it");
        assert!(text == NameKey::from(&*written));
        assert!(text != NameKey::from(&*format!("{written}\0")), "what is not used does not count");
    }
}

#[test]
fn a_text_is_no_larger_than_a_string() {
    assert_eq!(size_of::<NameKey>(), size_of::<String>());
}
