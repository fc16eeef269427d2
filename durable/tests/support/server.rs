//! A PostgreSQL server in a folder of its own and on a free port: that of tests, and of the race.
//!
//! It ends with the process that started it, however that ends. A shell in a process group of its
//! own reads a pipe from that process. At its end, the shell stops the server and removes the
//! folder. If the shell was killed too, the next server does the same for the one that is left: the
//! lock of its folder is free, because the kernel has given it back.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The user that the server runs as if its process is root's: it refuses to be.
const UNPRIVILEGED: u32 = 65_534;

const PASSWORD: &str = "se/cr et";

/// The beginning of the name of a folder that is locked, and of one that is not yet.
const LOCKED: &str = "perennial-pg-";
const NEW: &str = "perennial-new-pg-";

/// Waits for the end of its input, and stops the server. The wait for that has a limit: `pg_ctl`
/// takes a server that has ended and is not reaped for one that runs.
const KEEPER: &str =
    "cat >/dev/null; \"$0\"/pg_ctl -D data -m immediate -t 10 -w stop >/dev/null 2>&1; rm -rf \"$PWD\"";

/// A server, which is stopped when this is dropped.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    keeper: Child,
    _lock: File,
}

/// Returns the folder of the programs of the latest version.
fn programs() -> Option<PathBuf> {
    let found = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    let on_path = std::env::var_os("PATH").into_iter();
    found.extend(on_path.flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>()));
    found.into_iter().rfind(|path| path.join("initdb").exists() && path.join("pg_ctl").exists())
}

/// Returns why no server starts on this machine, or `None` if one does.
pub(crate) fn absence() -> Option<&'static str> {
    if programs().is_none() {
        return Some("PostgreSQL is not on this machine");
    }
    // `initdb` runs `postgres .. > /dev/null` as the unprivileged user.
    let is_closed = fs::metadata("/dev/null").is_ok_and(|null| null.mode() & 0o222 != 0o222);
    is_closed.then_some("/dev/null is not writable by every user, so no PostgreSQL server starts")
}

impl Server {
    /// Starts a server with these settings, in a new folder below this one. It does not sync,
    /// unless a setting says so.
    pub(crate) fn start_in(parent: &Path, settings: &[&str]) -> Self {
        let programs = programs().expect("PostgreSQL is on this machine");
        remove_left(parent, &programs);
        let (folder, lock) = new_folder(parent);
        let keeper = keeper(&programs, &folder).stdin(Stdio::piped()).spawn().expect("a shell");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self { programs, folder, port, keeper, _lock: lock };
        server.make_database();
        // A process that is killed loses nothing that it has written, synced or not.
        let mut config = "\nfsync = off\nmax_connections = 200\nlisten_addresses = '127.0.0.1'\n".to_owned();
        let own =
            [format!("port = {port}"), format!("unix_socket_directories = '{}'", server.folder.display())];
        own.iter().map(String::as_str).chain(settings.iter().copied()).for_each(|setting| {
            config.push_str(setting);
            config.push('\n');
        });
        let file = server.folder.join("data/postgresql.conf");
        let default = fs::read_to_string(&file).expect("a file");
        fs::write(file, default + &config).expect("a file");
        drop(listener);
        server.control(&["start"]);
        server
    }

    fn make_database(&self) {
        let password = self.folder.join("password");
        fs::write(&password, PASSWORD).expect("a file");
        let owner = fs::metadata(&self.folder).expect("a folder").uid();
        chown(password, Some(owner), None).expect("a file of the server's user");
        let mut command = command(&self.programs, &self.folder, "initdb");
        command.args(["-D", "data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let output = command.args(["--auth=scram-sha-256", "--pwfile=password"]).output().expect("a program");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `pg_ctl`, and waits for what it does.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let mut command = command(&self.programs, &self.folder, "pg_ctl");
        let status =
            command.args(["-D", "data", "-l", "log", "-w"]).args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("a program").success(), "pg_ctl {arguments:?}");
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the server, which its user owns.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the number of the process that stops the server.
    pub(crate) fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// Returns the address of the server.
    pub(crate) fn url(&self) -> String {
        self.url_with("se%2Fcr%20et")
    }

    pub(crate) fn url_with(&self, password: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        // The user of the server may not remove it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns a folder that the user of the server owns, and its lock. It has its name when it is
/// locked.
fn new_folder(parent: &Path) -> (PathBuf, File) {
    let new = TempDir::with_prefix_in(NEW, parent).expect("a folder").keep();
    if fs::metadata(&new).expect("a folder").uid() == 0 {
        chown(&new, Some(UNPRIVILEGED), None).expect("a folder of the server's user");
    }
    let lock = File::open(&new).expect("a folder");
    lock.try_lock().expect("a lock that is free");
    let name = new.file_name().and_then(|name| name.to_str()?.strip_prefix(NEW)).expect("a name");
    let folder = parent.join(format!("{LOCKED}{name}"));
    fs::rename(new, &folder).expect("a free name");
    (folder, lock)
}

/// Stops the servers below this folder whose processes and keepers were killed.
fn remove_left(parent: &Path, programs: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let folder = entry.path();
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(LOCKED));
        // Another user's folder cannot be opened.
        let lock = File::open(&folder).ok().filter(|_| is_ours);
        if lock.is_some_and(|lock| lock.try_lock().is_ok()) {
            let _ = keeper(programs, &folder).stdin(Stdio::null()).status();
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn keeper(programs: &Path, folder: &Path) -> Command {
    let mut keeper = command(Path::new(""), folder, "/bin/sh");
    // What ends the group of this process does not end this one.
    keeper.process_group(0).args(["-c", KEEPER]).arg(programs).stdout(Stdio::null()).stderr(Stdio::null());
    keeper
}

/// Returns the command that runs a program in a folder, as its owner.
fn command(programs: &Path, folder: &Path, program: &str) -> Command {
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder);
    if let Ok(folder) = fs::metadata(folder) {
        command.uid(folder.uid());
    }
    command
}
