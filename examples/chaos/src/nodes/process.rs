//! A node process, its pipes, and the lines in them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::super::options::Sabotage;

/// What a node process is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Request {
    /// What was sent and received, and how many files are left.
    Account,
    /// Which nodes are seen and which hashers answer.
    Look,
    /// To end its traffic.
    Rest,
}

/// What a node process answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    Account(Vec<Account>, usize),
    Sight(Sight),
    Resting,
}

/// The packets of the streams between two boots, as one of them counts them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub of: String,
    pub peer: String,
    pub sent: u64,
    pub lost: u64,
    pub received: u64,
}

/// What a boot sees of the others. All of these are boots.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    pub boot: String,
    /// Those that there is a connection to.
    pub peers: BTreeSet<String>,
    /// Those that are reached by the name of their hasher.
    pub names: BTreeSet<String>,
    /// Those that are reached as members of the group, with the own one.
    pub members: BTreeSet<String>,
}

/// A node process that runs. It is killed with this value.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl NodeProcess {
    /// Starts this program as a node process.
    pub fn start(config: &Path, sabotage: Option<Sabotage>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--node-process").arg(config);
        if let Some(sabotage) = sabotage {
            command.args(["--sabotage", sabotage.name()]);
        }
        // Ctrl-C is for the process that checks only.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Self { child, input, output })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// The process has ended, or does not answer within the limit.
    pub async fn ask(&mut self, request: Request, limit: Duration) -> Result<Answer, String> {
        let line = serde_json::to_string(&request).map_err(|error| error.to_string())?;
        match timeout(limit, self.exchange(&line)).await {
            Ok(Ok(answer)) => serde_json::from_str(&answer).map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    async fn exchange(&mut self, line: &str) -> io::Result<String> {
        let (Some(input), Some(output)) = (&mut self.input, &mut self.output) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        input.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        output.read_line(&mut answer).await?;
        Ok(answer)
    }

    /// Sends a signal by its name.
    pub async fn signal(&self, signal: &str) -> Result<(), String> {
        let id = self.child.id().ok_or("the process has ended")?;
        let sent = Command::new("kill").args([signal, &id.to_string()]).status().await;
        match sent {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("kill {signal}: {status}")),
            Err(error) => Err(format!("kill {signal}: {error}")),
        }
    }

    /// Kills the process with SIGKILL.
    pub async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Returns how the process has ended, if it has.
    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Closes the input, which ends the process in order, and waits for that.
    pub async fn end(mut self, limit: Duration) -> Result<(), String> {
        drop(self.input.take());
        match timeout(limit, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("it has ended with {status}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not end".to_owned()),
        }
    }
}
