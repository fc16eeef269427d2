//! The server of the tests ends with them, also if they are killed.

use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::postgres::{Server, is_skipped};
use crate::support::this_program;

/// Names a folder for the server to the process that is killed.
const PARENT: &str = "PERENNIAL_SERVER_PARENT";

/// How long a server may take to end.
const END: Duration = Duration::from_secs(60);

/// A process with a server, in a process group of its own.
struct Started {
    process: Child,
    folder: PathBuf,
    port: u16,
    keeper: String,
}

impl Started {
    fn new(parent: &Path) -> Self {
        let mut command = this_program("postgres_server::the_process_that_has_a_server");
        command.env(PARENT, parent).process_group(0).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let line = output.lines().map(|line| line.expect("a line")).find(|line| line.contains("server "));
        let line = line.expect("it has printed it");
        let (_, server) = line.split_once("server ").expect("a server");
        let [port, keeper, folder] = server.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let port = port.parse().expect("a number");
        Self { process, folder: folder.into(), port, keeper: keeper.to_owned() }
    }

    /// Kills its process group, and other processes.
    fn kill(mut self, others: &[&str]) -> (PathBuf, u16) {
        let group = format!("-{}", self.process.id());
        let killed = Command::new("kill").args(["-KILL", "--"]).args(others).arg(group).status();
        assert!(killed.expect("a program").success());
        self.process.wait().expect("its end");
        (self.folder, self.port)
    }
}

/// Returns a folder in which every user may make others.
fn parent() -> TempDir {
    let parent = TempDir::new().expect("a folder");
    fs::set_permissions(parent.path(), Permissions::from_mode(0o777)).expect("a folder");
    parent
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn wait_for_the_end(folder: &Path, port: u16) {
    let begin = Instant::now();
    while listens(port) || folder.exists() {
        assert!(begin.elapsed() < END, "the server goes on in {}", folder.display());
        std::thread::yield_now();
    }
}

#[test]
fn a_server_ends_with_the_process_group_of_its_test() {
    if is_skipped() {
        return;
    }
    let parent = parent();
    let started = Started::new(parent.path());
    assert!(listens(started.port) && started.folder.starts_with(parent.path()));
    let (folder, port) = started.kill(&[]);
    wait_for_the_end(&folder, port);
}

#[test]
fn a_server_that_was_left_is_stopped_by_the_next_and_one_in_use_is_not() {
    let Some(own) = Server::start(&[]) else { return };
    let parent = parent();
    let used = Started::new(parent.path());
    let left = Started::new(parent.path());
    let keeper = left.keeper.clone();
    let (folder, port) = left.kill(&[&keeper]);
    assert!(listens(port) && folder.exists(), "nothing stops it");
    let next = Started::new(parent.path());
    assert!(!listens(port) && !folder.exists());
    for one in [used, next] {
        assert!(listens(one.port));
        let (folder, port) = one.kill(&[]);
        wait_for_the_end(&folder, port);
    }
    let (folder, port) = (own.folder().to_owned(), own.port());
    drop(own);
    assert!(!listens(port) && !folder.exists());
}

/// Has a server until it is killed. It does nothing without a folder.
#[test]
fn the_process_that_has_a_server() {
    let Some(parent) = env::var_os(PARENT) else { return };
    let server = Server::start_in(Path::new(&parent), &[]);
    let mut output = std::io::stdout().lock();
    let line = format!("server {} {} {}", server.port(), server.keeper(), server.folder().display());
    writeln!(output, "{line}").and_then(|()| output.flush()).expect("an open pipe");
    loop {
        std::thread::park();
    }
}
