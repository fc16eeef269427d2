//! The process of a node, as the test sees it: lines that it prints, and lines that it is told.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::lan::{self, Lan};

/// Says what a process is to do.
pub(crate) const ROLE: &str = "PERENNIAL_TEST_MEMBER";

/// Stands for the certificates of a node that has none.
pub(crate) const PLAIN: &str = "-";

/// How long a line may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the name of a node.
pub(crate) fn name(which: usize) -> String {
    format!("node-{which}")
}

/// What a node knows of its connection to another one.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) peer: usize,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) received: u64,
}

/// A process with a node. It ends with this value.
pub(crate) struct Member {
    process: Child,
    input: ChildStdin,
    lines: Receiver<(Instant, String)>,
}

impl Member {
    /// Starts a node in its namespace. Without certificates, nothing is encrypted.
    pub(crate) fn start(lan: &Lan, which: usize, size: usize, certificates: Option<&Path>) -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &lan.namespace(which)]).arg(program);
        command.args(["member_does_what_it_is_told", "--exact", "--nocapture"]);
        let certificates = certificates.unwrap_or(Path::new(PLAIN));
        command.env(ROLE, format!("{which} {size} {}", certificates.display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("it is started");
        let input = process.stdin.take().expect("it has an input");
        let output = process.stdout.take().expect("it has an output");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        Self { process, input, lines }
    }

    /// Waits for a line. Returns when it came.
    pub(crate) fn wait_for(&mut self, wanted: &str) -> Instant {
        loop {
            let (at, line) = self.lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no line `{wanted}`"));
            if line == wanted {
                return at;
            }
            assert!(!line.starts_with("wrong"), "{line}");
        }
    }

    /// Waits for some lines, in any order.
    pub(crate) fn wait_for_all(&mut self, wanted: &[&str]) {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let line = self.lines.recv_timeout(LIMIT);
            let (_, line) = line.unwrap_or_else(|_| panic!("no lines {missing:?}"));
            missing.retain(|wanted| *wanted != line);
            assert!(!line.starts_with("wrong"), "{line}");
        }
    }

    /// Forgets the lines that have come.
    pub(crate) fn forget(&mut self) {
        while self.lines.try_recv().is_ok() {}
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it is read");
    }

    /// Returns what the node knows of its connections.
    pub(crate) fn accounts(&mut self) -> Vec<Account> {
        self.forget();
        self.tell("accounts");
        let mut accounts = Vec::new();
        loop {
            let (_, line) = self.lines.recv_timeout(LIMIT).expect("it answers");
            let words: Vec<&str> = line.split(' ').collect();
            let number = |text: &str| text.parse().expect("a number");
            match words[..] {
                ["account", peer, sent, lost, received] => accounts.push(Account {
                    peer: peer.trim_start_matches("node-").parse().expect("a number"),
                    sent: number(sent),
                    lost: number(lost),
                    received: number(received),
                }),
                ["end"] => return accounts,
                _ => {}
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Returns the address at which a node listens.
pub(crate) fn listens_at(which: usize, is_plain: bool) -> String {
    let scheme = if is_plain { "tcp" } else { "quic" };
    format!("{scheme}/{}:7447", lan::address(which))
}
