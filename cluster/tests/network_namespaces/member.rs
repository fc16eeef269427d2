//! A process with a node that calls and casts to all others, and checks what becomes of it.

use std::collections::BTreeMap;
use std::env;
use std::io::{Write, stdin, stdout};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use perennial_actors::{Actor, Context, ExitReason, Reply, System};
use perennial_cluster::{
    Bincode, Node, NodeEvent, NodeName, RemoteAddress, RemoteChild, RemoteErrorKind, Tls, Wire,
};
use perennial_registry::Name;
use perennial_supervision::{Child, Supervisor};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::LEASE;
use crate::node::{self, PLAIN, ROLE};

/// The name of the actor of each node.
const LEDGER: Name<Entry> = Name::new("ledger");

#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// A number of a node.
    Cast(String, u64),
    /// Another number of a node, which is acknowledged.
    Call(String, u64, Reply<()>),
    /// A call that is never answered.
    Keep(Reply<()>),
    /// Asks for the numbers of the calls of a node.
    Calls(String, Reply<Vec<u64>>),
}

impl Wire for Entry {
    const TAG: &'static str = "test.ledger";
}

/// Keeps the numbers of all nodes, which have to come in order.
#[derive(Default)]
struct Ledger {
    casts: BTreeMap<String, u64>,
    calls: BTreeMap<String, Vec<u64>>,
    kept: Vec<Reply<()>>,
}

impl Actor for Ledger {
    type Msg = Entry;
    type Args = ();

    async fn init((): &(), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self::default())
    }

    async fn handle(&mut self, entry: Entry, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match entry {
            Entry::Cast(from, number) => {
                let last = self.casts.insert(from.clone(), number);
                check(last.is_none_or(|last| last < number), || format!("{number} of {from} after {last:?}"));
            }
            Entry::Call(from, number, reply) => {
                let calls = self.calls.entry(from.clone()).or_default();
                let last = calls.last().copied();
                check(last.is_none_or(|last| last < number), || {
                    format!("call {number} of {from} after {last:?}")
                });
                calls.push(number);
                reply.send(());
            }
            Entry::Keep(reply) => self.kept.push(reply),
            Entry::Calls(from, reply) => reply.send(self.calls.get(&from).cloned().unwrap_or_default()),
        }
        Ok(())
    }
}

/// Tells the test what is wrong.
fn check(holds: bool, what: impl FnOnce() -> String) {
    if !holds {
        print(&format!("wrong: {}", what()));
    }
}

fn print(line: &str) {
    stdout().write_all(format!("\n{line}\n").as_bytes()).expect("it is read");
}

/// Runs a node, if this process has that role, until its input ends.
pub(crate) fn run() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    let [which, size, certificates] = words[..] else { panic!("no such role: {role}") };
    let number = |text: &str| text.parse().expect("a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(number(which), number(size), certificates));
}

async fn serve(which: usize, size: usize, certificates: &str) {
    let others = || (0..size).filter(move |other| *other != which);
    let is_plain = certificates == PLAIN;
    let builder = Node::builder(&node::name(which))
        .listen(node::listens_at(which, is_plain))
        .peers(others().map(|other| node::listens_at(other, is_plain)))
        .lease(LEASE);
    let builder = if is_plain {
        builder.allow_plaintext()
    } else {
        builder.identity(Tls::dir(certificates)).members((0..size).map(name))
    };
    let node = builder.build().expect("it can be built");
    let mut events = node.subscribe();
    let ledger = Child::new::<Ledger>("ledger", ()).remote::<Bincode>(&node, LEDGER).expect("it is exposed");
    let tree = Supervisor::new("app").child(ledger).child(node.child()).start(&System::new()).await;
    let _tree = tree.expect("the tree starts");
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                NodeEvent::Up(node) => print(&format!("up {}", node.name)),
                NodeEvent::Down(node) => print(&format!("down {}", node.name)),
                _ => {}
            }
        }
    });
    let has_ended = Arc::new(AtomicBool::new(false));
    let mut traffic = JoinSet::new();
    for other in others() {
        let ledger = node.at(&name(other), LEDGER);
        traffic.spawn(talk(which, ledger, has_ended.clone()));
    }
    obey(node, has_ended, traffic).await;
}

