//! No bytes make a decoder panic, and what was written once is read for ever.

use std::collections::BTreeMap;

use perennial_durable::{Bincode, Codec, DecodeError, Json, OldPayload, Payload, Wire, decode, encode};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The third version of a type. Its fixtures are in this file and never change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mail {
    to: Vec<String>,
    urgent: bool,
    size: Option<u64>,
}

#[derive(Deserialize)]
struct MailV1 {
    to: String,
}

#[derive(Deserialize)]
struct MailV2 {
    to: Vec<String>,
    urgent: bool,
}

impl Wire for Mail {
    const TAG: &'static str = "test.mail";
    const VERSION: u32 = 3;

    fn upcast(old: &OldPayload<'_>) -> Result<Self, DecodeError> {
        match old.version() {
            1 => old.decode().map(|MailV1 { to }| Self { to: vec![to], urgent: false, size: None }),
            2 => old.decode().map(|MailV2 { to, urgent }| Self { to, urgent, size: None }),
            _ => Err(old.unknown_version::<Self>()),
        }
    }
}

fn fixture(version: u32, codec: &str, bytes: &[u8]) -> Payload {
    Payload { tag: "test.mail".to_owned(), version, codec: codec.to_owned(), bytes: bytes.to_vec() }
}

#[test]
fn fixtures_of_every_version_and_codec_decode() {
    let mail = |urgent, size| Mail { to: vec!["ann".to_owned()], urgent, size };
    let fixtures = [
        (fixture(1, "bincode2", b"\x03ann"), mail(false, None)),
        (fixture(1, "json", br#"{"to":"ann"}"#), mail(false, None)),
        (fixture(2, "bincode2", b"\x01\x03ann\x01"), mail(true, None)),
        (fixture(2, "json", br#"{"to":["ann"],"urgent":true}"#), mail(true, None)),
        (fixture(3, "bincode2", b"\x01\x03ann\x01\x01\xfb\x2c\x01"), mail(true, Some(300))),
        (fixture(3, "json", br#"{"to":["ann"],"urgent":true,"size":300}"#), mail(true, Some(300))),
    ];
    for (payload, expected) in fixtures {
        assert_eq!(decode::<Mail>(&payload).as_ref(), Ok(&expected), "{payload:?}");
    }
}

#[test]
fn what_cannot_be_decoded_says_why() {
    let newer = fixture(4, "bincode2", b"");
    let unknown = DecodeError::UnknownVersion { tag: "test.mail".to_owned(), found: 4, known: 3 };
    assert_eq!(decode::<Mail>(&newer), Err(unknown));
    let codec = DecodeError::UnknownCodec("xml".to_owned());
    assert_eq!(decode::<Mail>(&fixture(3, "xml", b"")), Err(codec));
    let (expected, found) = ("u64".to_owned(), "test.mail".to_owned());
    assert_eq!(decode::<u64>(&newer), Err(DecodeError::WrongType { expected, found }));
    let longer = fixture(1, "bincode2", b"\x03ann!");
    assert_eq!(decode::<Mail>(&longer), Err(DecodeError::TrailingBytes { left: 1 }));
    assert!(matches!(decode::<Mail>(&fixture(1, "json", b"{}")), Err(DecodeError::Malformed(_))));
}

#[test]
fn a_length_that_no_memory_has_is_refused() {
    // A text of 2^40 bytes.
    let huge = [&[0xfd][..], &(1u64 << 40).to_le_bytes()].concat();
    assert!(matches!(Bincode::decode::<String>(&huge), Err(DecodeError::Malformed(_))));
}

#[test]
fn json_that_is_nested_too_deep_is_refused() {
    let deep = "[".repeat(100_000);
    assert!(matches!(Json::decode::<serde_json::Value>(deep.as_bytes()), Err(DecodeError::Malformed(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..200), version in 0u32..5, json: bool) {
        let codec = if json { "json" } else { "bincode2" };
        let _ = decode::<Mail>(&fixture(version, codec, &bytes));
    }

    #[test]
    fn what_is_encoded_is_decoded(to in vec(".*", 0..5), urgent: bool, size: Option<u64>) {
        let mail = Mail { to, urgent, size };
        prop_assert_eq!(decode::<Mail>(&encode::<_, Bincode>(&mail).unwrap()), Ok(mail.clone()));
        prop_assert_eq!(decode::<Mail>(&encode::<_, Json>(&mail).unwrap()), Ok(mail));
    }

    #[test]
    fn a_changed_byte_gives_a_value_or_an_error(at in 0usize..12, byte: u8) {
        let mut payload = fixture(3, "bincode2", b"\x01\x03ann\x01\x01\xfb\x2c\x01");
        if let Some(there) = payload.bytes.get_mut(at) {
            *there = byte;
        }
        let _ = decode::<Mail>(&payload);
    }
}

/// A list that contains itself. In bincode, each element is one byte.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Self>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch { parts: Vec<Self> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Folder {
    folders: BTreeMap<u8, Self>,
}

/// A value of each type that is nested so deep.
fn nested(depth: usize) -> (Chain, Tree, Folder) {
    let chain = (0..depth).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))));
    let tree = (0..depth).fold(Tree::Leaf, |tree, _| Tree::Branch { parts: vec![tree] });
    let folder = |folder| Folder { folders: BTreeMap::from([(0, folder)]) };
    (chain, tree, (0..depth).fold(Folder { folders: BTreeMap::new() }, |below, _| folder(below)))
}

fn read_again<T: Serialize + DeserializeOwned>(value: &T) -> Result<T, DecodeError> {
    Bincode::decode(&Bincode::encode(value).expect("it is encoded"))
}

#[test]
fn value_is_decoded_to_the_limit_of_its_depth_and_a_deeper_one_is_refused() {
    let (chain, _, folder) = nested(127);
    assert_eq!(read_again(&chain).as_ref(), Ok(&chain));
    assert_eq!(read_again(&folder).as_ref(), Ok(&folder));
    // The end of each is a level too.
    let (chain, _, folder) = nested(128);
    assert_eq!(read_again(&chain), Err(DecodeError::TooDeep));
    assert_eq!(read_again(&folder), Err(DecodeError::TooDeep));
    // A branch has two levels: its variant, and its parts.
    let (_, tree, _) = nested(63);
    assert_eq!(read_again(&tree).as_ref(), Ok(&tree));
    let (_, tree, _) = nested(64);
    assert_eq!(read_again(&tree), Err(DecodeError::TooDeep));
    let flat = vec![Some(1_u8); 100_000];
    assert_eq!(read_again(&flat), Ok(flat), "levels are not counted one after the other");
}

#[test]
fn bytes_that_claim_a_million_levels_are_refused_by_each_codec() {
    let hostile = |pattern: &[u8]| pattern.repeat((1 << 20) / pattern.len());
    assert_eq!(Bincode::decode::<Chain>(&hostile(&[1])), Err(DecodeError::TooDeep));
    assert_eq!(Bincode::decode::<Tree>(&hostile(&[1, 1])), Err(DecodeError::TooDeep));
    assert_eq!(Bincode::decode::<Folder>(&hostile(&[1, 0])), Err(DecodeError::TooDeep));
    let json = Json::decode::<Folder>(&hostile(br#"{"folders":{"0":"#));
    assert!(matches!(json, Err(DecodeError::Malformed(_))), "{json:?}");
}
