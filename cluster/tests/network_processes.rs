//! What happens to the nodes of other processes.

use std::time::Duration;

use perennial_cluster::{NodeEvent, RemoteErrorKind};
use rustix::process::Signal;

use crate::network::{
    LEASE, Process, SHORT_LEASE, builder, do_role, free_port, reaches, start, until, within,
};
use crate::support::{Msg, Shop, drain, name};

/// The entry of the other processes. Without a role, it does nothing.
#[test]
fn process_does_what_its_role_says() {
    do_role();
}

/// A node, a process that is connected with it, and their ports.
struct Pair {
    a: Shop,
    b: Process,
    port: u16,
    other: u16,
}

async fn pair(lease: Duration) -> Pair {
    let (port, other) = (free_port(), free_port());
    let a = start(builder("a", port, &[other]).lease(lease)).await;
    let b = Process::node("b", other, port, lease);
    a.knows("b").await;
    Pair { a, b, port, other }
}

fn downs(events: &[NodeEvent]) -> usize {
    events.iter().filter(|event| matches!(event, NodeEvent::Down(_))).count()
}

#[tokio::test]
async fn process_that_is_killed_is_missed_at_once_and_its_next_boot_is_reached() {
    within(async {
        let Pair { a, b, port, other } = pair(LEASE).await;
        let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
        let monitor = cart.monitor();
        let call = cart.call(Msg::Keep);
        let (reply, _) = tokio::join!(call, async {
            // The call is on the way, or there.
            cart.send(Msg::Add(1)).await.expect("it is in the mailbox");
            b.signal(Signal::KILL);
        });
        let error = reply.expect_err("nothing answers");
        assert_eq!((error.kind, error.message.is_none()), (RemoteErrorKind::NoConnection, true));
        assert!(monitor.await.reason.to_string().contains("connection"));
        drop(b);
        let _b = Process::node("b", other, port, LEASE);
        a.knows("b").await;
        reaches(&a, "b").await;
        assert_eq!(cart.call(Msg::Items).await.expect("it answers"), [0_u64; 0], "it is a new boot");
        assert_eq!(downs(&drain(&mut events)), 1);
    })
    .await;
}

#[tokio::test]
async fn process_that_is_stopped_for_less_than_the_lease_loses_nothing() {
    within(async {
        let Pair { a, b, .. } = pair(LEASE).await;
        let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
        for round in 0..3 {
            b.signal(Signal::STOP);
            for item in 0..100 {
                cart.cast(Msg::Add(round * 100 + item)).expect("it is on the way");
            }
            tokio::time::sleep(LEASE / 8).await;
            b.signal(Signal::CONT);
            let items = cart.call(Msg::Items).await.expect("it answers");
            assert_eq!(items, (0..(round + 1) * 100).collect::<Vec<u64>>());
        }
        assert_eq!(downs(&drain(&mut events)), 0);
    })
    .await;
}

#[tokio::test]
async fn process_that_is_stopped_for_longer_is_missed_and_comes_back_with_its_account() {
    within(async {
        let Pair { a, b, .. } = pair(SHORT_LEASE).await;
        let (cart, mut events) = (a.cart_of("b"), a.node.subscribe());
        b.signal(Signal::STOP);
        // More than the window holds: each waits for room.
        let flood = (0..200).map(|_| cart.call(|reply| Msg::Echo(vec![0; 4_096], reply)));
        let flood: Vec<_> = flood.map(|call| tokio::spawn(call.into_future())).collect();
        while !matches!(events.next().await, Some(NodeEvent::Down(id)) if id.name == name("b")) {}
        for call in flood {
            let error = call.await.expect("it ends").expect_err("nothing answers");
            assert_eq!(error.kind, RemoteErrorKind::NoConnection);
        }
        b.signal(Signal::CONT);
        while !matches!(events.next().await, Some(NodeEvent::Up(id)) if id.name == name("b")) {}
        reaches(&a, "b").await;
        // All that was sent was received, or is reported as lost.
        let balance = || a.node.peers().iter().all(|peer| peer.unconfirmed == 0);
        until(balance).await;
    })
    .await;
}

#[tokio::test]
async fn process_that_is_stopped_while_it_is_flooded_holds_up_no_other() {
    within(async {
        let (port, ports) = (free_port(), [free_port(), free_port()]);
        // More than the sockets hold, so that the thread that sends has to wait.
        let a = start(builder("a", port, &ports).window(8 * 1024 * 1024)).await;
        let (_b, c) = (Process::node("b", ports[0], port, LEASE), Process::node("c", ports[1], port, LEASE));
        a.knows("b").await;
        a.knows("c").await;
        c.signal(Signal::STOP);
        let cart = a.cart_of("c");
        let flood = (0..200).map(|_| cart.call(|reply| Msg::Echo(vec![0; 60_000], reply)));
        let flood: Vec<_> = flood.map(|call| tokio::spawn(call.into_future())).collect();
        let mut answers = 0;
        while flood.iter().any(|call| !call.is_finished()) {
            let echo = a.cart_of("b").call(|reply| Msg::Echo(vec![1; 10_000], reply)).await;
            assert_eq!(echo.expect("it answers").len(), 10_000);
            answers += 1;
        }
        // Without an own thread for each peer, one call would have waited for the other node.
        assert!(answers > 10, "{answers} calls before the other node was missed");
    })
    .await;
}

#[tokio::test]
async fn younger_process_with_the_same_name_ends_and_the_older_is_reached() {
    within(async {
        let Pair { a, b: older, port, .. } = pair(SHORT_LEASE).await;
        a.cart_of("b").send(Msg::Add(7)).await.expect("it is in the mailbox");
        let mut younger = Process::node("b", free_port(), port, SHORT_LEASE);
        until(|| younger.has_ended()).await;
        reaches(&a, "b").await;
        let items = a.cart_of("b").call(Msg::Items).await.expect("it answers");
        assert_eq!(items, [7]);
        drop(older);
    })
    .await;
}

#[tokio::test]
async fn process_that_is_started_again_within_the_lease_is_reached() {
    within(async {
        let Pair { a, b, port, .. } = pair(SHORT_LEASE).await;
        // The old boot is stopped, so that nothing says that it goes.
        b.signal(Signal::STOP);
        let mut next = Process::node("b", free_port(), port, SHORT_LEASE);
        let mut events = a.node.subscribe();
        while !matches!(events.next().await, Some(NodeEvent::Down(id)) if id.name == name("b")) {}
        a.knows("b").await;
        reaches(&a, "b").await;
        assert!(!next.has_ended());
    })
    .await;
}
