//! A node process: hands out its share of the files, hashes those of others, and does what the
//! process that has started it says.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use perennial::cluster::{Bincode, Node, NodeName, RemoteAddress, RemoteChild};
use perennial::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::options::Sabotage;
use super::config::{Config, read_files};
use super::hasher::{Args, Hasher};
use super::journal::{BootJournal, Entry, Journal, micros, read_all};
use super::message::{HASHER, HASHERS, Job};
use super::observer::{MONITORS, follow, monitor};
use super::process::{Account, Answer, Request, Sight};
use super::sender::{Sender, Work};

/// How long an answer may take that a look waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that runs.
struct Member {
    node: Node,
    others: Vec<NodeName>,
    work: Arc<Work>,
    resting: watch::Sender<bool>,
    senders: JoinSet<()>,
}

/// Runs the node of a file with settings, until the standard input ends.
///
/// # Errors
///
/// The node does not start, or has ended: an older boot is still there.
pub async fn work(config: &Path, sabotage: Option<Sabotage>) -> Result<(), String> {
    let config = Config::read(config)?;
    let (node, others, files) = (config.node()?, config.others()?, read_files(&config.folder)?);
    let boot = node.id().to_string();
    let work = Arc::new(left(&config, files.len())?);
    let journal = Journal::create(&config.folder, &boot).map_err(|error| format!("the journal: {error}"))?;
    let journal = Arc::new(journal);
    let args = Args { boot: boot.clone(), files: Arc::new(files), journal: journal.clone(), sabotage };
    node.expose_group::<Bincode, _>(HASHERS).map_err(|error| error.to_string())?;
    let hasher = Child::new::<Hasher>("hasher", args).remote::<Bincode>(&node, HASHER);
    let (hasher, child) = (hasher.map_err(|error| error.to_string())?, node.child());
    let connection = child.address();
    tokio::spawn(follow(node.subscribe(), journal.clone()));
    let tree = Supervisor::new("node").child(hasher).child(child).start(&System::new()).await;
    let tree = tree.map_err(|error| error.to_string())?;
    let mut senders = JoinSet::new();
    let resting = watch::Sender::new(false);
    let numbers = Arc::default();
    for other in &others {
        let hasher = node.at(other, HASHER);
        let sender = Sender { boot: boot.clone(), hasher, work: work.clone(), journal: journal.clone() };
        senders.spawn(sender.run(resting.subscribe()));
        for _ in 0..MONITORS {
            tokio::spawn(monitor(node.clone(), other.clone(), Arc::clone(&numbers), journal.clone()));
        }
    }
    let member = Member { node, others, work, resting, senders };
    tokio::select! {
        () = member.obey() => {}
        ended = connection.monitor() => return Err(format!("the node has ended: {}", ended.reason)),
    }
    let report = tree.shutdown().await;
    if report.is_clean() { Ok(()) } else { Err(format!("the node did not stop: {report:?}")) }
}

/// Returns the files of the node that no boot of it has an answer for.
fn left(config: &Config, files: usize) -> Result<Work, String> {
    let (journals, _) = read_all(&config.folder).map_err(|error| format!("the journals: {error}"))?;
    let own = super::config::name(config.which);
    let earlier = journals.iter().filter(|journal| journal.node() == own);
    let done: BTreeSet<usize> = earlier.flat_map(BootJournal::entries).filter_map(file).collect();
    let share = (0..files).filter(|file| file % config.nodes == config.which);
    let left: VecDeque<usize> = share.filter(|file| !done.contains(file)).collect();
    let over = Duration::from_micros(config.until.saturating_sub(micros()));
    Ok(Work::new(left, over, Instant::now()))
}

const fn file(entry: &Entry) -> Option<usize> {
    if let Entry::Acknowledged { file, .. } = entry { *file } else { None }
}

impl Member {
    /// Does what each line says.
    async fn obey(mut self) {
        let (sender, mut lines) = mpsc::unbounded_channel();
        // It blocks until the other process closes the pipe.
        std::thread::spawn(move || {
            let lines = io::stdin().lines().map_while(Result::ok);
            lines.filter_map(|line| serde_json::from_str(&line).ok()).try_for_each(|line| sender.send(line))
        });
        while let Some(request) = lines.recv().await {
            say(&match request {
                Request::Account => Answer::Account(self.accounts(), self.work.open()),
                Request::Look => Answer::Sight(self.look().await),
                Request::Rest => {
                    self.resting.send_replace(true);
                    while self.senders.join_next().await.is_some() {}
                    Answer::Resting
                }
            });
        }
    }

    /// Returns what was sent to each boot that there is a connection to.
    fn accounts(&self) -> Vec<Account> {
        let connected = self.node.peers().into_iter().filter(|peer| peer.is_up);
        let account = connected.map(|peer| Account {
            of: self.node.id().to_string(),
            peer: peer.node.to_string(),
            sent: peer.sent,
            lost: peer.lost,
            received: peer.received,
        });
        account.collect()
    }

    /// Calls all hashers, by their names and as members of their group.
    async fn look(&self) -> Sight {
        let mut calls = JoinSet::new();
        for other in &self.others {
            calls.spawn(boot_of(self.node.at(other, HASHER), true));
        }
        for member in self.node.group(HASHERS).members() {
            calls.spawn(boot_of(member, false));
        }
        let (mut names, mut members) = (BTreeSet::new(), BTreeSet::new());
        while let Some(answered) = calls.join_next().await {
            if let Ok((Some(boot), is_name)) = answered {
                if is_name { &mut names } else { &mut members }.insert(boot);
            }
        }
        let connected = self.node.peers().into_iter().filter(|peer| peer.is_up);
        let peers = connected.map(|peer| peer.node.to_string()).collect();
        Sight { boot: self.node.id().to_string(), peers, names, members }
    }
}

/// Asks a hasher for its boot.
async fn boot_of(hasher: RemoteAddress<Job>, is_name: bool) -> (Option<String>, bool) {
    (hasher.call(Job::Boot).timeout(PATIENCE).await.ok(), is_name)
}

/// Writes a line to the process that has started this one.
fn say(answer: &Answer) {
    let Ok(line) = serde_json::to_string(answer) else { return };
    let mut out = io::stdout().lock();
    // If that process is gone, this one ends too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
