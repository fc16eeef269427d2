//! What reaches the port of a node, and is no node.

use crate::network::{LEASE, Process, attack, builder, free_port, reaches, start, until, within};
use crate::support::{Msg, Shop};

/// Returns two nodes of which the second is a process, and its port.
async fn pair() -> (Shop, Process, u16) {
    let (port, other) = (free_port(), free_port());
    let a = start(builder("a", port, &[other])).await;
    let b = Process::node("b", other, port, LEASE);
    a.knows("b").await;
    (a, b, other)
}

#[tokio::test]
async fn garbage_and_http_are_closed_and_calls_go_on() {
    within(async {
        let (a, b, port) = pair().await;
        let before = b.memory();
        let mut random = fastrand::Rng::with_seed(7);
        let mut attacks: Vec<Vec<u8>> = (0..50)
            .map(|_| (0..random.usize(1..2_000)).map(|_| random.u8(..)).collect::<Vec<u8>>())
            .collect();
        attacks.push(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec());
        // A length that is not kept.
        attacks.push(vec![0xff; 70_000]);
        let attackers =
            attacks.into_iter().map(|bytes| tokio::task::spawn_blocking(move || attack(port, &bytes)));
        for attacker in attackers.collect::<Vec<_>>() {
            a.cart_of("b").call(Msg::Items).await.expect("calls go on");
            attacker.await.expect("it is closed");
        }
        let grown = b.memory().saturating_sub(before);
        assert!(grown < 64 * 1_024, "{grown} KiB more");
    })
    .await;
}

#[tokio::test]
async fn a_thousand_silent_connections_take_little_memory_and_calls_go_on() {
    within(async {
        let (a, b, port) = pair().await;
        let before = b.memory();
        let mut attack = tokio::task::spawn_blocking(move || Process::silent(port, 1_000));
        for _ in 0..100 {
            a.cart_of("b").call(|reply| Msg::Echo(vec![1; 10_000], reply)).await.expect("calls go on");
        }
        let attackers = loop {
            tokio::select! {
                attackers = &mut attack => break attackers.expect("it is started"),
                answer = a.cart_of("b").call(Msg::Items).into_future() => drop(answer.expect("calls go on")),
            }
        };
        let grown = b.memory().saturating_sub(before);
        assert!(grown < 64 * 1_024, "{grown} KiB more");
        // A node that joins is delayed, and not kept out.
        let c = start(builder("c", free_port(), &[port])).await;
        c.knows("b").await;
        reaches(&c, "b").await;
        drop(attackers);
        until(|| c.node.peers().iter().any(|peer| peer.is_up)).await;
    })
    .await;
}
