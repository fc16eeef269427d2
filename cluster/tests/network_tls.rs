//! Nodes that know each other by their certificates.

use perennial_actors::System;
use perennial_cluster::{NetworkError, Node, NodeBuilder, NodeError, NodeEvent, Tls};
use perennial_supervision::Supervisor;

use crate::certificates::Authority;
use crate::network::{LEASE, encrypted, free_port, member, reaches, start, within};
use crate::support::{Msg, name};

#[tokio::test]
async fn members_reach_each_other_with_certificates() {
    within(async {
        let (authority, port) = (Authority::new(), free_port());
        let all = ["a", "b", "c"];
        let a = start(member(&authority, "a", port, &[], &all)).await;
        let b = start(member(&authority, "b", free_port(), &[port], &all)).await;
        let c = start(member(&authority, "c", free_port(), &[port], &all)).await;
        for (shop, others) in [(&a, ["b", "c"]), (&b, ["a", "c"]), (&c, ["a", "b"])] {
            for other in others {
                shop.knows(other).await;
                let echo = shop.cart_of(other).call(|reply| Msg::Echo(vec![7; 100_000], reply)).await;
                assert!(echo.expect("it answers") == vec![7; 100_000]);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nodes_of_another_authority_without_certificate_and_no_members_are_not_seen() {
    within(async {
        let (authority, other, port) = (Authority::new(), Authority::new(), free_port());
        let all = ["a", "b", "c", "d"];
        let a = start(member(&authority, "a", port, &[], &["b", "c"])).await;
        let foreign = start(member(&other, "c", free_port(), &[port], &all)).await;
        let stranger = start(member(&authority, "d", free_port(), &[port], &all)).await;
        let plain = Node::builder("e").peers([format!("tcp/127.0.0.1:{port}")]).lease(LEASE);
        let plain = start(plain).await;
        let b = start(member(&authority, "b", free_port(), &[port], &["a"])).await;
        a.knows("b").await;
        b.knows("a").await;
        // The others have tried again and again, and were not seen.
        tokio::time::sleep(LEASE).await;
        for shop in [&foreign, &stranger, &plain] {
            assert!(shop.node.peers().iter().all(|peer| !peer.is_up), "{:?}", shop.node.peers());
        }
        let peers: Vec<String> = a.node.peers().iter().map(|peer| peer.node.name.to_string()).collect();
        assert_eq!(peers, ["b"]);
    })
    .await;
}

#[tokio::test]
async fn node_with_the_certificate_of_another_does_not_start() {
    let authority = Authority::new();
    authority.sign_as("a", "b");
    let node = encrypted(authority.dir(), "a", free_port(), &[]).members([name("b")]);
    let node = node.build().expect("the files are read at the start");
    let child = node.child();
    let address = child.address();
    let tree = Supervisor::new("app").intensity(1_000_000, LEASE).child(child).start(&System::new()).await;
    // It is tried again and again, and ends with the same reason.
    within(async {
        while !address.monitor().await.reason.to_string().contains("is the certificate of `b`, not of a") {}
    })
    .await;
    drop(tree);
}

#[test]
fn settings_that_are_not_safe_are_refused_by_name() {
    let authority = Authority::new();
    let error = |builder: NodeBuilder| match builder.build() {
        Err(NodeError::Network(error)) => error,
        other => panic!("it is not refused: {other:?}"),
    };
    let open = || Node::builder("a").listen("tcp/0.0.0.0:7447");
    assert!(matches!(error(open()), NetworkError::Plaintext(_)));
    assert!(open().allow_plaintext().build().is_ok());
    let peers = Node::builder("a").peers(["tcp/shop-1:7447"]);
    assert!(matches!(error(peers), NetworkError::Plaintext(_)));
    assert!(matches!(error(encrypted(authority.dir(), "a", 1, &[])), NetworkError::NoMembers));
    assert!(matches!(error(open().allow_plaintext().members([name("b")])), NetworkError::NoIdentity));
    assert!(matches!(
        error(open().identity(Tls::dir("x")).members([name("b")])),
        NetworkError::Address { .. }
    ));
    assert!(matches!(error(open().allow_plaintext().cluster("A B")), NetworkError::Cluster(_)));
    assert!(matches!(Node::builder("a").build(), Err(NodeError::NoEngine)));
}

#[test]
fn settings_are_read_from_a_file() {
    let text = r#"{
        "lease_ms": 500,
        "network": {
            "cluster": "shop",
            "listen": ["quic/0.0.0.0:7447"],
            "peers": ["quic/shop-2:7447"],
            "identity": { "dir": "certs" },
            "members": ["shop-1", "shop-2"]
        }
    }"#;
    let config: perennial_cluster::NodeConfig = serde_json::from_str(text).expect("it is valid");
    assert_eq!(config.network.identity, Some(Tls::dir("certs")));
    assert!(config.network.members.contains(&name("shop-2")));
    assert!(Node::builder("shop-1").config(config).build().is_ok());
    let unknown = serde_json::from_str::<perennial_cluster::NodeConfig>(r#"{ "network": { "lisen": [] } }"#);
    assert!(unknown.is_err());
}

#[tokio::test]
async fn members_change_while_the_node_runs() {
    within(async {
        let (authority, port) = (Authority::new(), free_port());
        let all = ["a", "b", "c"];
        let a = start(member(&authority, "a", port, &[], &["b"])).await;
        let b = start(member(&authority, "b", free_port(), &[port], &all)).await;
        let c = start(member(&authority, "c", free_port(), &[port], &all)).await;
        a.knows("b").await;
        assert!(a.node.peers().iter().all(|peer| peer.node.name == name("b")));
        let boot = a.node.id().clone();
        a.node.set_members(["b", "c"].map(name)).expect("it has an identity");
        a.knows("c").await;
        c.knows("a").await;
        a.knows("b").await;
        b.knows("a").await;
        reaches(&a, "b").await;
        reaches(&c, "a").await;
        assert!(b.node.peers().iter().any(|peer| peer.node == boot), "the boot is the same");

        let mut events = a.node.subscribe();
        a.node.set_members([name("c")]).expect("it has an identity");
        while !matches!(events.next().await, Some(NodeEvent::Down(id)) if id.name == name("b")) {}
        a.knows("c").await;
        reaches(&c, "a").await;
        b.is_down("a").await;
        assert!(a.node.peers().iter().all(|peer| peer.node.name == name("c")));
    })
    .await;
}

#[tokio::test]
async fn node_without_identity_has_no_members_to_change() {
    let node = Node::builder("a").listen("tcp/127.0.0.1:0").build().expect("it can be built");
    assert!(node.set_members([name("b")]).is_err());
}
