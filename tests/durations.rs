//! Durations of any length are accepted in specs.

use std::time::Duration;

use perennial::prelude::*;
use perennial::{Backoff, Probe, Shutdown};

use crate::support::{Log, crash, incarnation, scripted, start};

const EVER: Duration = Duration::MAX;

enum Ping {
    Ping(Reply<()>),
}

struct Pong;

impl Actor for Pong {
    type Msg = Ping;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self)
    }

    async fn handle(&mut self, Ping::Ping(reply): Ping, _: &mut Context<Self>) -> Result<(), ExitReason> {
        reply.send(());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn no_duration_is_too_long_for_a_spec() {
    let patient = scripted("a", &Log::default())
        .start_timeout(EVER)
        .shutdown(Shutdown::Timeout(EVER))
        .handler_deadline(EVER)
        .backoff(Backoff::new(Duration::from_millis(1), EVER).jitter(1.0).reset_after(EVER));
    let address = patient.address();
    let probed = Child::new::<Pong>("b", ()).probe(Probe::new(Ping::Ping).timeout(EVER));
    let asked_once = Child::new::<Pong>("c", ()).probe(Probe::new(Ping::Ping).period(EVER));
    let tree = Supervisor::new("app").intensity(9, EVER).abandon_after(EVER);
    let (_, app) = start(tree.child(patient).child(probed).child(asked_once)).await;
    for expected in 2..5 {
        address.cast(crash()).expect("the mailbox is open");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(incarnation(&address).await, expected);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_delay_may_last_for_ever() {
    let child = scripted("a", &Log::default()).backoff(Backoff::new(EVER, EVER).jitter(1.0));
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    address.cast(crash()).expect("the mailbox is open");
    tokio::time::sleep(Duration::from_secs(1 << 30)).await;
    assert!(address.cast(crash()).is_ok(), "its mailbox waits with it");
    assert!(app.shutdown().await.unstopped.is_empty());
}
