//! A process whose node calls others all the time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use perennial_cluster::{Node, NodeBuilder, NodeName, RemoteAddress, RemoteError};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::roles::{answer, lines, ready, start_with};
use super::{Process, until};
use crate::support::{CART, Msg, name};

/// The answers and the failures of all calls, since each callee has answered once.
#[derive(Default)]
struct Calls {
    answered: u64,
    failed: u64,
    /// The first failure.
    failure: String,
}

impl Calls {
    /// Counts a call: whether its answer is right, or why there is none.
    fn count(&mut self, result: &Result<bool, RemoteError<Msg>>) {
        if matches!(result, Ok(true)) {
            self.answered += 1;
            return;
        }
        self.failed += 1;
        if self.failure.is_empty() {
            self.failure = format!("{result:?}").replace([' ', '\n'], "_");
        }
    }
}

/// Runs a node that calls the carts of others, whose names have commas between them. It is ready
/// when each has answered.
#[tokio::main(flavor = "current_thread")]
pub(super) async fn run(builder: NodeBuilder, callees: &str) {
    let node = builder.build().expect("it can be built");
    let mut lines = lines();
    let (_tree, _) = start_with(&node, None).await;
    let calls = Arc::new(Mutex::new(Calls::default()));
    let mut traffic = JoinSet::new();
    for callee in callees.split(',') {
        let cart = node.at(&name(callee), CART);
        while cart.call(Msg::Items).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        traffic.spawn(call(cart, calls.clone()));
    }
    ready();
    while let Some(line) = lines.recv().await {
        assert_eq!(line, "report");
        answer(&report(&node, &calls.lock()));
    }
}

async fn call(cart: RemoteAddress<Msg>, calls: Arc<Mutex<Calls>>) {
    for number in 0_u64.. {
        let sent = number.to_le_bytes().to_vec();
        let result = cart.call(|reply| Msg::Echo(sent.clone(), reply)).no_timeout().await;
        calls.lock().count(&result.map(|echo| echo == sent));
        sleep(Duration::from_millis(5)).await;
    }
}

fn report(node: &Node, calls: &Calls) -> String {
    let Calls { answered, failed, failure } = calls;
    let peers: Vec<String> = node.peers().iter().map(|peer| peer.node.name.to_string()).collect();
    let names: Vec<String> = node.nodes_with("cart").iter().map(NodeName::to_string).collect();
    format!("{answered} {failed} {} {} {failure}", peers.join(","), names.join(","))
}

/// What a caller has done, and sees.
#[derive(Debug)]
pub(crate) struct CallerReport {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    /// The names of the peers that it sees.
    pub(crate) peers: Vec<String>,
    /// The nodes that have a cart, itself included.
    pub(crate) carts: Vec<String>,
    /// The first failure.
    pub(crate) failure: String,
}

fn role(text: &str, port: u16, peers: &[u16], lease: Duration, callees: &[&str]) -> String {
    let peers: Vec<String> = peers.iter().map(u16::to_string).collect();
    format!("caller {text} {port} {} {} {}", peers.join(","), lease.as_millis(), callees.join(","))
}

impl Process {
    /// Starts a node that calls others, and does not wait.
    pub(crate) fn caller(text: &str, port: u16, peers: &[u16], lease: Duration, callees: &[&str]) -> Self {
        Self::spawn(&role(text, port, peers, lease, callees))
    }

    /// Starts a node with an identity that calls others, and does not wait. The nodes whose
    /// certificates are there are the members.
    pub(crate) fn encrypted_caller(
        text: &str,
        port: u16,
        peers: &[u16],
        lease: Duration,
        callees: &[&str],
        certificates: &Path,
    ) -> Self {
        let role = role(text, port, peers, lease, callees);
        Self::spawn(&format!("{role} {}", certificates.display()))
    }

    /// Returns what a caller has done so far.
    pub(crate) fn report(&mut self) -> CallerReport {
        let words = self.ask("report");
        let list = |text: &str| {
            let mut names: Vec<String> = text.split(',').map(str::to_owned).collect();
            names.sort();
            names
        };
        CallerReport {
            answered: words[0].parse().expect("a number"),
            failed: words[1].parse().expect("a number"),
            peers: list(&words[2]),
            carts: list(&words[3]),
            failure: words[4..].join(" "),
        }
    }

    /// Waits until a caller has so many more answers, none of its calls fails.
    pub(crate) async fn answers_more(&mut self, more: u64) {
        let wanted = self.report().answered + more;
        until(|| {
            let report = self.report();
            assert_eq!(report.failed, 0, "{}", report.failure);
            report.answered >= wanted
        })
        .await;
    }
}
