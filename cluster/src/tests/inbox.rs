//! The inbox is bounded, as a whole and for each boot.

use crate::identity::{Boot, NodeId, NodeName};
use crate::inbox::Inbox;

fn node(name: &str) -> NodeId {
    NodeId { name: NodeName::new(name).unwrap(), boot: Boot { started: 1, random: 0 } }
}

#[tokio::test]
async fn empty_packets_take_room_too() {
    let inbox = Inbox::bounded(1_024);
    let accepted = (0..100).filter(|_| inbox.packet(node("a"), Vec::new())).count();
    assert_eq!(accepted, 4, "a quarter, at 64 bytes each");
    assert_eq!(inbox.next(100).await.refused, 96);
}

#[tokio::test]
async fn boot_that_floods_leaves_room_for_the_others() {
    let inbox = Inbox::bounded(4_096);
    while inbox.packet(node("a"), vec![0; 100]) {}
    assert!(inbox.packet(node("b"), vec![0; 100]));
    assert_eq!(inbox.next(2).await.packets.len(), 2);
    assert!(inbox.packet(node("a"), vec![0; 100]), "what was taken makes room");
}

#[tokio::test]
async fn packets_are_taken_in_order_and_in_parts() {
    let inbox = Inbox::bounded(1 << 20);
    for byte in 0..10 {
        assert!(inbox.packet(node("a"), vec![byte]));
    }
    let mut taken = Vec::new();
    while taken.len() < 10 {
        let arrived = inbox.next(4).await;
        assert!(arrived.packets.len() <= 4);
        taken.extend(arrived.packets.into_iter().map(|(_, packet)| packet[0]));
    }
    assert_eq!(taken, (0..10).collect::<Vec<_>>());
}
