//! The node processes, and the network between them.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::super::options::Sabotage;
use super::certificates;
use super::config::{Config, name};
use super::plan::FaultKind;
use super::process::{Answer, NodeProcess, Request};
use super::relay::{Relay, Way};

/// The longest time until a process answers or ends.
const LIMIT: Duration = Duration::from_secs(30);

/// How often processes may end by themselves, which they do if an older boot is still seen.
const REPLACEMENTS: u64 = 20;

/// All nodes. Their processes are killed with this value.
#[derive(Debug)]
pub struct Fleet {
    configs: Vec<PathBuf>,
    sabotage: Option<Sabotage>,
    /// None while a process is killed.
    processes: Vec<Mutex<Option<NodeProcess>>>,
    /// By the node that connects, and the one that it connects to.
    relays: BTreeMap<(usize, usize), Relay>,
    replaced: AtomicU64,
}

impl Fleet {
    /// Starts the nodes. `until` is when the files should be handed out.
    pub async fn start(
        nodes: usize,
        folder: PathBuf,
        until: u64,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, String> {
        let names: Vec<String> = (0..nodes).map(name).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        certificates::write(&folder, &named).map_err(|error| format!("the certificates: {error}"))?;
        let ports = free_ports(nodes).map_err(|error| format!("no free port: {error}"))?;
        let (mut relays, mut configs) = (BTreeMap::new(), Vec::new());
        for which in 0..nodes {
            let mut peers = Vec::new();
            for other in (0..nodes).filter(|other| *other != which) {
                let relay = Relay::start(ports[other]).await.map_err(|error| format!("a relay: {error}"))?;
                peers.push(relay.port());
                relays.insert((which, other), relay);
            }
            let config = Config { which, nodes, port: ports[which], peers, folder: folder.clone(), until };
            configs.push(config.write()?);
        }
        let processes = (0..nodes).map(|_| Mutex::new(None)).collect();
        let fleet = Self { configs, sabotage, processes, relays, replaced: AtomicU64::new(0) };
        for which in 0..nodes {
            *fleet.processes[which].lock().await = Some(fleet.spawn(which)?);
        }
        Ok(fleet)
    }

    fn spawn(&self, which: usize) -> Result<NodeProcess, String> {
        let process = NodeProcess::start(&self.configs[which], self.sabotage);
        process.map_err(|error| format!("{} does not start: {error}", name(which)))
    }

    /// Returns how many nodes there are.
    pub fn len(&self) -> usize {
        self.configs.len()
    }

    /// Begins a fault.
    pub async fn begin(&self, kind: FaultKind) -> Result<(), String> {
        match kind {
            FaultKind::Kill(node) => {
                self.kill(node).await;
                Ok(())
            }
            FaultKind::Freeze(node) => {
                self.replace(node).await?;
                self.signal(node, "-STOP").await
            }
            FaultKind::Cut(..) | FaultKind::CutOneWay(..) => {
                self.ways(kind).into_iter().for_each(|way| way.set_cut(true));
                Ok(())
            }
            FaultKind::Slow(.., delay) => {
                self.ways(kind).into_iter().for_each(|way| way.set_delay(delay));
                Ok(())
            }
        }
    }

    /// Ends a fault.
    pub async fn end(&self, kind: FaultKind) -> Result<(), String> {
        match kind {
            FaultKind::Kill(node) => {
                *self.processes[node].lock().await = Some(self.spawn(node)?);
                Ok(())
            }
            FaultKind::Freeze(node) => self.signal(node, "-CONT").await,
            FaultKind::Cut(..) | FaultKind::CutOneWay(..) | FaultKind::Slow(..) => {
                for way in self.ways(kind) {
                    way.set_cut(false);
                    way.set_delay(Duration::ZERO);
                }
                Ok(())
            }
        }
    }

    async fn kill(&self, node: usize) {
        if let Some(process) = self.processes[node].lock().await.take() {
            // It fails if the process has ended.
            drop(process.kill().await);
        }
    }

    /// Kills all processes that run.
    pub async fn kill_all(&self) {
        for which in 0..self.len() {
            self.kill(which).await;
        }
    }

    async fn signal(&self, node: usize, signal: &str) -> Result<(), String> {
        match &*self.processes[node].lock().await {
            Some(process) => process.signal(signal).await.map_err(|error| format!("{}: {error}", name(node))),
            None => Err(format!("{} does not run", name(node))),
        }
    }

    fn ways(&self, kind: FaultKind) -> Vec<&Way> {
        match kind {
            FaultKind::Kill(_) | FaultKind::Freeze(_) => Vec::new(),
            FaultKind::CutOneWay(from, to) => self.ways_from(from, to).collect(),
            FaultKind::Cut(a, b) | FaultKind::Slow(a, b, _) => {
                self.ways_from(a, b).chain(self.ways_from(b, a)).collect()
            }
        }
    }

    /// Returns what carries packets from one node to another, whichever of them has connected.
    fn ways_from(&self, from: usize, to: usize) -> impl Iterator<Item = &Way> {
        let (own, other) = (self.relays.get(&(from, to)), self.relays.get(&(to, from)));
        own.map(|relay| &*relay.there).into_iter().chain(other.map(|relay| &*relay.back))
    }

    /// Starts each process again that has ended by itself.
    ///
    /// # Errors
    ///
    /// It does not start, or has ended too often.
    pub async fn replace_all(&self) -> Result<(), String> {
        for which in 0..self.len() {
            self.replace(which).await?;
        }
        Ok(())
    }

    async fn replace(&self, which: usize) -> Result<(), String> {
        let mut slot = self.processes[which].lock().await;
        let Some(process) = &mut *slot else { return Ok(()) };
        let Some(status) = process.has_ended().map_err(|error| error.to_string())? else { return Ok(()) };
        if self.replaced.fetch_add(1, Ordering::Relaxed) >= REPLACEMENTS {
            return Err(format!("{} ends by itself again and again: {status}", name(which)));
        }
        *slot = Some(self.spawn(which)?);
        Ok(())
    }

    /// Asks all nodes.
    pub async fn ask(&self, request: Request) -> Result<Vec<Answer>, String> {
        let mut answers = Vec::new();
        for which in 0..self.len() {
            let mut slot = self.processes[which].lock().await;
            let process = slot.as_mut().ok_or_else(|| format!("{} does not run", name(which)))?;
            let answer = process.ask(request, LIMIT).await;
            answers.push(answer.map_err(|error| format!("{}: {error}", name(which)))?);
        }
        Ok(answers)
    }

    /// Ends all processes in order. Returns what went wrong.
    pub async fn end_all(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for which in 0..self.len() {
            let process = self.processes[which].lock().await.take();
            if let Some(Err(error)) = match process {
                Some(process) => Some(process.end(LIMIT).await),
                None => None,
            } {
                wrong.push(format!("{}: {error}", name(which)));
            }
        }
        wrong
    }
}

/// Returns ports that are free, each another one.
fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let sockets = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0"));
    let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
    sockets.iter().map(|socket| Ok(socket.local_addr()?.port())).collect()
}
