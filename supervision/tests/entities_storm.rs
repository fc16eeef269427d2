//! Many senders, many keys, few places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use perennial_actors::{Actor, Context, ExitReason, MailboxConfig, System};
use perennial_supervision::Supervisor;
use perennial_supervision::entities::Entities;

/// Checks that each sender's numbers arrive in order, and that none is missing.
struct Checker {
    key: String,
    seen: Arc<Mutex<HashMap<(String, usize), u64>>>,
}

impl Actor for Checker {
    type Msg = (usize, u64);
    type Args = (String, Arc<Mutex<HashMap<(String, usize), u64>>>);

    async fn init((key, seen): &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { key: key.clone(), seen: seen.clone() })
    }

    async fn handle(&mut self, (sender, number): Self::Msg, _: &mut Context<Self>) -> Result<(), ExitReason> {
        let mut seen = self.seen.lock().expect("no test panics with it");
        let last = seen.entry((self.key.clone(), sender)).or_default();
        assert_eq!(*last + 1, number, "of {} for {}", sender, self.key);
        *last = number;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_is_lost_or_out_of_order_while_few_of_many_keys_are_in_memory() {
    const SENDERS: usize = 64;
    const KEYS: usize = 1_000;
    const ROUNDS: u64 = 3;
    let seen: Arc<Mutex<HashMap<(String, usize), u64>>> = Arc::default();
    let of_actors = seen.clone();
    let entities =
        Entities::<usize, Checker>::new("checkers", move |key| (key.to_string(), of_actors.clone()))
            .max_live(100)
            .mailbox(MailboxConfig::bounded(16));
    let handle = entities.handle();
    let app = Supervisor::new("app").child(entities).start(&System::new()).await.expect("it starts");
    let senders = (0..SENDERS).map(|sender| {
        let handle = handle.clone();
        tokio::spawn(async move {
            for number in 1..=ROUNDS {
                for step in 0..KEYS {
                    let key = (step * 7 + sender * 13) % KEYS;
                    let address = handle.address(&key).expect("there is room");
                    address.send((sender, number)).await.expect("it is accepted");
                }
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it sends all");
    }
    let all = (SENDERS * KEYS) as u64 * ROUNDS;
    while seen.lock().expect("no test panics with it").values().sum::<u64>() < all {
        assert!(handle.stats().live <= 100);
        tokio::task::yield_now().await;
    }
    assert!(app.shutdown().await.is_clean());
    let seen = seen.lock().expect("no test panics with it");
    assert_eq!(seen.len(), SENDERS * KEYS);
    assert!(seen.values().all(|last| *last == ROUNDS));
}
