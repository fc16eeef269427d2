//! The network in memory hands packets over without its lock.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::engine::{Engine, Priority};
use crate::identity::{Boot, NodeId, NodeName};
use crate::inbox::Inbox;
use crate::memory::MemoryNetwork;

/// A waker that looks whether another thread can use the network, and panics.
struct Foreign {
    network: MemoryNetwork,
    was_free: AtomicUsize,
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        let (network, (done, is_done)) = (self.network.clone(), mpsc::channel());
        std::thread::spawn(move || {
            network.set_lease(Duration::from_secs(2));
            done.send(())
        });
        let is_free = is_done.recv_timeout(Duration::from_secs(10)).is_ok();
        self.was_free.fetch_add(usize::from(is_free), Ordering::SeqCst);
        panic!("the waker is broken");
    }
}

/// Whatever the delays of the news are, the later one is heard last.
#[tokio::test(start_paused = true)]
async fn boot_that_leaves_and_joins_at_once_is_seen() {
    for seed in 0..50 {
        let network = MemoryNetwork::new(seed);
        let boot = |name| NodeId {
            name: NodeName::new(name).expect("a name"),
            boot: Boot { started: 1, random: 0 },
        };
        let (inbox, engine) = (Inbox::bounded(100_000), network.engine());
        let _a = engine.open(boot("a"), inbox.clone()).await.expect("it opens");
        let b = engine.open(boot("b"), Inbox::bounded(100_000)).await.expect("it opens");
        sleep(Duration::from_secs(1)).await;
        assert!(inbox.next(1).await.presence[&boot("b")].is_up);
        drop(b);
        let _b = engine.open(boot("b"), Inbox::bounded(100_000)).await.expect("it opens again");
        sleep(Duration::from_secs(1)).await;
        let presence = inbox.next(1).await.presence[&boot("b")];
        assert!(presence.is_up && presence.was_gone, "seed {seed}: {presence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waker_of_an_inbox_may_use_the_network_and_may_panic() {
    let network = MemoryNetwork::new(1);
    let boot =
        |name| NodeId { name: NodeName::new(name).expect("a name"), boot: Boot { started: 1, random: 0 } };
    let (inbox, engine) = (Inbox::bounded(100_000), network.engine());
    let _a = engine.open(boot("a"), inbox.clone()).await.expect("it opens");
    let b = engine.open(boot("b"), Inbox::bounded(100_000)).await.expect("it opens");
    let foreign = Arc::new(Foreign { network, was_free: AtomicUsize::new(0) });
    for round in 1..=3 {
        while timeout(Duration::from_secs(1), inbox.next(100)).await.is_ok() {}
        let waker = Waker::from(foreign.clone());
        let mut next = pin!(inbox.next(100));
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        b.send(&boot("a"), Priority::Stream, vec![round]);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(foreign.was_free.load(Ordering::SeqCst), usize::from(round));
        assert_eq!(next.await.packets, [(boot("b"), vec![round])]);
    }
}
