//! Nodes that join, call and are killed, beside some that stay.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::certificates::Authority;
use crate::network::{LEASE, Process, free_port, is_long, say, until, within_limit};

/// How long the test waits for what has to happen. Nothing depends on how fast it does.
const LIMIT: Duration = Duration::from_secs(5 * 60);
const LONG_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The nodes that stay.
const RESIDENTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The nodes that come and are killed together.
const WAVE: usize = 8;

/// How much the memory of a node that stays may grow, in KiB. Connections in QUIC take more.
const GROWTH: usize = 32 * 1_024;
const ENCRYPTED_GROWTH: usize = 64 * 1_024;

/// The nodes that stay. Each calls all others all the time.
struct Residents {
    ports: [u16; 5],
    processes: Vec<Process>,
    /// None if nothing is encrypted.
    authority: Option<Authority>,
}

impl Residents {
    fn start(authority: Option<Authority>) -> Self {
        let ports = RESIDENTS.map(|_| free_port());
        let start = |(which, name): (usize, &&str)| {
            let others = |at: &usize| *at != which;
            let peers: Vec<u16> = (0..ports.len()).filter(others).map(|at| ports[at]).collect();
            let callees: Vec<&str> = (0..ports.len()).filter(others).map(|at| RESIDENTS[at]).collect();
            caller(name, ports[which], &peers, &callees, authority.as_ref())
        };
        let mut processes: Vec<Process> = RESIDENTS.iter().enumerate().map(start).collect();
        processes.iter_mut().for_each(Process::wait_until_ready);
        Self { ports, processes, authority }
    }

    /// Starts a node that calls all of these, and does not wait.
    fn visit(&self, name: &str) -> Process {
        // It listens at any port.
        caller(name, 0, &self.ports, &RESIDENTS, self.authority.as_ref())
    }

    /// Waits until these see each other, and no other node.
    async fn are_alone(&mut self) {
        for (process, own) in self.processes.iter_mut().zip(RESIDENTS) {
            until(|| {
                let report = process.report();
                let others = RESIDENTS.into_iter().filter(|name| *name != own);
                report.carts == RESIDENTS && report.peers.iter().eq(others)
            })
            .await;
        }
    }

    /// Checks that no call has failed. Returns the number of those that were answered.
    fn check(&mut self) -> u64 {
        let reports = self.processes.iter_mut().map(Process::report);
        let answered = reports.map(|report| {
            assert_eq!(report.failed, 0, "{}", report.failure);
            report.answered
        });
        answered.sum()
    }

    /// Returns the memory that each uses, in KiB.
    fn memory(&self) -> Vec<usize> {
        self.processes.iter().map(Process::memory).collect()
    }
}

fn caller(name: &str, port: u16, peers: &[u16], callees: &[&str], authority: Option<&Authority>) -> Process {
    match authority {
        Some(authority) => Process::encrypted_caller(name, port, peers, LEASE, callees, authority.dir()),
        None => Process::caller(name, port, peers, LEASE, callees),
    }
}

/// Lets nodes come, call and be killed. One of them is killed while it joins. Returns the number of
/// their calls.
async fn wave(residents: &Residents, first: usize, random: &mut fastrand::Rng) -> u64 {
    let visit = |which: usize| residents.visit(&format!("v{which}"));
    let mut visitors: Vec<Process> = (first..first + WAVE).map(visit).collect();
    let early = visitors.swap_remove(random.usize(..WAVE));
    tokio::time::sleep(Duration::from_millis(random.u64(..500))).await;
    early.signal(Signal::KILL);
    let mut answered = 0;
    for visitor in &mut visitors {
        visitor.wait_until_ready();
        visitor.answers_more(5).await;
        answered += visitor.report().answered;
    }
    visitors.iter().for_each(|visitor| visitor.signal(Signal::KILL));
    answered
}

/// Lets so many nodes come and be killed.
async fn churn(count: usize, authority: Option<Authority>) {
    let (since, mut random) = (Instant::now(), fastrand::Rng::with_seed(7));
    let (network, max) = match authority {
        Some(_) => ("QUIC", ENCRYPTED_GROWTH),
        None => ("TCP", GROWTH),
    };
    if let Some(authority) = &authority {
        RESIDENTS.iter().for_each(|name| authority.sign(name));
        (0..count).for_each(|which| authority.sign(&format!("v{which}")));
    }
    let mut residents = Residents::start(authority);
    residents.are_alone().await;
    let (mut visits, mut before) = (0, Vec::new());
    for first in (0..count).step_by(WAVE) {
        visits += wave(&residents, first, &mut random).await;
        residents.check();
        if before.is_empty() {
            before = residents.memory();
        }
    }
    residents.are_alone().await;
    let (calls, after) = (residents.check(), residents.memory());
    say(&format!(
        "{count} nodes came and were killed in {:.0?}, {network}: {calls} calls of those that stay, {visits} of \
         the others, none failed; memory of those that stay in KiB: {before:?} after {WAVE}, {after:?} at the end",
        since.elapsed()
    ));
    let grown = before.iter().zip(&after).map(|(before, after)| after.saturating_sub(*before)).max();
    assert!(grown.is_some_and(|grown| grown < max), "{grown:?} KiB more");
    // The next boot of one that was killed is reached.
    let mut again = residents.visit("v0");
    again.wait_until_ready();
    for resident in &mut residents.processes {
        until(|| resident.report().carts.contains(&"v0".to_owned())).await;
    }
    residents.check();
}

#[tokio::test]
async fn nodes_that_come_and_are_killed_harm_none_that_stays_and_leave_nothing() {
    let (count, limit) = if is_long() { (432, LONG_LIMIT) } else { (24, LIMIT) };
    within_limit(limit, churn(count, None)).await;
}

#[tokio::test]
async fn nodes_with_certificates_that_come_and_are_killed_harm_none_that_stays_and_leave_nothing() {
    let (count, limit) = if is_long() { (96, LONG_LIMIT) } else { (16, LIMIT) };
    within_limit(limit, churn(count, Some(Authority::new()))).await;
}
