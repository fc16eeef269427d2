//! Actors that are slow, or block their thread, while another process floods them.

use std::time::Duration;

use crate::network::{LEASE, Process, free_port, until, within_limit};

/// How long a test waits for what has to happen. Nothing depends on how fast it does.
const LIMIT: Duration = Duration::from_secs(300);

/// How much the memory of a process may grow, in KiB. All messages of a flood have more.
const GROWTH: usize = 8 * 1_024;

/// The messages of a flood: how many at least, and the bytes of each.
#[derive(Clone, Copy)]
struct Flood {
    attempts: u64,
    bytes: usize,
}

const FLOODS: [Flood; 2] = [Flood { attempts: 100_000, bytes: 64 }, Flood { attempts: 8_000, bytes: 4_096 }];

/// A node whose actor is slow, a node that floods it, and a node that calls both all the time.
struct Flooded {
    sink: Process,
    flood: Process,
    caller: Process,
    /// The most memory that the first two have used before, in KiB.
    before: [usize; 2],
}

impl Flooded {
    /// Starts the processes, and the flood.
    async fn start(how: &str, messages: Flood) -> Self {
        let ports = [free_port(), free_port(), free_port()];
        let sink = Process::sink(ports[0], ports[1], LEASE, how);
        let mut flood = Process::flood(ports[1], ports[0], LEASE, messages.bytes);
        let mut caller = Process::caller("caller", ports[2], &ports[..2], LEASE, &["sink", "flood"]);
        caller.wait_until_ready();
        let before = [&flood, &sink].map(Process::peak_memory);
        flood.ask(&format!("flood {}", messages.attempts));
        Self { sink, flood, caller, before }
    }

    /// Waits until all messages were sent, or refused because the window was full. Meanwhile, the
    /// calls go on.
    async fn wait_until_sent(&mut self) {
        loop {
            self.caller.answers_more(10).await;
            let sent = self.flood.sent();
            assert_eq!((sent.failed, sent.lost_connections), (0, 0), "{sent:?}");
            if sent.is_over {
                assert!(sent.busy > 0, "{sent:?}");
                return;
            }
        }
    }

    /// Waits until all that was sent has arrived, and checks it.
    async fn settle(mut self) {
        let Self { sink, flood, .. } = &mut self;
        until(|| {
            let (sent, tally) = (flood.sent(), sink.tally());
            assert!(tally.is_in_order);
            assert_eq!([sent.lost_connections, tally.lost_connections, sent.lost], [0; 3], "{sent:?}");
            let is_over = sent.accepted == tally.processed + tally.refused;
            is_over && sent.unconfirmed == 0 && sent.sent == tally.received
        })
        .await;
        let after = [&self.flood, &self.sink].map(Process::peak_memory);
        let grown = [after[0] - self.before[0], after[1] - self.before[1]];
        assert!(grown.iter().all(|grown| *grown < GROWTH), "{grown:?} KiB more");
        self.caller.answers_more(10).await;
    }
}

/// Floods an actor that is slow for as long as the flood takes.
async fn settles(how: &str) {
    for messages in FLOODS {
        let mut flooded = Flooded::start(how, messages).await;
        flooded.wait_until_sent().await;
        flooded.settle().await;
    }
}

#[tokio::test]
async fn slow_actor_makes_casts_busy_and_costs_neither_memory_nor_the_connection() {
    within_limit(LIMIT, settles("waits")).await;
}

#[tokio::test]
async fn actor_that_blocks_the_only_thread_of_its_node_makes_casts_busy_and_calls_go_on() {
    within_limit(LIMIT, settles("blocks")).await;
}

#[tokio::test]
async fn actor_that_blocks_for_longer_than_the_lease_harms_neither_its_node_nor_the_sender() {
    within_limit(LIMIT, async {
        for messages in FLOODS {
            let mut flooded = Flooded::start("stuck", messages).await;
            flooded.wait_until_sent().await;
            // A sender that wants to know is told that the mailbox is full.
            assert_eq!(flooded.flood.ask("send"), ["Busy"]);
            let calls = flooded.caller.answers_more(u64::MAX / 2);
            let ended = tokio::time::timeout(LEASE + LEASE / 4, calls).await;
            assert!(ended.is_err(), "calls go on for longer than the lease");
            flooded.sink.ask("go on");
            flooded.settle().await;
        }
    })
    .await;
}
