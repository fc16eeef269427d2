//! Packets come back as they were, and no bytes make the decoder panic.

use std::fmt;

use perennial_actors::ExitReason;
use proptest::prelude::*;

use super::packet::{PROTOCOL, PacketError};
use super::{
    Delta, HEADER_BYTES, Header, Hello, NAME_BYTES, Outcome, Packet, Snapshot, Tags, encode, packets,
};
use crate::reason::WireReason;

fn reason() -> impl Strategy<Value = WireReason> {
    prop_oneof![
        Just(WireReason::Normal),
        Just(WireReason::Killed),
        prop::option::of(".{0,9}").prop_map(WireReason::Shutdown),
        (".{0,9}", prop::option::of(".{0,9}"))
            .prop_map(|(message, location)| WireReason::Panicked { message, location }),
        ".{0,9}".prop_map(WireReason::Failed),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::NoProcess),
        Just(Outcome::Busy),
        reason().prop_map(Outcome::Ended),
        Just(Outcome::ReplyDropped),
        ".{0,9}".prop_map(Outcome::Undecodable),
        ".{0,9}".prop_map(Outcome::AnswerFailed),
        Just(Outcome::Evicted),
    ]
}

fn message() -> impl Strategy<Value = Header> {
    (".{0,9}", ".{0,9}", any::<u32>(), ".{0,9}", any::<u64>(), any::<bool>(), any::<u32>()).prop_map(
        |(to, tag, version, codec, id, confirm, replies)| Header::Message {
            to,
            tag,
            version,
            codec,
            id,
            confirm,
            replies,
        },
    )
}

fn header() -> impl Strategy<Value = Header> {
    prop_oneof![
        message(),
        (any::<u64>(), any::<bool>(), any::<[u32; 2]>()).prop_map(
            |(received, wants_answer, [max_payload, window])| {
                Header::Hello(Hello { received, wants_answer, max_payload, window })
            }
        ),
        (any::<u64>(), outcome()).prop_map(|(id, outcome)| Header::Refused { id, outcome }),
        (any::<u64>(), any::<u32>()).prop_map(|(id, index)| Header::Answer { id, index }),
        (any::<u64>(), any::<u32>(), outcome()).prop_map(|(id, index, outcome)| Header::Dropped {
            id,
            index,
            outcome
        }),
        (any::<u64>(), ".{0,9}").prop_map(|(id, name)| Header::Monitor { id, name }),
        (any::<u64>(), reason()).prop_map(|(id, reason)| Header::Down { id, reason }),
        (any::<u64>(), ".{0,9}").prop_map(|(id, name)| Header::Link { id, name }),
        (any::<u64>(), reason()).prop_map(|(id, reason)| Header::Exit { id, reason }),
        (any::<u64>(), ".{0,9}", prop::option::of(any::<u64>()))
            .prop_map(|(version, name, bound_at)| Header::Names(Delta { version, name, bound_at })),
        (any::<u64>(), any::<bool>(), any::<bool>(), prop::collection::vec((".{0,9}", any::<u64>()), 0..4))
            .prop_map(|(version, is_first, is_last, names)| Header::Snapshot(Snapshot {
                version,
                is_first,
                is_last,
                names
            })),
        any::<u64>().prop_map(|through| Header::Credit { through }),
        any::<u64>().prop_map(|id| Header::Accepted { id }),
        any::<u64>().prop_map(|id| Header::Cancel { id }),
        (any::<u64>(), any::<u64>()).prop_map(|(number, through)| Header::Pong { number, through }),
        (any::<u64>(), any::<u64>()).prop_map(|(number, latest)| Header::Ping { number, latest }),
    ]
}

