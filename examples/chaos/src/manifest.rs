//! The result for other tools: a manifest that `sha256sum -c` accepts, and the report as JSON.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{self, Digest};
use super::options::Options;

/// The files that this run writes. They are created before the run: an error is reported early, and
/// the run does not index them.
#[derive(Debug)]
pub struct Outputs {
    manifest: Option<File>,
    json: Option<File>,
    html: Option<File>,
}

impl Outputs {
    pub fn create(options: &Options) -> Result<Self, String> {
        Ok(Self {
            manifest: create("--manifest", options.manifest.as_deref())?,
            json: create("--json", options.json.as_deref())?,
            html: create("--html", options.html.as_deref())?,
        })
    }

    /// Returns the device and inode of each.
    pub fn ids(&self) -> HashSet<(u64, u64)> {
        let files = [&self.manifest, &self.json, &self.html].into_iter().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|data| files::id(&data)).collect()
    }

    pub fn write(&self, files: &BTreeMap<PathBuf, Digest>, report: &impl Serialize) -> Result<(), String> {
        if let Some(file) = &self.manifest {
            write_manifest(file, files).map_err(|error| format!("--manifest: {error}"))?;
        }
        if let Some(file) = &self.json {
            write_json(file, report).map_err(|error| format!("--json: {error}"))?;
        }
        Ok(())
    }

    /// Writes the page, if one is asked for.
    pub fn write_page(&self, page: impl FnOnce() -> String) -> Result<(), String> {
        let Some(file) = &self.html else { return Ok(()) };
        let mut file = file;
        file.write_all(page().as_bytes()).map_err(|error| format!("--html: {error}"))
    }
}

fn create(option: &str, path: Option<&Path>) -> Result<Option<File>, String> {
    let Some(path) = path else { return Ok(None) };
    match File::create(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) => Err(format!("{option} {}: {error}: name a file that can be written", path.display())),
    }
}

fn write_manifest(file: &File, files: &BTreeMap<PathBuf, Digest>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    for (path, digest) in files {
        out.write_all(&line(path, digest))?;
    }
    out.flush()
}

fn write_json(file: &File, report: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Returns a line as sha256sum writes it. Backslashes and line breaks in the name are escaped, and
/// a line with such a name begins with a backslash. All other bytes are written as they are.
pub fn line(path: &Path, digest: &Digest) -> Vec<u8> {
    let name = path.as_os_str().as_bytes();
    let mut escaped = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            other => escaped.push(*other),
        }
    }
    let mut line = Vec::with_capacity(escaped.len() + 68);
    if escaped.len() != name.len() {
        line.push(b'\\');
    }
    line.extend(format!("{digest}  ").bytes());
    line.extend(escaped);
    line.push(b'\n');
    line
}
