//! Tests of the parts that need no network.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::address::check;
use super::super::error::NetworkError;
use super::super::keys::{Keys, last_node};
use super::super::options;
use super::super::queue::{Pushed, SendQueue};
use super::super::settings::{Limits, NetworkConfig};
use super::super::watchdog::{Silence, Watchdog};
use crate::engine::Priority;
use crate::identity::{Boot, NodeId, NodeName};

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("it is a name")
}

fn id(text: &str, started: u64) -> NodeId {
    NodeId { name: name(text), boot: Boot { started, random: 0xfeed } }
}

#[test]
fn boot_is_read_from_the_end_of_a_key() {
    let keys = Keys::new(name("shop"));
    let (a, b) = (id("a", 1), id("b", 2));
    assert_eq!(last_node(&keys.packets(&a, &b)), Some(b.clone()));
    assert_eq!(last_node(&keys.presence(&b)), Some(b));
    for key in ["", "a", "pn/shop/node/a/1", "pn/shop/node/A/1.000000000000feed", "pn/shop/node/a/1.feed"] {
        assert_eq!(last_node(key), None, "{key}");
    }
}

#[test]
fn address_that_leaves_the_machine_needs_an_identity_or_permission() {
    for text in ["tcp/127.0.0.1:0", "tcp/localhost:7447", "tcp/[::1]:7447"] {
        assert!(check(text, false, false).is_ok(), "{text}");
    }
    for text in ["tcp/0.0.0.0:7447", "tcp/[::]:7447", "tcp/shop-1:7447", "tcp/10.0.0.1:7447"] {
        assert!(matches!(check(text, false, false), Err(NetworkError::Plaintext(_))), "{text}");
        assert!(check(text, false, true).is_ok(), "{text}");
    }
    assert!(check("quic/0.0.0.0:7447", true, false).is_ok());
    assert!(matches!(check("tcp/127.0.0.1:7447", true, true), Err(NetworkError::Address { .. })));
    assert!(matches!(check("quic/127.0.0.1:7447", false, true), Err(NetworkError::Address { .. })));
}

#[test]
fn address_that_has_another_form_is_refused() {
    let texts = [
        "127.0.0.1:7447",
        "tcp/127.0.0.1",
        "tcp/:7447",
        "tcp/127.0.0.1:70000",
        "udp/127.0.0.1:7447",
        "tcp/127.0.0.1:7447#so_sndbuf=1",
        "tcp/127.0.0.1?rel=0:7447",
    ];
    for text in texts {
        assert!(matches!(check(text, false, true), Err(NetworkError::Address { .. })), "{text}");
    }
}

#[test]
fn urgent_packets_are_sent_first_and_each_priority_has_its_bound() {
    let queue = SendQueue::new(10);
    assert_eq!(queue.push(Priority::Stream, vec![1; 30]), Pushed::Waits, "a large packet may wait alone");
    assert_eq!(queue.push(Priority::Stream, vec![2]), Pushed::Dropped);
    assert_eq!(queue.push(Priority::Urgent, vec![3; 6]), Pushed::Waits);
    assert_eq!(queue.push(Priority::Urgent, vec![4; 5]), Pushed::Dropped);
    assert_eq!(queue.push(Priority::Urgent, vec![5; 4]), Pushed::Waits);
    assert_eq!(next(&queue), [3, 3, 3, 3, 3, 3, 5, 5, 5, 5], "in one piece");
    assert_eq!(next(&queue), [1; 30]);
    assert_eq!(queue.push(Priority::Stream, vec![6]), Pushed::Waits, "there is room again");
    queue.close();
    assert!(queue.next().is_none());
    assert_eq!(queue.push(Priority::Stream, vec![7]), Pushed::Dropped);
}

/// Takes a piece, and reports it as sent.
fn next(queue: &SendQueue) -> Vec<u8> {
    let (_, piece) = queue.next().expect("it is open");
    queue.sent();
    piece
}

#[test]
fn callers_send_what_is_prompt_or_urgent_if_nothing_is_before_it() {
    let queue = SendQueue::new(100);
    let push = |priority, byte| queue.push(priority, vec![byte]);
    assert_eq!(push(Priority::Prompt, 1), Pushed::Waits, "it is not allowed yet");
    queue.allow_direct();
    assert_eq!(push(Priority::Prompt, 2), Pushed::Waits, "one is before it");
    assert_eq!(next(&queue), [1, 2]);
    assert_eq!(push(Priority::Stream, 3), Pushed::Waits);
    assert_eq!(push(Priority::Urgent, 4), Pushed::Waits);
    assert_eq!(next(&queue), [4]);
    assert_eq!(next(&queue), [3]);
    assert_eq!(push(Priority::Prompt, 5), Pushed::Direct(vec![5]));
    assert_eq!(push(Priority::Urgent, 6), Pushed::Waits, "another one is being sent");
    queue.sent();
    assert_eq!(next(&queue), [6]);
    assert_eq!(push(Priority::Urgent, 7), Pushed::Direct(vec![7]));
    queue.sent();
    assert_eq!(push(Priority::Prompt, 8), Pushed::Direct(vec![8]));
}

