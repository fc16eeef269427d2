//! The example `service` under its unit file and its pod manifest, which are read out of
//! `docs/OPERATIONS.md`. The test speaks as systemd and the kubelet do.

#![cfg(target_os = "linux")]

#[path = "support/examples.rs"]
mod examples;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A test that waits for longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the first block of code with this language in the document.
fn block(language: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = fs::read_to_string(page).expect("the page can be read");
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("there is such a block");
    rest.split_once("```").expect("it ends").0.to_owned()
}

/// Returns the value of the only line of the unit with this key.
fn unit(key: &str) -> String {
    let unit = block("ini");
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("{key} is missing"));
    assert_eq!(values.next(), None, "{key} is there once");
    value.to_owned()
}

/// Returns the lines of the manifest below this key.
fn below(key: &str) -> String {
    let manifest = block("yaml");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let key = format!("{key}:");
    let mut lines = manifest.lines().skip_while(|line| line.trim_start() != key);
    let top = indent(lines.next().unwrap_or_else(|| panic!("{key} is missing")));
    lines.take_while(|line| indent(line) > top).map(|line| format!("{}\n", line.trim())).collect()
}

/// Returns the value of the first line of a text with this key.
fn value(text: &str, key: &str) -> String {
    let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
    values.next().unwrap_or_else(|| panic!("{key} is missing")).to_owned()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Returns the seconds that follow this option.
fn option(args: &[String], name: &str) -> u64 {
    let at = args.iter().position(|arg| arg == name).unwrap_or_else(|| panic!("{name} is missing"));
    number(&args[at + 1])
}

/// Returns the arguments of the unit, without the program.
fn unit_args() -> Vec<String> {
    unit("ExecStart").split(' ').skip(1).map(str::to_owned).collect()
}

/// Returns the arguments of the container.
fn pod_args() -> Vec<String> {
    let args = value(&block("yaml"), "args");
    serde_json::from_str(&args).expect("a list of texts is the same in JSON")
}

fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| examples::built_with("service", "operations"))
}

/// The service as a process, which is killed when the test ends.
struct Service {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Service {
    /// Starts it with these arguments at a free port.
    fn start(args: &[String], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program());
        command.arg(&args[0]).arg("127.0.0.1:0").args(&args[2..]).stdout(Stdio::piped());
        // systemd names the process that it starts, so a shell that becomes the service does too.
        command.env_remove("NOTIFY_SOCKET").envs(variables.iter().copied());
        let mut process = command.spawn().expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it can be read");
        let address = line.trim_end().strip_prefix("listening on ").expect("it says where").to_owned();
        Self { process, output, address }
    }

    fn signal(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.expect("there is a kill command").success());
    }

    /// Waits for the end. Returns the exit code and the rest of the output.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("it can be read");
        (self.process.wait().expect("it ends").code(), rest)
    }

    /// Returns the code of an answer to a probe as the kubelet sends it, or `None` without an
    /// answer.
    fn probe(&self, path: &str) -> Option<u16> {
        let mut connection = TcpStream::connect(&self.address).ok()?;
        connection.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        let host = &self.address;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }

    /// Probes until the answer is a success, as the kubelet counts: 200 to 399.
    fn await_success(&self, path: &str) {
        while !self.probe(path).is_some_and(|code| (200..400).contains(&code)) {
            std::thread::yield_now();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn unit_is_valid_for_systemd() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("service.service");
    let text = block("ini").replace("/usr/local/bin/service", "/bin/true");
    fs::write(&path, text).expect("it can be written");
    // Machines without systemd cannot tell.
    if let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&path).output() {
        let complaints = String::from_utf8_lossy(&verified.stderr);
        let about_it: Vec<_> = complaints.lines().filter(|line| line.contains("service.service")).collect();
        assert!(about_it.is_empty(), "{about_it:?}");
    }
}

