//! A process whose actor is slow, and one that floods it.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use perennial_actors::host::sync::Mutex;
use perennial_actors::{Actor, Context, ExitReason, MailboxConfig};
use perennial_cluster::{
    Bincode, Node, NodeBuilder, NodeEvent, PeerInfo, RemoteAddress, RemoteChild, RemoteErrorKind, Wire,
};
use perennial_registry::Name;
use perennial_supervision::Child;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::Process;
use super::roles::{answer, lines, ready, start_with};
use crate::support::name;

/// The name of the slow actor.
const SINK: Name<Load> = Name::new("sink");

/// The messages that its mailbox holds.
const CAPACITY: usize = 256;

/// How long a message takes.
const PAUSE: Duration = Duration::from_millis(2);

/// A message with its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Load(u64, Vec<u8>);

impl Wire for Load {
    const TAG: &'static str = "test.load";
}

/// How an actor is slow.
#[derive(Clone)]
enum Slowness {
    /// It waits.
    Waits,
    /// It blocks its thread.
    Blocks,
    /// It blocks its thread until the test says otherwise.
    IsStuck(Arc<Mutex<mpsc::Receiver<()>>>),
}

/// What has become of the messages that have arrived.
#[derive(Default)]
struct Tally {
    processed: u64,
    refused: u64,
    latest: Option<u64>,
    is_in_order: bool,
    /// The connections that were lost.
    lost: u64,
}

struct Sink {
    slowness: Slowness,
    tally: Arc<Mutex<Tally>>,
}

impl Actor for Sink {
    type Msg = Load;
    type Args = (Slowness, Arc<Mutex<Tally>>);

    async fn init((slowness, tally): &Self::Args, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Self { slowness: slowness.clone(), tally: tally.clone() })
    }

    async fn handle(&mut self, Load(number, _): Load, _: &mut Context<Self>) -> Result<(), ExitReason> {
        match &self.slowness {
            Slowness::Waits => tokio::time::sleep(PAUSE).await,
            Slowness::Blocks => block(),
            // An error says that the test has let it go on for good.
            Slowness::IsStuck(gate) => {
                let _ = gate.lock().recv();
            }
        }
        let mut tally = self.tally.lock();
        tally.is_in_order &= tally.latest.is_none_or(|latest| latest < number);
        tally.latest = Some(number);
        tally.processed += 1;
        Ok(())
    }
}

