//! What the other processes do, and how they talk with the test that has started them: it writes
//! lines to them, and they write lines to it.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{Write, stdin, stdout};
use std::net::TcpStream;
use std::path::Path;
use std::process::exit;
use std::thread;
use std::time::Duration;

use perennial_actors::{Address, System};
use perennial_cluster::{Bincode, Node, NodeBuilder, NodeName, RemoteChild};
use perennial_supervision::{App, Child, Supervisor, SupervisorHandle};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{builder, caller, encrypted, load};
use crate::support::{CART, Cart, name};

type Tree = App<SupervisorHandle>;

/// Says what the process is to do: a role, and its arguments.
pub(crate) const ROLE: &str = "PERENNIAL_TEST_ROLE";

/// Does what the role of this process says, if it has one.
pub(crate) fn do_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    match words[..] {
        ["node", text, port, peer, lease] => run_node(member(text, port, peer, lease)),
        ["silent", port, connections] => be_silent(number(port), number(connections)),
        ["caller", text, port, peers, lease, callees] => {
            caller::run(member(text, port, peers, lease), callees);
        }
        ["caller", text, port, peers, lease, callees, certificates] => {
            let node = encrypted(Path::new(certificates), text, number(port), &ports(peers));
            caller::run(node.members(members(certificates)).lease(millis(lease)), callees);
        }
        ["sink", text, port, peers, lease, how] => load::run_sink(member(text, port, peers, lease), how),
        ["flood", text, port, peers, lease, bytes] => {
            load::run_flood(member(text, port, peers, lease), number(bytes).into());
        }
        _ => panic!("no such role: {role}"),
    }
}

fn number(text: &str) -> u16 {
    text.parse().expect("a number")
}

/// Returns a node with these peers, which are ports with commas between them.
fn member(text: &str, port: &str, peers: &str, lease: &str) -> NodeBuilder {
    builder(text, number(port), &ports(peers)).lease(millis(lease))
}

fn ports(text: &str) -> Vec<u16> {
    text.split(',').map(number).collect()
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(number(text).into())
}

/// Returns the nodes whose certificates are in a directory.
fn members(certificates: &str) -> Vec<NodeName> {
    let files = fs::read_dir(certificates).expect("a directory");
    let paths = files.map(|file| file.expect("a file").path());
    let keys = paths.filter(|path| path.extension().is_some_and(|extension| extension == "key"));
    keys.filter_map(|path| path.file_stem()?.to_str().map(name)).collect()
}

/// Starts a node with a cart, and with another child. Returns the tree, and the actor of the node.
pub(super) async fn start_with(node: &Node, other: Option<Child<load::Load>>) -> (Tree, Address<Infallible>) {
    let cart = Child::new::<Cart>("cart", ()).remote::<Bincode>(node, CART).expect("it is exposed");
    let mut tree = Supervisor::new("app").child(cart);
    if let Some(other) = other {
        tree = tree.child(other);
    }
    let child = node.child();
    let address = child.address();
    let tree = tree.child(child).start(&System::new()).await;
    (tree.expect("the tree starts"), address)
}

/// Runs a node until this process is killed, or the node stops by itself.
#[tokio::main(flavor = "current_thread")]
async fn run_node(builder: NodeBuilder) {
    let node = builder.build().expect("it can be built");
    let _lines = lines();
    let (_tree, address) = start_with(&node, None).await;
    ready();
    address.monitor().await;
}

fn be_silent(port: u16, connections: u16) {
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let _streams: Vec<TcpStream> = (0..connections).map(connect).collect();
    ready();
    drop(lines().blocking_recv());
}

pub(super) fn ready() {
    say("ready");
}

pub(super) fn answer(text: &str) {
    say(&format!("answer {text}"));
}

/// Writes a line, which may come after a part of one.
fn say(line: &str) {
    stdout().write_all(format!("\n{line}\n").as_bytes()).expect("it is read");
}

/// Returns the lines that the test writes. This process does not outlive that of the test.
pub(super) fn lines() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    thread::spawn(move || {
        for line in stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        exit(0);
    });
    lines
}
