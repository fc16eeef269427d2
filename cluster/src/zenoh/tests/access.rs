//! What a member may do: an intruder has the certificate of one, and programs of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use zenoh::Wait;

use super::super::engine::ZenohEngine;
use super::super::keys::{Keys, last_node};
use super::super::settings::{Limits, NetworkConfig};
use super::super::tls::Tls;
use super::certificates::Authority;
use crate::engine::{Engine, EngineSession, Priority};
use crate::identity::{Boot, NodeId, NodeName};
use crate::inbox::{Arrived, Inbox};

/// How long a test waits for what has to happen.
const LIMIT: Duration = Duration::from_secs(60);

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("it is a name")
}

fn id(text: &str) -> NodeId {
    NodeId { name: name(text), boot: Boot { started: 1, random: 1 } }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    listener.local_addr().expect("it has an address").port()
}

/// A member that keeps the rules.
struct Member {
    id: NodeId,
    inbox: Inbox,
    session: Box<dyn EngineSession>,
}

impl Member {
    async fn new(authority: &Authority, text: &str, port: u16, peers: &[u16]) -> Self {
        authority.sign(text);
        let config = NetworkConfig {
            listen: vec![format!("quic/127.0.0.1:{port}")],
            peers: peers.iter().map(|port| format!("quic/127.0.0.1:{port}")).collect(),
            identity: Some(Tls::dir(authority.dir())),
            members: ["a", "b", "c"].into_iter().map(name).collect(),
            ..NetworkConfig::default()
        };
        let limits = Limits { lease: Duration::from_secs(1), window: 65_536, max_packet: 65_536 };
        let engine = ZenohEngine::new(config, limits).expect("the settings are right");
        let (id, inbox) = (id(text), Inbox::bounded(1 << 20));
        let session = engine.open(id.clone(), inbox.clone()).await.expect("it is open");
        Self { id, inbox, session }
    }

    /// Sends packets until one arrives at another member.
    async fn reaches(&self, other: &Self) {
        loop {
            self.session.send(&other.id, Priority::Stream, b"hello".to_vec());
            if other.arrived().await.packets.iter().any(|(from, _)| *from == self.id) {
                return;
            }
        }
    }

    /// Returns what arrives next, or nothing after a while.
    async fn arrived(&self) -> Arrived {
        let arrived = tokio::time::timeout(Duration::from_millis(50), self.inbox.next(1_000)).await;
        arrived.unwrap_or_else(|_| Arrived {
            presence: BTreeMap::new(),
            packets: VecDeque::new(),
            refused: 0,
        })
    }
}

/// Opens a session with a certificate, and no rules.
fn intruder(authority: &Authority, text: &str, port: u16) -> zenoh::Session {
    authority.sign(text);
    let file = |end: &str| authority.dir().join(format!("{text}.{end}"));
    let options = serde_json::json!({
        "mode": "peer",
        "connect": { "endpoints": [format!("quic/127.0.0.1:{port}")] },
        "listen": { "endpoints": ["quic/127.0.0.1:0"] },
        "scouting": { "multicast": { "enabled": false } },
        "transport": { "link": { "tls": {
            "root_ca_certificate": authority.dir().join("ca.pem"),
            "listen_private_key": file("key"),
            "listen_certificate": file("pem"),
            "connect_private_key": file("key"),
            "connect_certificate": file("pem"),
            "enable_mtls": true,
            "verify_name_on_connect": false,
        } } },
    });
    let config = zenoh::Config::from_json5(&options.to_string()).expect("it is valid");
    std::thread::spawn(move || zenoh::open(config).wait().expect("it is open")).join().expect("it is open")
}

async fn within(test: impl Future<Output = ()>) {
    tokio::time::timeout(LIMIT, test).await.expect("what is waited for happens");
}