#[test]
fn deadlines_of_the_unit_leave_time_for_those_of_the_service() {
    let args = unit_args();
    let stop = option(&args, "--drain") + option(&args, "--shutdown-timeout");
    assert!(number(&unit("TimeoutStopSec")) > stop + 1);
    // A check of a tree that hangs takes 750 ms, and a message comes at half of the time.
    assert!(number(&unit("WatchdogSec")) >= 4);
    assert_eq!(unit("KillMode"), "mixed");
    assert_eq!(unit("Restart"), "on-failure");
}

#[test]
fn service_of_the_unit_is_ready_pings_its_watchdog_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = folder.path().join("notify");
    let manager = UnixDatagram::bind(&address).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("it can be set");
    let mut buffer = [0; 4096];
    let mut receive = || {
        let length = manager.recv(&mut buffer).expect("a message comes");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };

    assert_eq!((unit("Type"), unit("NotifyAccess")), ("notify".to_owned(), "main".to_owned()));
    let micros = (number(&unit("WatchdogSec")) * 1_000_000).to_string();
    let socket = address.to_str().expect("it is text");
    let mut service = Service::start(&unit_args(), &[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", &micros)]);
    let first = receive();
    assert!(first.lines().any(|line| line == "READY=1"), "{first}");
    assert!(first.lines().any(|line| line == "STATUS=ready"), "{first}");
    assert!(first.lines().any(|line| line == "WATCHDOG=1"), "{first}");

    service.signal();
    let mut stop = receive();
    while !stop.lines().any(|line| line == "STOPPING=1") {
        stop = receive();
    }
    let (code, output) = service.end();
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("all children in time, nothing dropped"), "{output}");
}

#[test]
fn service_ignores_a_watchdog_of_another_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = folder.path().join("notify");
    let manager = UnixDatagram::bind(&address).expect("a socket");
    let socket = address.to_str().expect("it is text");
    let variables = [("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let mut service = Service::start(&unit_args(), &variables);
    service.await_success("/readyz");
    service.signal();
    assert_eq!(service.end().0, Some(0));
    manager.set_nonblocking(true).expect("it can be set");
    let mut buffer = [0; 4096];
    while let Ok(length) = manager.recv(&mut buffer) {
        let message = String::from_utf8_lossy(&buffer[..length]);
        assert!(!message.contains("WATCHDOG=1"), "{message}");
    }
}

#[test]
fn deadlines_of_the_pod_leave_time_for_those_of_the_service() {
    let (pod, args) = (block("yaml"), pod_args());
    let stop = option(&args, "--drain") + option(&args, "--shutdown-timeout");
    let before = number(&value(&below("preStop"), "seconds"));
    assert!(number(&value(&pod, "terminationGracePeriodSeconds")) > before + stop + 1);
    let port = value(&pod, "- containerPort");
    assert!(args[1].ends_with(&format!(":{port}")));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let probe = below(probe);
        assert_eq!(value(&probe, "port"), port);
        // A check of a tree that hangs takes 750 ms.
        assert!(number(&value(&probe, "timeoutSeconds")) >= 2);
    }
}

#[test]
fn probes_of_the_pod_succeed_and_readiness_ends_before_the_service() {
    let path = |probe: &str| value(&below(probe), "path");
    let (startup, live, ready) = (path("startupProbe"), path("livenessProbe"), path("readinessProbe"));
    let mut service = Service::start(&pod_args(), &[]);
    for path in [&startup, &live, &ready] {
        service.await_success(path);
    }
    assert_eq!(service.probe("/other"), Some(404));

    service.signal();
    let mut codes = Vec::new();
    while let Some(code) = service.probe(&ready) {
        codes.push((code, service.probe(&live)));
    }
    // Requests before the signal has arrived are answered as before.
    codes.retain(|(ready, _)| *ready != 200);
    assert!(codes.iter().all(|(ready, _)| *ready == 503), "{codes:?}");
    assert_eq!(codes.first(), Some(&(503, Some(200))), "it serves while traffic is turned away");
    assert_eq!(service.end().0, Some(0));
}
