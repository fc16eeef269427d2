//! The process that starts the others, calls them, does harm to them, and measures.

use std::error::Error;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{env, fmt};

use perennial::cluster::{Node, NodeEvent, NodeName, RemoteErrorKind};
use perennial::prelude::*;
use tokio::process::{Child as Process, Command};
use tokio::time::{sleep, timeout};

use crate::relay::Relay;
use crate::{MEMBERS, OFFICE, Sale, TILL, certificates, member};

/// The longest time that anything here may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// What is done to a process that goes on afterwards.
#[derive(Clone, Copy)]
enum Fault {
    Frozen,
    CutOff,
}

impl Fault {
    const fn text(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::CutOff => "cut off",
        }
    }
}

/// One row of the table.
struct Row {
    node: &'static str,
    fault: &'static str,
    noticed: Duration,
    healed: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, fault, noticed, healed } = self;
        write!(f, "{node:<8} {fault:<9} {:>10} {:>10}  NoConnection", millis(*noticed), millis(*healed))
    }
}

fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// The processes, and the node that watches them.
struct Shops<'a> {
    node: Node,
    certificates: &'a Path,
    relays: Vec<Relay>,
    processes: Vec<Process>,
}

/// Runs the example.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    certificates::write(dir.path(), &[OFFICE, MEMBERS[0], MEMBERS[1], MEMBERS[2]])?;
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let certificates = dir.path().to_str().ok_or("the path of the directory is no text")?;
    let node = member::node(OFFICE, certificates)?;
    let node = node.listen(format!("quic/127.0.0.1:{port}")).build()?;
    let app = Supervisor::new(OFFICE).child(node.child()).start(&System::new()).await?;

    let mut shops = Shops { node, certificates: dir.path(), relays: Vec::new(), processes: Vec::new() };
    for which in 0..MEMBERS.len() {
        shops.relays.push(Relay::start(port).await?);
        let process = shops.spawn(which)?;
        shops.processes.push(process);
    }
    for which in 0..MEMBERS.len() {
        shops.answers(which).await?;
    }
    print_line!("{} nodes are connected: {}", MEMBERS.len(), MEMBERS.join(", "));
    for member in MEMBERS {
        print_line!("{member} runs {}", shops.children(member).await?.join(", "));
    }

    let rows =
        [shops.kill(0).await?, shops.harm(1, Fault::Frozen).await?, shops.harm(2, Fault::CutOff).await?];
    print_line!("\n{:<8} {:<9} {:>10} {:>10}  calls meanwhile", "node", "fault", "noticed", "healed");
    for row in &rows {
        print_line!("{row}");
        assert!(row.noticed < LIMIT && row.healed < LIMIT, "{row}");
    }
    for mut process in shops.processes {
        // Its standard input is closed, so it stops in order.
        drop(process.stdin.take());
        assert!(timeout(LIMIT, process.wait()).await??.success(), "a member ends in order");
    }
    assert!(app.shutdown().await.is_clean());
    Ok(())
}

impl Shops<'_> {
    fn spawn(&self, which: usize) -> Result<Process, Box<dyn Error>> {
        let peer = format!("quic/127.0.0.1:{}", self.relays[which].port());
        let member = Command::new(env::current_exe()?)
            .args(["member", MEMBERS[which]])
            .arg(self.certificates)
            .arg(peer)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(member)
    }

    /// Calls a member until it answers. Returns how many sales its incarnation has seen.
    async fn answers(&self, which: usize) -> Result<u64, Box<dyn Error>> {
        let till = self.node.at(&NodeName::new(MEMBERS[which])?, TILL);
        let answers = async {
            loop {
                match till.call(Sale).await {
                    Ok(sales) => return sales,
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        Ok(timeout(LIMIT, answers).await?)
    }

    /// Returns the ids of what a member runs, as its tree has them.
    async fn children(&self, member: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let trees = self.node.trees_of(&NodeName::new(member)?).await?;
        let children: Vec<String> = trees.nodes.iter().skip(1).map(|node| node.id.to_string()).collect();
        assert!(children.iter().any(|id| id == "till"), "{children:?}");
        Ok(children)
    }

    /// Waits until the loss of a member is noticed, and calls it meanwhile. Returns how long that
    /// took, and how the call ended.
    async fn notices(&self, which: usize, since: Instant) -> Result<Duration, Box<dyn Error>> {
        let mut events = self.node.subscribe();
        let till = self.node.at(&NodeName::new(MEMBERS[which])?, TILL);
        let error = timeout(LIMIT, till.call(Sale)).await?.err().ok_or("nothing is there to answer")?;
        assert!(matches!(error.kind, RemoteErrorKind::NoConnection), "{error}");
        let is_up =
            || self.node.peers().iter().any(|peer| peer.is_up && peer.node.name.as_str() == MEMBERS[which]);
        while is_up() {
            let event = timeout(LIMIT, events.next()).await?;
            assert!(!matches!(event, None | Some(NodeEvent::NameLost { .. })), "{event:?}");
        }
        Ok(since.elapsed())
    }

    /// Kills a member and starts it again.
    async fn kill(&mut self, which: usize) -> Result<Row, Box<dyn Error>> {
        let since = Instant::now();
        self.processes[which].kill().await?;
        let noticed = self.notices(which, since).await?;
        let since = Instant::now();
        self.processes[which] = self.spawn(which)?;
        assert_eq!(self.answers(which).await?, 1, "it is another boot");
        Ok(Row { node: MEMBERS[which], fault: "killed", noticed, healed: since.elapsed() })
    }

    /// Does harm to a member until that is noticed. The boot is the same afterwards.
    async fn harm(&self, which: usize, fault: Fault) -> Result<Row, Box<dyn Error>> {
        let sales = self.answers(which).await?;
        let since = Instant::now();
        self.set(which, fault, true).await?;
        let noticed = self.notices(which, since).await?;
        let since = Instant::now();
        self.set(which, fault, false).await?;
        assert!(self.answers(which).await? > sales, "it is the same boot");
        Ok(Row { node: MEMBERS[which], fault: fault.text(), noticed, healed: since.elapsed() })
    }

    async fn set(&self, which: usize, fault: Fault, is_on: bool) -> Result<(), Box<dyn Error>> {
        match fault {
            Fault::Frozen => self.signal(which, if is_on { "-STOP" } else { "-CONT" }).await?,
            Fault::CutOff => self.relays[which].set_cut(is_on),
        }
        Ok(())
    }

    async fn signal(&self, which: usize, signal: &str) -> Result<(), Box<dyn Error>> {
        let process = self.processes[which].id().ok_or("it has ended")?;
        let status = Command::new("kill").args([signal, &process.to_string()]).status().await?;
        assert!(status.success(), "{signal} was not sent");
        Ok(())
    }
}
