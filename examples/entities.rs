//! A session for each of 10,000 users, of which 500 are in memory: a session is started by its
//! first message, and passivated when another one needs its place.
//!
//! ```text
//! cargo run --release --example entities
//! cargo run --release --example entities -- --keys 1000000 --live 10000
//! ```

#[macro_use]
#[path = "support/output.rs"]
mod output;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, fs};

use perennial::entities::{Entities, EntitiesHandle, EntityError};
use perennial::prelude::*;

/// What all sessions count.
#[derive(Default)]
struct Counts {
    /// The sessions that are in memory.
    live: AtomicUsize,
    most_live: AtomicUsize,
    clicks: AtomicU64,
}

/// The session of one user. What must not be forgotten would be in a store.
struct Session(Arc<Counts>);

/// A click of the user.
struct Click;

impl Actor for Session {
    type Msg = Click;
    type Args = Arc<Counts>;

    async fn init(counts: &Arc<Counts>, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        let live = counts.live.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most_live.fetch_max(live, Ordering::Relaxed);
        Ok(Self(counts.clone()))
    }

    async fn handle(&mut self, Click: Click, _: &mut Context<Self>) -> Result<(), ExitReason> {
        self.0.clicks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (users, live) = (argument("--keys", 10_000)?, argument("--live", 500)?);
    let counts = Arc::new(Counts::default());
    let shared = counts.clone();
    let sessions = Entities::<usize, Session>::new("sessions", move |_| shared.clone())
        .max_live(live)
        .max_keys(2 * live);
    let handle = sessions.handle();
    let app = Supervisor::new("shop").child(sessions).start(&System::new()).await?;

    let since = Instant::now();
    for user in 0..users {
        // The address is not kept: once a session is passivated, nothing of it is left.
        address(&handle, user).await?.send(Click).await?;
    }
    while counts.clicks.load(Ordering::Relaxed) < users as u64 {
        tokio::task::yield_now().await;
    }
    let per_user = since.elapsed().as_nanos() / users as u128;
    print_line!("{users} sessions, each with a click, in {per_user} ns each");
    print_line!("most in memory: {}; memory: {}", counts.most_live.load(Ordering::Relaxed), memory());
    assert!(counts.most_live.load(Ordering::Relaxed) <= live, "the limit holds");

    assert!(app.shutdown().await.is_clean());
    assert_eq!(counts.clicks.load(Ordering::Relaxed), users as u64, "no click is lost");
    assert_eq!(counts.live.load(Ordering::Relaxed), 0);
    Ok(())
}

/// Returns the address of a session. Waits while too many others wait for a place: senders that are
/// faster than sessions start would take more and more memory.
async fn address(
    sessions: &EntitiesHandle<usize, Session>,
    user: usize,
) -> Result<Address<Click>, EntityError> {
    loop {
        match sessions.address(&user) {
            Err(EntityError::TooMany) => tokio::task::yield_now().await,
            found => return found,
        }
    }
}

/// Returns the number after an argument.
fn argument(name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    let after = env::args().skip_while(|argument| argument != name).nth(1);
    Ok(after.map_or(Ok(default), |number| number.parse())?)
}

/// Returns the most memory that this process had, where the system tells.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".to_owned(), |peak| peak.trim().to_owned())
}