/// A peer, and the numbers of the calls that it has acknowledged.
type Talked = (RemoteAddress<Entry>, String, Vec<u64>);

/// Casts and calls until the traffic rests.
async fn talk(which: usize, ledger: RemoteAddress<Entry>, has_ended: Arc<AtomicBool>) -> Talked {
    // The numbers of each boot begin anew.
    let own = format!("{} {}", node::name(which), process::id());
    let (mut number, mut acknowledged) = (0, Vec::new());
    while !has_ended.load(Ordering::Relaxed) {
        number += 1;
        // What is not sent is an answer, too.
        drop(ledger.cast(Entry::Cast(own.clone(), number)));
        if number % 8 == 0 {
            let call = ledger.call(|reply| Entry::Call(own.clone(), number, reply));
            match call.timeout(Duration::from_secs(1)).await {
                Ok(()) => acknowledged.push(number),
                Err(error) => check(is_expected(&error.kind), || error.kind.to_string()),
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
    (ledger, own, acknowledged)
}

fn name(which: usize) -> NodeName {
    NodeName::new(&node::name(which)).expect("a name")
}

/// Monitors a node and makes a call to it that ends with the connection. Says when both are there,
/// and how they end.
async fn watch(ledger: RemoteAddress<Entry>) {
    let (monitor, call) = (ledger.monitor(), ledger.call(Entry::Keep).no_timeout().into_future());
    let watched = async {
        let (down, result) = tokio::join!(monitor, call);
        let error = result.expect_err("nothing answers");
        print(&format!("call ends: {}", error.kind));
        print(&format!("monitor ends: {}", down.reason));
    };
    let is_there = async {
        // It comes after both.
        let numbers = ledger.call(|reply| Entry::Calls(String::new(), reply)).no_timeout().await;
        check(numbers.is_ok(), || format!("{numbers:?}"));
        print("watching");
    };
    tokio::join!(watched, is_there);
}

/// Calls a node until it answers.
async fn reach(ledger: RemoteAddress<Entry>) {
    while ledger.call(|reply| Entry::Calls(String::new(), reply)).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
    print("reached");
}

fn is_expected(error: &RemoteErrorKind) -> bool {
    matches!(error, RemoteErrorKind::NoConnection | RemoteErrorKind::TimedOut | RemoteErrorKind::Busy)
}

/// Does what the test says, line by line.
async fn obey(node: Node, has_ended: Arc<AtomicBool>, mut traffic: JoinSet<Talked>) {
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut talked = Vec::new();
    while let Some(line) = lines.recv().await {
        let ledger = |other: &str| node.at(&name(other.parse().expect("a number")), LEDGER);
        match line.as_str() {
            line if line.starts_with("watch ") => drop(tokio::spawn(watch(ledger(&line[6..])))),
            line if line.starts_with("reach ") => drop(tokio::spawn(reach(ledger(&line[6..])))),
            "rest" => {
                has_ended.store(true, Ordering::Relaxed);
                while let Some(task) = traffic.join_next().await {
                    talked.push(task.expect("no task panics"));
                }
                print("resting");
            }
            "accounts" => {
                // It is asked again until something has happened.
                sleep(Duration::from_millis(100)).await;
                for peer in node.peers().iter().filter(|peer| peer.is_up) {
                    let account = (peer.sent, peer.lost, peer.received);
                    print(&format!("account {} {} {} {}", peer.node.name, account.0, account.1, account.2));
                }
                print("end");
            }
            "check" => {
                for (ledger, own, acknowledged) in &talked {
                    let handled = ledger.call(|reply| Entry::Calls(own.clone(), reply)).no_timeout().await;
                    let handled = handled.expect("the network is healed");
                    check(!acknowledged.is_empty(), || "no call was acknowledged".to_owned());
                    let missing = acknowledged.iter().find(|number| !handled.contains(number));
                    check(missing.is_none(), || format!("{missing:?} was acknowledged and not handled"));
                }
                print("checked");
            }
            _ => panic!("no such line: {line}"),
        }
    }
}
