//! What a node process is told: a file for each node, which all of its boots read.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use perennial::cluster::{Node, NodeName, Tls};
use serde::{Deserialize, Serialize};

/// How long a node may be silent.
pub const LEASE: Duration = Duration::from_secs(1);

/// Returns the name of the node with this index.
pub fn name(which: usize) -> String {
    format!("node-{}", which + 1)
}

/// What a node process is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Config {
    pub which: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// The port at which it listens.
    pub port: u16,
    /// The ports that lead to the other nodes. Either of two nodes connects: zenoh accepts one
    /// connection after the other, and waits half a minute for one that was cut off meanwhile.
    pub peers: Vec<u16>,
    /// The certificates, the list of files, and the journals.
    pub folder: PathBuf,
    /// Until when the files are spread, in microseconds since 1970.
    pub until: u64,
}

impl Config {
    /// Writes the file. Returns its path.
    pub fn write(&self) -> Result<PathBuf, String> {
        let path = self.folder.join(format!("{}.json", name(self.which)));
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Returns the names of the other nodes.
    pub fn others(&self) -> Result<Vec<NodeName>, String> {
        let others = (0..self.nodes).filter(|other| *other != self.which);
        others.map(|other| NodeName::new(&name(other)).map_err(|error| error.to_string())).collect()
    }

    /// Makes the node. It connects to its peers only: what is cut has no way around.
    pub fn node(&self) -> Result<Node, String> {
        let node = Node::builder(&name(self.which))
            .identity(Tls::dir(&self.folder))
            .members(self.others()?)
            .lease(LEASE)
            .gossip(false)
            .listen(format!("quic/127.0.0.1:{}", self.port))
            .peers(self.peers.iter().map(|port| format!("quic/127.0.0.1:{port}")));
        node.build().map_err(|error| error.to_string())
    }
}

/// Writes the list of files.
pub fn write_files(folder: &Path, files: &[PathBuf]) -> Result<(), String> {
    let names = files.iter().map(|file| file.as_os_str().as_bytes());
    // No path has a zero byte.
    let list = names.collect::<Vec<_>>().join(&b'\0');
    fs::write(folder.join(LIST), list).map_err(|error| format!("the list of files: {error}"))
}

/// Reads the list of files.
pub fn read_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let list = fs::read(folder.join(LIST)).map_err(|error| format!("the list of files: {error}"))?;
    let names = list.split(|byte| *byte == b'\0').filter(|name| !name.is_empty());
    Ok(names.map(|name| OsString::from_vec(name.to_owned()).into()).collect())
}

const LIST: &str = "files";
