//! Where the two processes meet, and the start of the other one.

use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::certificates::Authority;

/// The command of the process that serves.
pub const SERVE: &str = "serve";

/// The names of the two processes, where they have names.
pub const CLIENT: &str = "client";
pub const SERVER: &str = "server";

const READY: &str = "ready";

/// Where the process that serves listens.
pub struct Place {
    pub address: SocketAddr,
    pub link: Link,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Link {
    Tcp,
    /// With the certificates of this directory.
    Quic(PathBuf),
}

impl Place {
    pub fn named(link: &str, address: &str, dir: &str) -> Result<Self> {
        let link = match link {
            "tcp" => Link::Tcp,
            "quic" => Link::Quic(dir.into()),
            _ => bail!("there is no link {link}"),
        };
        Ok(Self { address: address.parse()?, link })
    }

    /// Fails if the link is not plain TCP.
    pub fn require_tcp(&self) -> Result<()> {
        ensure!(self.link == Link::Tcp, "it has no QUIC");
        Ok(())
    }
}

/// The other process. It ends with this value.
pub struct Server {
    process: Child,
    _authority: Authority,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Starts the other process, and waits until it serves.
pub fn start(name: &str, link: &str) -> Result<(Place, Server)> {
    let authority = Authority::new();
    for node in [CLIENT, SERVER] {
        authority.sign(node);
    }
    let (address, dir) = (free_address()?.to_string(), text(authority.dir())?);
    let place = Place::named(link, &address, dir)?;
    let program = std::env::current_exe().context("this program does not find itself")?;
    let mut process = Command::new(program)
        .args([SERVE, name, link, &address, dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the other process does not start")?;
    let output = process.stdout.take().context("the other process has no output")?;
    let server = Server { process, _authority: authority };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(line.trim_end() == READY, "the other process does not serve");
    Ok((place, server))
}

/// Says that this process serves, and waits for the end of the other one.
pub fn wait_for_the_other() -> Result<()> {
    writeln!(stdout(), "{READY}")?;
    // The runtime has other threads, which serve.
    let _end = stdin().read(&mut [0])?;
    Ok(())
}

/// Returns an address for both TCP and UDP that is free, most likely.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is no text")
}