/// Blocks the thread.
fn block() {
    let (_open, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(PAUSE);
}

/// Runs a node whose actor is slow.
pub(super) fn run_sink(builder: NodeBuilder, how: &str) {
    let (open, gate) = mpsc::channel();
    let (slowness, runtime) = match how {
        "waits" => (Slowness::Waits, one_thread()),
        "blocks" => (Slowness::Blocks, one_thread()),
        "stuck" => (Slowness::IsStuck(Arc::new(Mutex::new(gate))), two_threads()),
        _ => panic!("no such way to be slow: {how}"),
    };
    runtime.block_on(serve_sink(builder, slowness, open));
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn serve_sink(builder: NodeBuilder, slowness: Slowness, open: mpsc::Sender<()>) {
    let node = builder.build().expect("it can be built");
    let mut lines = lines();
    let tally = Arc::new(Mutex::new(Tally { is_in_order: true, ..Tally::default() }));
    count_events(&node, tally.clone());
    let sink = Child::new::<Sink>("sink", (slowness, tally.clone()));
    let sink = sink.mailbox(MailboxConfig::bounded(CAPACITY)).remote::<Bincode>(&node, SINK);
    let (_tree, _) = start_with(&node, Some(sink.expect("it is exposed"))).await;
    ready();
    let mut open = Some(open);
    while let Some(line) = lines.recv().await {
        match line.as_str() {
            "tally" => {
                let received = peer(&node, "flood").map_or(0, |peer| peer.received);
                let Tally { processed, refused, is_in_order, lost, .. } = &*tally.lock();
                answer(&format!("{processed} {refused} {is_in_order} {lost} {received}"));
            }
            "go on" => {
                drop(open.take());
                answer("gone on");
            }
            _ => panic!("no such line: {line}"),
        }
    }
}

/// Counts what the node reports, in a thread that no handler blocks.
fn count_events(node: &Node, tally: Arc<Mutex<Tally>>) {
    let mut events = node.subscribe();
    thread::spawn(move || {
        one_thread().block_on(async {
            while let Some(event) = events.next().await {
                let mut tally = tally.lock();
                match event {
                    NodeEvent::Refused { reason: RemoteErrorKind::Busy, .. } => tally.refused += 1,
                    NodeEvent::Down(_) => tally.lost += 1,
                    _ => {}
                }
            }
        });
    });
}

fn peer(node: &Node, text: &str) -> Option<PeerInfo> {
    node.peers().into_iter().find(|peer| peer.node.name.as_str() == text)
}

/// What has become of the messages that were sent.
#[derive(Clone, Copy, Default)]
struct Sent {
    accepted: u64,
    busy: u64,
    failed: u64,
    /// `true` after the last one.
    is_over: bool,
}

/// Runs a node that floods the slow actor with messages of so many bytes.
pub(super) fn run_flood(builder: NodeBuilder, bytes: usize) {
    two_threads().block_on(serve_flood(builder, bytes));
}

async fn serve_flood(builder: NodeBuilder, bytes: usize) {
    let node = builder.build().expect("it can be built");
    let mut lines = lines();
    let tally = Arc::new(Mutex::new(Tally::default()));
    count_events(&node, tally.clone());
    let (_tree, _) = start_with(&node, None).await;
    let mut events = node.subscribe();
    while !node.names_of(&name("sink")).contains(&"sink".to_owned()) {
        events.next().await.expect("the node is there");
    }
    let sink = node.at(&name("sink"), SINK);
    let (sent, mut sent_so_far) = watch::channel(Sent::default());
    ready();
    while let Some(line) = lines.recv().await {
        match line.split(' ').collect::<Vec<&str>>()[..] {
            ["flood", attempts] => {
                tokio::spawn(flood(sink.clone(), bytes, attempts.parse().expect("a number"), sent.clone()));
                // It goes on, and is asked for meanwhile.
                sent_so_far.changed().await.expect("it sends");
                answer("flooding");
            }
            ["send"] => {
                let error = sink.send(Load(u64::MAX, Vec::new())).await.expect_err("the mailbox is full");
                // It was sent, and is refused there, as a cast is.
                sent.send_modify(|sent| sent.accepted += 1);
                answer(&format!("{:?}", error.kind));
            }
            ["sent"] => {
                let Sent { accepted, busy, failed, is_over } = *sent.borrow();
                let (peer, down) = (peer(&node, "sink").expect("it is there"), tally.lock().lost);
                let (sent, lost, unconfirmed) = (peer.sent, peer.lost, peer.unconfirmed);
                answer(&format!("{accepted} {busy} {failed} {down} {sent} {lost} {unconfirmed} {is_over}"));
            }
            _ => panic!("no such line: {line}"),
        }
    }
}

/// Casts so many messages without a pause, and more until one is refused here, and the mailbox is
/// full if nothing is processed. Those that are accepted have numbers without a gap.
async fn flood(sink: RemoteAddress<Load>, bytes: usize, attempts: u64, report: watch::Sender<Sent>) {
    let mut sent = Sent::default();
    // One more is in the hands of the actor.
    let fills_mailbox = u64::try_from(CAPACITY).expect("a small number") + 1;
    let mut tried = 0;
    while tried < attempts || sent.busy == 0 || sent.accepted < fills_mailbox {
        tried += 1;
        match sink.cast(Load(sent.accepted, vec![7; bytes])) {
            Ok(()) => sent.accepted += 1,
            Err(error) if error.kind == RemoteErrorKind::Busy => sent.busy += 1,
            Err(_) => sent.failed += 1,
        }
        report.send_replace(sent);
        tokio::task::yield_now().await;
    }
    sent.is_over = true;
    report.send_replace(sent);
}

/// What a slow actor has received.
#[derive(Debug)]
pub(crate) struct SinkReport {
    pub(crate) processed: u64,
    pub(crate) refused: u64,
    pub(crate) is_in_order: bool,
    pub(crate) lost_connections: u64,
    /// The packets that its node has received of the one that floods it.
    pub(crate) received: u64,
}

/// What has been sent to it.
#[derive(Debug)]
pub(crate) struct FloodReport {
    pub(crate) accepted: u64,
    pub(crate) busy: u64,
    pub(crate) failed: u64,
    pub(crate) lost_connections: u64,
    /// The packets that its node has sent.
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    pub(crate) unconfirmed: u64,
    /// `true` if no further message comes.
    pub(crate) is_over: bool,
}

impl Process {
    /// Starts the node `sink`, whose actor is slow.
    pub(crate) fn sink(port: u16, peer: u16, lease: Duration, how: &str) -> Self {
        Self::start(&format!("sink sink {port} {peer} {} {how}", lease.as_millis()))
    }

    /// Starts the node `flood`, which is ready when it knows the slow actor.
    pub(crate) fn flood(port: u16, peer: u16, lease: Duration, bytes: usize) -> Self {
        Self::start(&format!("flood flood {port} {peer} {} {bytes}", lease.as_millis()))
    }

    pub(crate) fn tally(&mut self) -> SinkReport {
        let words = self.ask("tally");
        let number = |at: usize| words[at].parse().expect("a number");
        SinkReport {
            processed: number(0),
            refused: number(1),
            is_in_order: words[2] == "true",
            lost_connections: number(3),
            received: number(4),
        }
    }

    pub(crate) fn sent(&mut self) -> FloodReport {
        let words = self.ask("sent");
        let number = |at: usize| words[at].parse().expect("a number");
        FloodReport {
            accepted: number(0),
            busy: number(1),
            failed: number(2),
            lost_connections: number(3),
            sent: number(4),
            lost: number(5),
            unconfirmed: number(6),
            is_over: words[7] == "true",
        }
    }
}