#[test]
fn thread_that_sends_ends_once_a_caller_has_sent() {
    let queue = Arc::new(SendQueue::new(100));
    queue.allow_direct();
    assert_eq!(queue.push(Priority::Prompt, vec![1]), Pushed::Direct(vec![1]));
    queue.close();
    let own = queue.clone();
    let thread = thread::spawn(move || own.next());
    for _ in 0..1_000 {
        assert!(!thread.is_finished(), "the caller sends still");
        thread::yield_now();
    }
    queue.sent();
    assert!(thread.join().expect("it ends").is_none());
    assert_eq!(queue.push(Priority::Prompt, vec![2]), Pushed::Dropped);
}

#[test]
fn pieces_of_the_stream_have_a_size_and_keep_its_order() {
    let queue = SendQueue::new(8 << 20);
    let packets: Vec<Vec<u8>> = (0..100).map(|byte| vec![byte; 1_000 * usize::from(byte)]).collect();
    for packet in &packets {
        queue.push(Priority::Stream, packet.clone());
    }
    let (mut sent, mut pieces) = (0, 0);
    let expected = packets.concat();
    while sent < expected.len() {
        let piece = next(&queue);
        assert!(piece.len() <= 31 * 1024 || piece.iter().all(|byte| *byte == piece[0]));
        assert_eq!(piece, expected[sent..sent + piece.len()]);
        sent += piece.len();
        pieces += 1;
    }
    assert!((50..100).contains(&pieces), "{pieces} pieces");
}

#[test]
fn network_is_opened_again_when_a_peer_is_silent_for_five_leases_and_then_less_often() {
    let (mut watchdog, mut silent, mut heard) = (Watchdog::new(), Silence::default(), Silence::default());
    let mut opened_at = Vec::new();
    for tick in 1..=140 {
        silent.tick();
        heard.tick();
        heard.end();
        if watchdog.must_reopen(&[silent, heard]) {
            opened_at.push(tick);
            silent = Silence::default();
        }
    }
    assert_eq!(opened_at, [20, 60, 140]);
    // All are heard: the next silence is acted on as the first was.
    silent.end();
    assert!(!watchdog.must_reopen(&[silent, heard]));
    (0..20).for_each(|_| silent.tick());
    assert!(watchdog.must_reopen(&[silent, heard]));
    assert!(!watchdog.must_reopen(&[]), "a node that is alone waits");
}

#[test]
fn configuration_is_accepted_and_says_what_is_off() {
    let config = NetworkConfig { listen: vec!["tcp/127.0.0.1:0".to_owned()], ..NetworkConfig::default() };
    let limits = Limits { lease: Duration::from_millis(1_500), window: 65_536, max_packet: 1_000 };
    let keys = Keys::new(name("shop"));
    let options =
        options::config(&config, &limits, &keys, &name("a"), &BTreeSet::new()).expect("it is valid");
    for (key, value) in [
        ("transport/link/tx/lease", "1500"),
        ("transport/link/tx/queue/congestion_control/block/wait_before_close", "1500000"),
        ("transport/link/tx/queue/congestion_control/drop/wait_before_drop", "0"),
        ("transport/link/tx/queue/congestion_control/drop/max_wait_before_drop_fragments", "0"),
        ("transport/link/tx/queue/size/data", "2"),
        ("transport/link/rx/max_message_size", "5096"),
        ("transport/unicast/compression/enabled", "false"),
        ("scouting/multicast/enabled", "false"),
        ("scouting/gossip/enabled", "true"),
        ("adminspace/enabled", "false"),
        ("connect/timeout_ms", "-1"),
        ("connect/exit_on_failure", "false"),
    ] {
        assert_eq!(options.get_json(key).expect("it is set"), value, "{key}");
    }
    for (window, batches) in [(1_024, "2"), (256 * 1_024, "5"), (1_024 * 1_024, "16"), (usize::MAX, "16")] {
        let limits = Limits { window, ..limits };
        let options =
            options::config(&config, &limits, &keys, &name("a"), &BTreeSet::new()).expect("it is valid");
        assert_eq!(options.get_json("transport/link/tx/queue/size/data").expect("it is set"), batches);
    }
}