proptest! {
    #[test]
    fn packet_comes_back_as_it_was(
        tags in any::<[u64; 3]>(),
        header in header(),
        payload in prop::collection::vec(any::<u8>(), 0..99),
    ) {
        let tags = Tags { epoch: tags[0], seen: tags[1], sequence: tags[2] };
        let bytes = encode(tags, &header, &payload).unwrap();
        prop_assert_eq!(Packet::decode(&bytes).unwrap(), Packet { tags, header, payload: &payload });
    }

    #[test]
    fn packets_in_one_piece_come_apart_whatever_their_versions(
        payloads in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..99)), 0..9),
        rest in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let packet = |(version, payload): &(u8, Vec<u8>)| {
            let mut packet = encode(Tags::default(), &Header::Cancel { id: 1 }, payload).unwrap();
            packet[0] = *version;
            packet
        };
        let mut expected: Vec<Vec<u8>> = payloads.iter().map(packet).collect();
        // What is too short to be a packet is the last one.
        expected.extend((!rest.is_empty()).then_some(rest));
        let piece = expected.concat();
        prop_assert_eq!(packets(&piece).map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn any_bytes_are_divided_and_none_is_left_out(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(packets(&bytes).collect::<Vec<_>>().concat(), bytes);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Packet::decode(&bytes);
        let mut with_version = bytes;
        if let Some(first) = with_version.first_mut() {
            *first = PROTOCOL;
        }
        let _ = Packet::decode(&with_version);
    }

    #[test]
    fn damaged_packet_is_decoded_or_refused(header in header(), at in any::<usize>(), byte: u8, cut: usize) {
        let bytes = encode(Tags::default(), &header, b"payload").unwrap();
        let mut damaged = bytes.clone();
        let at = at % bytes.len();
        damaged[at] = byte;
        let _ = Packet::decode(&damaged);
        let _ = Packet::decode(&bytes[..cut % bytes.len()]);
    }
}

/// Returns one header of each kind, with the name of its file in the corpus.
fn corpus() -> Vec<(&'static str, Header)> {
    let text = |text: &str| text.to_owned();
    let bound_at = 1_700_000_000_000;
    let panicked = WireReason::Panicked { message: text("broken"), location: Some(text("a.rs:1")) };
    let message = Header::Message {
        to: text("cart"),
        tag: text("shop.cart"),
        version: 2,
        codec: text("bincode2"),
        id: 300,
        confirm: true,
        replies: 2,
    };
    let snapshot =
        Snapshot { version: 9, is_first: true, is_last: false, names: vec![(text("cart"), bound_at)] };
    let hello =
        Header::Hello(Hello { received: 70_000, wants_answer: true, max_payload: 1 << 20, window: 1 << 18 });
    vec![
        ("hello", hello),
        ("message", message),
        ("accepted", Header::Accepted { id: 1 }),
        ("refused", Header::Refused { id: 2, outcome: Outcome::Undecodable(text("no")) }),
        ("answer", Header::Answer { id: 3, index: 1 }),
        ("dropped", Header::Dropped { id: 4, index: 0, outcome: Outcome::Ended(panicked) }),
        ("cancel", Header::Cancel { id: 5 }),
        ("monitor", Header::Monitor { id: 6, name: text("cart") }),
        ("down", Header::Down { id: 7, reason: WireReason::Failed(text("sold out")) }),
        ("names", Header::Names(Delta { version: 8, name: text("cart"), bound_at: Some(bound_at) })),
        ("snapshot", Header::Snapshot(snapshot)),
        ("credit", Header::Credit { through: 10 }),
        ("ping", Header::Ping { number: 11, latest: 12 }),
        ("pong", Header::Pong { number: 13, through: 14 }),
        ("link", Header::Link { id: 15, name: text("cart") }),
        ("exit", Header::Exit { id: 16, reason: WireReason::Killed }),
    ]
}

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
const CORPUS_TAGS: Tags = Tags { epoch: 1, seen: 2, sequence: 3 };