#[tokio::test(flavor = "multi_thread")]
async fn member_cannot_pose_as_another_and_can_send_as_itself() {
    within(async {
        let (authority, port) = (Authority::new(), free_port());
        let a = Member::new(&authority, "a", port, &[]).await;
        let b = Member::new(&authority, "b", free_port(), &[port]).await;
        b.reaches(&a).await;
        let (keys, c) = (Keys::new(name("perennial")), intruder(&authority, "c", port));
        // A boot of `b` that is not there, one that is, and a node that is no member.
        let ghost = NodeId { boot: Boot { started: 9, random: 9 }, ..id("b") };
        let _tokens: Vec<_> = [&ghost, &id("d"), &id("c")]
            .into_iter()
            .map(|id| c.liveliness().declare_token(keys.presence(id)).wait().expect("it is declared"))
            .collect();
        let (mut seen, mut forged) = (BTreeSet::new(), BTreeSet::new());
        while !seen.contains(&id("c")) || !forged.contains(&id("c")) {
            for from in [&ghost, &b.id, &id("d"), &id("c")] {
                c.put(keys.packets(&a.id, from), "forged").wait().expect("it is on the way");
            }
            let arrived = a.arrived().await;
            seen.extend(arrived.presence.into_keys());
            let packets = arrived.packets.into_iter().filter(|(_, packet)| packet == b"forged");
            forged.extend(packets.map(|(from, _)| from));
        }
        assert_eq!(forged, BTreeSet::from([id("c")]));
        // `b` was seen before.
        assert_eq!(seen, BTreeSet::from([id("c")]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn member_receives_what_is_sent_to_itself_and_not_what_is_sent_to_others() {
    within(async {
        let (authority, port, other) = (Authority::new(), free_port(), free_port());
        let a = Member::new(&authority, "a", port, &[]).await;
        let b = Member::new(&authority, "b", other, &[port]).await;
        a.reaches(&b).await;
        let (keys, c) = (Keys::new(name("perennial")), intruder(&authority, "c", port));
        let (heard, received) = mpsc::channel();
        let subscribe = |key: String| {
            let heard = heard.clone();
            let hear = move |sample: zenoh::sample::Sample| drop(heard.send(sample.key_expr().to_string()));
            c.declare_subscriber(key).callback(hear).wait().expect("it is declared")
        };
        let _subscribers = [
            subscribe("**".to_owned()),
            subscribe(keys.packets_to(&b.id)),
            subscribe(keys.packets_to(&id("c"))),
        ];
        let _token = c.liveliness().declare_token(keys.presence(&id("c"))).wait().expect("it is declared");
        let mut keys_heard: Vec<String> = Vec::new();
        while !keys_heard.iter().any(|key| key.contains("/in/c/")) {
            a.reaches(&b).await;
            a.session.send(&id("c"), Priority::Stream, b"for c".to_vec());
            keys_heard.extend(received.try_iter());
        }
        a.reaches(&b).await;
        keys_heard.extend(received.try_iter());
        let others: Vec<_> = keys_heard.iter().filter(|key| !key.contains("/in/c/")).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(last_node(&keys_heard[0]), Some(a.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_of_a_node_that_is_no_member_is_not_enough() {
    within(async {
        let (authority, port) = (Authority::new(), free_port());
        let a = Member::new(&authority, "a", port, &[]).await;
        let (keys, d) = (Keys::new(name("perennial")), intruder(&authority, "d", port));
        let _token = d.liveliness().declare_token(keys.presence(&id("d"))).wait().expect("it is declared");
        for from in ["d", "b", "a"] {
            d.put(keys.packets(&a.id, &id(from)), "forged").wait().expect("it is on the way");
        }
        // One that comes later is seen.
        let b = Member::new(&authority, "b", free_port(), &[port]).await;
        let mut seen = Vec::new();
        while !seen.contains(&b.id) {
            let arrived = a.inbox.next(1_000).await;
            assert_eq!(arrived.packets.len(), 0, "{:?}", arrived.packets);
            seen.extend(arrived.presence.into_keys());
        }
        assert_eq!(seen, [b.id]);
    })
    .await;
}
