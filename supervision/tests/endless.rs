//! Durations without end: such a duration means never, and no supervisor fails because of it.

use std::time::Duration;

use perennial_supervision::{Backoff, Probe, Shutdown, Supervisor};
use tokio::time::sleep;

use crate::support::subject::{Msg, incarnation, scripted, secs, start, tell};

const NEVER: Duration = Duration::MAX;

#[tokio::test(start_paused = true)]
async fn a_time_that_never_ends_is_never_over_whatever_it_is_set_for() {
    let child = scripted("a")
        .start_timeout(NEVER)
        .shutdown(Shutdown::Timeout(NEVER))
        .backoff(Backoff::new(secs(1), NEVER))
        .handler_deadline(NEVER)
        .probe(Probe::new(Msg::Ping).period(NEVER).timeout(NEVER));
    let address = child.address();
    let tree = Supervisor::new("app").intensity(5, NEVER).abandon_after(NEVER).child(child);
    let (_, app) = start(tree).await;
    for n in 2..=4 {
        sleep(secs(1)).await;
        tell(&address, Msg::crash());
        assert_eq!(incarnation(&address).await, n);
    }
    assert!(app.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_never_ends_can_be_cut_short_by_hand() {
    let child = scripted("a").backoff(Backoff::new(NEVER, NEVER));
    let address = child.address();
    let (_, app) = start(Supervisor::new("app").child(child)).await;
    tell(&address, Msg::crash());
    sleep(secs(1 << 30)).await;
    app.supervisor().terminate_child("a").await.expect("it is down");
    app.supervisor().restart_child("a").await.expect("it starts");
    assert_eq!(incarnation(&address).await, 2);
    assert!(app.shutdown().await.is_clean());
}