/// The files are what the first build of version 2 has written. They must be read for ever.
#[test]
fn packets_of_the_corpus_are_read_and_written_as_they_were() {
    for (name, header) in corpus() {
        let bytes = std::fs::read(format!("{CORPUS}/packets/{name}.bin")).unwrap();
        let expected = Packet { tags: CORPUS_TAGS, header, payload: b"payload" };
        assert_eq!(Packet::decode(&bytes).as_ref(), Ok(&expected), "{name}");
        assert_eq!(encode(CORPUS_TAGS, &expected.header, b"payload").unwrap(), bytes, "{name}");
    }
    assert_eq!(std::fs::read_dir(format!("{CORPUS}/packets")).unwrap().count(), corpus().len());
}

#[test]
fn malformed_packets_of_the_corpus_are_refused() {
    let files: Vec<_> = std::fs::read_dir(format!("{CORPUS}/malformed")).unwrap().collect();
    assert!(files.len() >= 8, "{} files", files.len());
    for file in files {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(Packet::decode(&bytes).is_err(), "{}", path.display());
    }
}

/// Returns a packet with these bytes as its header.
fn packet_of(header: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
    [&[PROTOCOL][..], &length(28 + header.len()), &[0; 24], &length(header.len()), header].concat()
}

/// A header that claims a text of 1 MiB, which is refused before there is room for it.
#[test]
fn length_in_a_header_beyond_its_limit_is_refused() {
    // The variant `Monitor`, its number, and the length of the name as a `u32`.
    let mut header = vec![7, 1, 252];
    header.extend((1_u32 << 20).to_le_bytes());
    let bytes = packet_of(&header);
    assert_eq!(Packet::decode(&bytes), Err(PacketError::Header));
    let limited = bincode::serde::decode_from_slice::<Header, _>(&header, super::packet::LIMITED);
    assert!(matches!(limited, Err(bincode::error::DecodeError::LimitExceeded)), "{limited:?}");
}

#[test]
fn other_versions_and_long_headers_are_refused() {
    let bytes = encode(Tags::default(), &Header::Pong { number: 1, through: 1 }, b"").unwrap();
    let mut newer = bytes.clone();
    newer[0] = PROTOCOL + 1;
    assert_eq!(Packet::decode(&newer), Err(PacketError::Version(PROTOCOL + 1)));
    // The length of the packet, and that of its header.
    for at in [1, 29] {
        let mut long = bytes.clone();
        long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Packet::decode(&long), Err(PacketError::Length));
    }
    let name = "x".repeat(HEADER_BYTES);
    assert_eq!(encode(Tags::default(), &Header::Monitor { id: 1, name }, b""), Err(PacketError::Length));
}

#[test]
fn long_names_are_refused_on_arrival() {
    let long = || "x".repeat(NAME_BYTES + 1);
    let message =
        |to, tag, codec| Header::Message { to, tag, version: 1, codec, id: 1, confirm: true, replies: 0 };
    let names = vec![(String::new(), 1), (long(), 1)];
    for header in [
        message(long(), String::new(), String::new()),
        message(String::new(), long(), String::new()),
        message(String::new(), String::new(), long()),
        Header::Monitor { id: 1, name: long() },
        Header::Link { id: 1, name: long() },
        Header::Names(Delta { version: 1, name: long(), bound_at: None }),
        Header::Snapshot(Snapshot { version: 1, is_first: true, is_last: true, names }),
    ] {
        let header = bincode::serde::encode_to_vec(&header, super::packet::LIMITED).unwrap();
        assert_eq!(Packet::decode(&packet_of(&header)), Err(PacketError::Length));
    }
}

#[test]
fn texts_of_outcomes_and_reasons_fit_into_a_header() {
    let text = "x".repeat(1 << 20);
    let failed = WireReason::from(&ExitReason::failed(text.clone()));
    let endless = WireReason::from(&ExitReason::from(Endless));
    for outcome in [
        Outcome::undecodable(&text),
        Outcome::answer_failed(&text),
        Outcome::Ended(failed),
        Outcome::Ended(endless),
    ] {
        let header = Header::Dropped { id: u64::MAX, index: u32::MAX, outcome };
        assert!(encode(Tags::default(), &header, b"").is_ok(), "{}", text.len());
    }
}

/// An error that is its own source.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}
