//! Monitors of one actor, and senders that wait for room in its mailbox.

use std::task::{Context as Polling, Waker};
use std::time::Duration;

use perennial::prelude::*;

use crate::ran;

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Result<(), ExitReason> {
        Ok(())
    }
}

/// Drops the monitors of each actor in the order in which they were set.
pub(crate) async fn monitors_taken_back(actors: usize, monitors: usize) -> Duration {
    let system = System::new();
    let mut watched = Vec::new();
    for _ in 0..actors {
        let actor = system.spawn::<Idle>(()).await.expect("it starts");
        watched.extend((0..monitors).map(|_| actor.monitor()));
    }
    let begun = ran();
    watched.into_iter().for_each(drop);
    ran() - begun
}

/// Ends actors while senders wait for room in their mailboxes. Every send resolves with an error.
pub(crate) async fn senders_told_of_an_end(actors: usize, senders: usize) -> Duration {
    let system = System::new();
    let mut addresses = Vec::new();
    for _ in 0..actors {
        let actor = system.spawn::<Idle>(()).mailbox(MailboxConfig::bounded(1));
        let address = actor.await.expect("it starts");
        address.handle().suspend().expect("it lives");
        address.cast(()).expect("there is room for one");
        addresses.push(address);
    }
    let mut sends: Vec<_> =
        addresses.iter().flat_map(|address| (0..senders).map(|_| Box::pin(address.send(())))).collect();
    let mut polling = Polling::from_waker(Waker::noop());
    assert!(sends.iter_mut().all(|send| send.as_mut().poll(&mut polling).is_pending()));
    let begun = ran();
    for address in &addresses {
        let monitor = address.monitor();
        address.kill().expect("it lives");
        monitor.await;
    }
    for send in sends {
        assert!(send.await.is_err());
    }
    ran() - begun
}
