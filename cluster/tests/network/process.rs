//! Other processes: this program, started again with a role, as the test sees them.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::roles::ROLE;

/// More threads for zenoh, as `docs/CLUSTER.md` says: those that close connections may wait.
const THREADS: &str = "(net: (worker_threads: 2), acc: (worker_threads: 4))";

/// How long a line of a process is waited for. Nothing depends on how fast it comes.
const LIMIT: Duration = Duration::from_secs(300);

/// The test that does what a role says.
const ENTRY: &str = "network_processes::process_does_what_its_role_says";

/// A process, which ends with this value.
pub(crate) struct Process {
    child: std::process::Child,
    role: String,
    input: ChildStdin,
    /// The lines that it writes. A thread reads them, so that a test that waits can give up.
    output: Receiver<String>,
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

    /// Starts a process, and waits until it is ready.
    pub(crate) fn start(role: &str) -> Self {
        let mut process = Self::spawn(role);
        process.wait_until_ready();
        process
    }

    /// Starts a process, and does not wait.
    pub(crate) fn spawn(role: &str) -> Self {
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args([ENTRY, "--exact", "--nocapture"]).env(ROLE, role).env("ZENOH_RUNTIME", THREADS);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it is started");
        let input = child.stdin.take().expect("it has an input");
        let stdout = BufReader::new(child.stdout.take().expect("it has an output"));
        let (lines, output) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        Self { child, role: role.to_owned(), input, output }
    }

    pub(crate) fn wait_until_ready(&mut self) {
        while self.next_line() != "ready" {}
    }

    /// Tells it a line, and returns the words of its answer.
    pub(crate) fn ask(&mut self, line: &str) -> Vec<String> {
        writeln!(self.input, "{line}").expect("it reads");
        loop {
            if let Some(answer) = self.next_line().strip_prefix("answer ") {
                return answer.split(' ').map(str::to_owned).collect();
            }
        }
    }

    fn next_line(&self) -> String {
        match self.output.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(error) => panic!("`{}` says nothing: {error}", self.role),
        }
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
        self.status("VmRSS:")
    }

    /// Returns the most memory that it has used, in KiB.
    pub(crate) fn peak_memory(&self) -> usize {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
