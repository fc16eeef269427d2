//! Messages between two processes, in a program of its own: `benches/peers/remote`.
//!
//! Its peers bring features of crates, and crates, that this program is measured without.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shared::printed;

/// The program, beside this one: both are built into one target directory.
const PROGRAM: &str = "perennial-remote-peers";

/// One work of that program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remote {
    pub exchange: Exchange,
    pub link: Link,
    /// The bytes of each message.
    pub bytes: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exchange {
    /// Requests, each after the answer to the one before.
    Call,
    /// Messages, until all of them are handled.
    Cast,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    Tcp,
    /// With certificates on both sides.
    Quic,
}

impl Remote {
    /// Returns why there is no such work, or `None` if there is.
    pub fn absence() -> Option<&'static str> {
        program().is_none_or(|program| !program.is_file()).then_some("benches/peers/remote is not built")
    }

    /// Has the program do the work with one of its peers.
    pub fn run(self, peer: &str) -> Result<Vec<f64>> {
        let exchange = match self.exchange {
            Exchange::Call => "call",
            Exchange::Cast => "cast",
        };
        let link = match self.link {
            Link::Tcp => "tcp",
            Link::Quic => "quic",
        };
        let output = Command::new(program().context("this program does not find itself")?)
            .args([peer, exchange, link, &self.bytes.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{PROGRAM} does not start"))?;
        ensure!(output.status.success(), "{peer} failed: {}", output.status);
        printed(&output.stdout)
    }
}

fn program() -> Option<PathBuf> {
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    Some(std::env::current_exe().ok()?.parent()?.join(name))
}
