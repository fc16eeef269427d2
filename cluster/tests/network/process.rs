//! Other processes: this program, started again to run one node, or to attack one.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::net::TcpStream;
use std::process::{ChildStdout, Command, Stdio, exit};
use std::thread;
use std::time::Duration;

use perennial_actors::System;
use perennial_cluster::{Bincode, RemoteChild};
use perennial_supervision::{Child, Supervisor};
use rustix::process::{Pid, Signal, kill_process};

use super::builder;
use crate::support::{CART, Cart};

/// Says what the process is to do: a role, and its arguments.
const ROLE: &str = "PERENNIAL_TEST_ROLE";

/// More threads for zenoh, as `docs/CLUSTER.md` says: those that close connections may wait.
const THREADS: &str = "(net: (worker_threads: 2), acc: (worker_threads: 4))";

/// The test that does it.
const ENTRY: &str = "network_processes::process_does_what_its_role_says";

/// A process, which ends with this value.
pub(crate) struct Process {
    child: std::process::Child,
    /// Kept open: it may write more.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a node, and waits until it runs.
    pub(crate) fn node(text: &str, port: u16, peer: u16, lease: Duration) -> Self {
        Self::start(&format!("node {text} {port} {peer} {}", lease.as_millis()))
    }

    /// Starts a process that opens so many connections to a port and says nothing.
    pub(crate) fn silent(port: u16, connections: usize) -> Self {
        Self::start(&format!("silent {port} {connections}"))
    }

    fn start(role: &str) -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args([ENTRY, "--exact", "--nocapture"]).env(ROLE, role).env("ZENOH_RUNTIME", THREADS);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it is started");
        let mut output = BufReader::new(child.stdout.take().expect("it has an output"));
        let mut line = String::new();
        while line != "ready\n" {
            line.clear();
            assert!(output.read_line(&mut line).expect("text") > 0, "`{role}` runs");
        }
        Self { child, _output: output }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Returns `true` if it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// Returns the memory that it uses, in KiB.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Does what the role of this process says, if it has one.
pub(crate) fn do_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    let number = |text: &str| text.parse::<u16>().expect("a number");
    match words[..] {
        ["node", text, port, peer, lease] => run_node(text, [port, peer, lease].map(number)),
        ["silent", port, connections] => be_silent(number(port), number(connections)),
        _ => panic!("no such role: {role}"),
    }
}

/// Runs a node until this process is killed, or the node stops by itself.
#[tokio::main(flavor = "current_thread")]
async fn run_node(text: &str, [port, peer, lease]: [u16; 3]) {
    let node = builder(text, port, &[peer])
        .lease(Duration::from_millis(lease.into()))
        .build()
        .expect("it can be built");
    let cart = Child::new::<Cart>("cart", ()).remote::<Bincode>(&node, CART).expect("it is exposed");
    let child = node.child();
    let address = child.address();
    let tree = Supervisor::new("app").child(cart).child(child).start(&System::new()).await;
    let _tree = tree.expect("the tree starts");
    ready();
    // It does not outlive the process that has started it.
    thread::spawn(|| {
        wait_for_the_end();
        exit(0);
    });
    address.monitor().await;
}

fn be_silent(port: u16, connections: u16) {
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let _streams: Vec<TcpStream> = (0..connections).map(connect).collect();
    ready();
    wait_for_the_end();
}

fn ready() {
    stdout().write_all(b"\nready\n").expect("it is read");
}

/// Waits until the process that has started this one closes its input, or ends.
fn wait_for_the_end() {
    drop(stdin().read(&mut [0]));
}
