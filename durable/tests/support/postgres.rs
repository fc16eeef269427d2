//! A PostgreSQL server of the tests, in a folder of its own and on a free port.
//!
//! If its programs are not on the machine, the tests say that they were skipped.

#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use perennial_durable::Store;
use perennial_durable::conformance::Opener;
use perennial_durable::postgres::{PostgresBuilder, PostgresStore};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The user that the server runs as if the tests are root's: it refuses to be.
const UNPRIVILEGED: u32 = 65_534;

const PASSWORD: &str = "se/cr et";

/// A server. It ends with the process of the test, however that ends.
pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// Stops the server when its input is closed.
    _keeper: Child,
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

/// Says why a test does nothing, also if its output is captured.
fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// Returns the server that the tests of one file share.
pub(crate) fn server() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&[])).as_ref()
}

impl Server {
    /// Starts a server with these settings.
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            skip("PostgreSQL is not on this machine");
            return None;
        };
        // `initdb` runs `postgres .. > /dev/null` as the unprivileged user.
        if fs::metadata("/dev/null").is_ok_and(|null| null.mode() & 0o222 != 0o222) {
            skip("/dev/null is not writable by every user, so no server starts");
            return None;
        }
        let folder = TempDir::with_prefix("pg").expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        fs::write(folder.path().join("password"), PASSWORD).expect("a file");
        let owner = fs::metadata(folder.path()).expect("a folder").uid();
        if owner == 0 {
            for path in [folder.path(), &folder.path().join("password")] {
                chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("a folder of the server's user");
            }
        }
        let run = |program: &str, arguments: &[&str]| {
            let mut command = command(&programs, folder.path(), owner, program);
            let output = command.args(arguments).output().expect("a program");
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let data = folder.path().join("data");
        let data = data.to_str().expect("a path");
        let init = ["-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"];
        run("initdb", &[&init[..], &["--auth=scram-sha-256", "--pwfile=password"]].concat());
        let mut config = fs::read_to_string(Path::new(data).join("postgresql.conf")).expect("a file");
        // A process that is killed loses nothing that it has written, synced or not.
        config.push_str("\nfsync = off\nmax_connections = 200\nlisten_addresses = '127.0.0.1'\n");
        let own =
            [format!("port = {port}"), format!("unix_socket_directories = '{}'", folder.path().display())];
        own.iter().map(String::as_str).chain(settings.iter().copied()).for_each(|setting| {
            config.push_str(setting);
            config.push('\n');
        });
        fs::write(Path::new(data).join("postgresql.conf"), config).expect("a file");
        drop(listener);
        let keeper =
            "cat >/dev/null; \"$0\"/pg_ctl -D data -m immediate -w stop >/dev/null 2>&1; rm -rf \"$PWD\"";
        let mut keeper_command = command(Path::new(""), folder.path(), owner, "/bin/sh");
        let keeper =
            keeper_command.args(["-c", keeper]).arg(&programs).stdin(Stdio::piped()).stdout(Stdio::null());
        let keeper = keeper.spawn().expect("a shell");
        let server = Self { programs, folder, port, _keeper: keeper };
        server.control(&["start"]);
        Some(server)
    }

    /// Runs `pg_ctl`, and waits for what it does.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let owner = fs::metadata(self.folder.path().join("data")).expect("a folder").uid();
        let owner = if owner == UNPRIVILEGED { 0 } else { owner };
        let mut command = command(&self.programs, self.folder.path(), owner, "pg_ctl");
        let status =
            command.args(["-D", "data", "-l", "log", "-w"]).args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("a program").success(), "pg_ctl {arguments:?}");
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the server, which its user owns.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the address of the server.
    pub(crate) fn url(&self) -> String {
        self.url_with("se%2Fcr%20et")
    }

    pub(crate) fn url_with(&self, password: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the builder of a store of its own.
    pub(crate) fn builder(&self) -> PostgresBuilder {
        PostgresStore::builder(self.url()).schema(new_schema())
    }

    /// Connects as a person would.
    pub(crate) async fn admin(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.expect("a server");
        tokio::spawn(connection);
        client
    }

    /// Returns the opener of a store of its own.
    pub(crate) fn opener(&self) -> Opener {
        let builder = self.builder();
        Opener::new(move || {
            let builder = builder.clone();
            Box::pin(async move {
                let store: Arc<dyn Store> = Arc::new(builder.connect().await?);
                Ok(store)
            })
        })
    }
}

/// Returns the name of a schema that does not exist.
pub(crate) fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("store {}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn command(programs: &Path, folder: &Path, owner: u32, program: &str) -> Command {
    let mut command = Command::new(programs.join(program));
    command.current_dir(folder);
    if owner == 0 {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}
