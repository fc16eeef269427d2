//! Nodes in network namespaces, whose network is slow, loses packets, and is cut. They are made by
//! this program, which needs root, and Debian's iproute2 and nftables. Without them it says that it
//! was skipped.
//!
//! `PERENNIAL_LONG=1` runs all of it, which takes some minutes; without it, a short form is run.

#[path = "../src/zenoh/tests/certificates.rs"]
mod certificates;
#[path = "network_namespaces/lan.rs"]
mod lan;
#[path = "network_namespaces/member.rs"]
mod member;
#[path = "network_namespaces/node.rs"]
mod node;

use std::env;
use std::io::Write;
use std::time::{Duration, Instant};

use certificates::Authority;
use lan::{Lan, Quality};
use node::Member;

/// How long a node may be silent.
const LEASE: Duration = Duration::from_secs(2);

/// A network that does no harm.
const GOOD: Quality = Quality { delay: 0, loss: 0 };

/// The entry of the other processes. Without a role, it does nothing.
#[test]
fn member_does_what_it_is_told() {
    member::run();
}

fn is_long() -> bool {
    env::var_os("PERENNIAL_LONG").is_some()
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Nodes of a network, of which each calls and casts to all others.
struct Cluster {
    lan: Lan,
    members: Vec<Member>,
    /// None if nothing is encrypted.
    authority: Option<Authority>,
}

impl Cluster {
    fn start(tag: &str, size: usize, quality: Quality, authority: Option<Authority>) -> Option<Self> {
        let lan = match Lan::new(tag, size) {
            Ok(lan) => lan,
            Err(reason) => {
                say(&format!("skipped: {reason}"));
                return None;
            }
        };
        authority.iter().for_each(|authority| (0..size).for_each(|which| authority.sign(&node::name(which))));
        let mut cluster = Self { lan, members: Vec::new(), authority };
        cluster.members = (0..size).map(|which| cluster.start_member(which, size)).collect();
        cluster.wait_until_whole();
        (0..size).for_each(|which| cluster.lan.set(which, quality));
        Some(cluster)
    }

    fn start_member(&self, which: usize, size: usize) -> Member {
        Member::start(&self.lan, which, size, self.authority.as_ref().map(Authority::dir))
    }

    /// Waits until all are connected with each other, and have been so for a lease.
    fn wait_until_whole(&mut self) {
        let (mut since, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        while since.elapsed() < LEASE {
            let peers = self.members.len() - 1;
            if self.members.iter_mut().any(|member| member.accounts().len() != peers) {
                since = Instant::now();
                assert!(since < deadline, "some are not connected");
            }
        }
    }

    /// Does harm to the last node, and waits until all others have noticed. Returns how long the
    /// slowest took.
    fn noticed(&mut self, harm: impl FnOnce(&Lan, usize)) -> Duration {
        self.wait_until_whole();
        let last = self.members.len() - 1;
        self.members.iter_mut().for_each(Member::forget);
        let since = Instant::now();
        harm(&self.lan, last);
        let line = format!("down {}", node::name(last));
        let others = self.members.iter_mut().take(last);
        others.map(|member| member.wait_for(&line).saturating_duration_since(since)).max().unwrap_or_default()
    }

    /// Repairs the network of the last node, and waits until all are connected with it.
    fn healed(&mut self, quality: Quality) -> Duration {
        let last = self.members.len() - 1;
        let since = Instant::now();
        self.lan.heal(last, quality);
        let line = format!("up {}", node::name(last));
        let others = self.members.iter_mut().take(last);
        others.map(|member| member.wait_for(&line).saturating_duration_since(since)).max().unwrap_or_default()
    }

    /// Ends the traffic. Each member checks its calls, and all accounts have to balance.
    fn settle(mut self) {
        self.members.iter_mut().for_each(|member| member.tell("rest"));
        for member in &mut self.members {
            member.wait_for("resting");
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let accounts: Vec<_> = self.members.iter_mut().map(Member::accounts).collect();
            let Some(wrong) = unbalanced(&accounts) else { break };
            assert!(Instant::now() < deadline, "{wrong}");
        }
        for member in &mut self.members {
            member.tell("check");
            member.wait_for("checked");
        }
    }
}

/// Returns an account that does not balance: what was sent is what was received and what is known
/// to be lost.
fn unbalanced(accounts: &[Vec<node::Account>]) -> Option<String> {
    for (which, own) in accounts.iter().enumerate() {
        if own.len() + 1 != accounts.len() {
            return Some(format!("{} knows {} peers", node::name(which), own.len()));
        }
        for account in own {
            let other = accounts[account.peer].iter().find(|other| other.peer == which)?;
            if account.sent != other.received + account.lost {
                return Some(format!("{} to {}: {account:?}, {other:?}", which, account.peer));
            }
        }
    }
    None
}

/// Cuts the last node off in one direction and in both, while all call each other.
fn prove(size: usize, quality: Quality) {
    let Some(mut cluster) = Cluster::start("cut", size, quality, Some(Authority::new())) else { return };
    for (how, harm) in [("one way", Lan::cut_one_way as fn(&Lan, usize)), ("both ways", Lan::cut)] {
        let noticed = cluster.noticed(harm);
        let (healed, network) = (cluster.healed(quality), cluster.lan.describe(quality));
        say(&format!(
            "{size} nodes, {network}, cut {how}: noticed after {noticed:.2?}, healed after {healed:.2?}"
        ));
        // A bound for a busy machine. What is aimed at is the lease and a tenth.
        assert!(noticed < 3 * LEASE, "{noticed:?}");
    }
    cluster.settle();
}

#[test]
fn node_that_is_cut_off_is_noticed_and_heals_and_no_packet_is_unaccounted_for() {
    if is_long() {
        for (size, delay, loss) in [(3, 5, 1), (3, 100, 1), (5, 5, 1), (5, 100, 0), (5, 20, 1)] {
            prove(size, Quality { delay, loss });
        }
    } else {
        prove(3, Quality { delay: 5, loss: 1 });
    }
}

/// Lets the machine of the last of three nodes disappear: no packet of it says that it is gone.
/// Another one with its address is started at once, or when all have noticed.
fn disappear(authority: Option<Authority>, is_started_at_once: bool) {
    let (size, last) = (3, 2);
    let Some(mut cluster) = Cluster::start("gone", size, GOOD, authority) else { return };
    cluster.wait_until_whole();
    let gone = cluster.members.pop().expect("it is there");
    for member in &mut cluster.members {
        member.tell(&format!("watch {last}"));
        member.wait_for("watching");
    }
    let since = Instant::now();
    cluster.lan.cut(last);
    drop(gone);
    let mut next = None;
    if is_started_at_once {
        cluster.lan.replace(last);
        next = Some(cluster.start_member(last, size));
    }
    let down = format!("down {}", node::name(last));
    for member in &mut cluster.members {
        member.wait_for_all(&[&down, "call ends: there is no connection", "monitor ends: no connection"]);
    }
    let noticed = since.elapsed();
    let next = next.unwrap_or_else(|| {
        cluster.lan.replace(last);
        cluster.start_member(last, size)
    });
    cluster.members.push(next);
    for which in 0..size {
        let others = (0..size).filter(|other| *other != which);
        for other in others {
            cluster.members[which].tell(&format!("reach {other}"));
            cluster.members[which].wait_for("reached");
        }
    }
    let network = if cluster.authority.is_some() { "QUIC" } else { "TCP" };
    let when = if is_started_at_once { "at once" } else { "later" };
    let all = since.elapsed();
    say(&format!(
        "a machine of {size} disappears, {network}, another starts {when}: noticed after {noticed:.2?}, \
         all reach all after {all:.2?}"
    ));
}

#[test]
fn machine_that_disappears_is_missed_and_its_next_boot_is_reached_by_the_same_address() {
    for is_started_at_once in [false, true] {
        disappear(Some(Authority::new()), is_started_at_once);
        disappear(None, is_started_at_once);
    }
}
